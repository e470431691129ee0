"""``snacbench info``: what a ``.sncb`` file holds and what it costs."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click

from snacbench.bitstream.container import Summary, load, parse, summary_of
from snacbench.cli.terminal import out, show_facts, show_rows
from snacbench.errors import BitstreamError
from snacbench.runner.bitstreams import spec_of
from snacbench.types import CodecSpec
from snacbench.units import BITS_PER_BYTE

_SHOWN_DIGITS = 12


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="All of it, for programs.")
def info(file: Path, as_json: bool) -> None:
    """Show what a .sncb file holds, and its rates over the duration of its source.

    Needs neither the codec nor its weights.
    """
    data = load(file)
    try:
        summary = summary_of(parse(data))
    except BitstreamError as error:
        raise BitstreamError(f"{file}: {error}") from error
    spec = spec_of(summary.header)
    if as_json:
        click.echo(json.dumps(_as_json(summary, spec), indent=1, ensure_ascii=False))
    else:
        show_summary(file, summary, spec)


def in_words(channels: int) -> str:
    """``1 channel``, ``2 channels``."""
    return f"{channels} channel" + "s" * (channels != 1)


def show_summary(file: Path, summary: Summary, spec: CodecSpec | None) -> None:
    """A file's header, and a table of bytes and rates."""
    show_facts({label: text for label, text in _facts(file, summary).items() if text})
    out.print()
    nominal = spec.nominal_kbps if spec else None
    rows = [["nominal", "", f"{nominal:.3f}", "as stated for the codec"]] if nominal else []
    rows += [
        [name, f"{num_bytes:,}", f"{summary.kbps_of(num_bytes):.3f}", meaning]
        for name, num_bytes, meaning in _costs(summary)
    ]
    show_rows(["", "bytes", "kbps", ""], rows)


def _facts(file: Path, summary: Summary) -> dict[str, str]:
    header = summary.header
    weights = (f"{name} {digest[:_SHOWN_DIGITS]}" for name, digest in header.weights_sha256.items())
    tables = f", tables {header.tables_sha256[:_SHOWN_DIGITS]}" if header.tables_sha256 else ""
    return {
        "file": f"{file}, {summary.costs.total:,} bytes",
        "codec": f"{header.codec}, {header.codec_rate_hz} Hz",
        "weights": ", ".join(weights),
        "source": f"{summary.duration_s:.3f} s: {header.num_samples} samples, "
        f"{in_words(header.channels)}, {header.rate_hz} Hz; coded as {header.channel_mode}",
        "streams": "; ".join(_streams(summary)),
        "coder": f"{header.coder}{tables}",
        "seed": str(header.seed) if header.seed else "",
    }


def _streams(summary: Summary) -> list[str]:
    """Streams that are alike in one phrase each."""
    first = zip(summary.codebook_sizes, summary.frames[0], strict=True)
    return [
        f"{len(list(alike))} x {frames} frames of {size} entries"
        for (size, frames), alike in groupby(first)
    ]


def _costs(summary: Summary) -> list[tuple[str, int, str]]:
    """Name, bytes and meaning of each part of the file that there is."""
    costs, bits = summary.costs, summary.bits
    actual = -(-bits.total // BITS_PER_BYTE)
    written = [
        ("actual", actual, "codes at whole bits, side information, payload: as in a run"),
        ("codes", costs.codes, f"as written by the coder {summary.header.coder}"),
        ("side information", costs.side_info, ""),
        ("packets", costs.packets, f"{bits.payload} bits of them payload"),
        ("container", costs.container, "lengths of parts, streams and packets"),
        ("header", costs.header, "codec, weights, source; once per file"),
        ("file", costs.total, ""),
    ]
    return [cost for cost in written if cost[1]]


def _as_json(summary: Summary, spec: CodecSpec | None) -> dict[str, object]:
    costs = summary.costs
    parts = {
        "codes": costs.codes,
        "side_info": costs.side_info,
        "packets": costs.packets,
        "container": costs.container,
        "header": costs.header,
        "file": costs.total,
    }
    return {
        "header": asdict(summary.header),
        "duration_s": summary.duration_s,
        "codebook_sizes": summary.codebook_sizes,
        "frames": summary.frames,
        "bits": asdict(summary.bits),
        "bytes": {**parts, "streams": costs.streams},
        "nominal_kbps": spec.nominal_kbps if spec else None,
        "actual_kbps": summary.actual_kbps,
        "kbps": {name: summary.kbps_of(num_bytes) for name, num_bytes in parts.items()},
    }
