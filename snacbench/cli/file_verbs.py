"""Verbs for files to hand over: of one codec (``encode``...), of a run (``export``, ``verify``)."""

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from snacbench.api import run as api
from snacbench.api import signals
from snacbench.api.bundles import verify as verify_bundle
from snacbench.audio.levels import beyond_full_scale
from snacbench.bitstream.container import Summary, load, parse
from snacbench.cli.terminal import ProgressBar, show_facts, show_first, show_line, show_rows
from snacbench.cli.verbs import PATH, option, shared
from snacbench.errors import BitstreamError
from snacbench.rate.coding.coders import CODERS
from snacbench.request import Channels
from snacbench.runner.bitstreams import spec_of
from snacbench.testsets.testset import counted
from snacbench.units import BITS_PER_BYTE


@click.command
@click.argument("source", type=PATH)
@option("--codec", help="One operating point: dac-44khz@2.67, NAME=dac:PATH.", required=True)
@option("-o --out target", PATH, required=True)
@option("--coder", list(CODERS), "How codes become bits: whole bits per index, or entropy coded.")
@option("--tables", PATH, "Trained tables of the coder.")
@option("--channels", Channels, "Downmix, or keep stereo, as snacbench run does.")
@option(
    "--seed",
    click.IntRange(0, (1 << 63) - 1),
    "Of the decoder's random numbers, for decoders that draw any (SNAC's).",
    default=0,
)
@shared("weights", "offline")
def encode(source: Path, target: Path, codec: str, **options: Any) -> None:
    """Code an audio file with one codec, and write all that its decoder needs into one file.

    The signal is treated as 'snacbench run' treats it; 'snacbench decode' gives it back. What is
    printed is what 'snacbench info' says of the file.
    """
    with ProgressBar() as bar:
        signals.encode(source, target, codec, **options, progress=bar)
    _show(target, _read(target))


@click.command
@click.argument("file", type=PATH)
@option("-o --out target", PATH, required=True)
@option("--codec", "", "A checkpoint or command file of your own: dac:PATH.")
@option("--tables", PATH, "The coder's trained tables.")
@shared("weights", "offline")
def decode(file: Path, target: Path, **options: Any) -> None:
    """Decode a .sncb file to 24-bit WAV or FLAC, at the codec's rate.

    Decoded on the machine that coded it, these are the very samples that a run scores. A file that
    is damaged, or was made with other weights than those at hand, is refused.
    """
    with ProgressBar() as bar:
        audio = signals.decode(file, target, **options, progress=bar)
    clipping = f", {n} of them clipped" if (n := beyond_full_scale(audio)) else ""
    show_line(
        f"{target}: {audio.num_samples} samples{clipping}, {counted(audio.channels, 'channel')}, "
        f"{audio.rate_hz} Hz, decoded by {parse(load(file)).header.codec}"
    )


@click.command
@click.argument("file", type=PATH)
@option("--json as_json", bool, "All of it, for programs.")
def info(file: Path, as_json: bool) -> None:
    """Show what a .sncb file holds, and its rates over the duration of its source.

    Needs neither the codec nor its weights.
    """
    summary = _read(file)
    if not as_json:
        _show(file, summary)
        return
    spec = spec_of(summary.header)
    told = {
        "header": asdict(summary.header),
        "duration_s": summary.duration_s,
        "codebook_sizes": summary.codebook_sizes,
        "frames": summary.frames,
        "bits": asdict(summary.bits),
        "bytes": {**summary.costs, "streams": summary.stream_bytes},
        "nominal_kbps": spec.nominal_kbps if spec else None,
        "actual_kbps": summary.actual_kbps,
        "kbps": {name: summary.kbps_of(num_bytes) for name, num_bytes in summary.costs.items()},
    }
    click.echo(json.dumps(told, indent=1, ensure_ascii=False))


def _read(file: Path) -> Summary:
    data = load(file)
    try:
        return parse(data)
    except BitstreamError as error:
        raise BitstreamError(f"{file}: {error}") from error


def _show(file: Path, summary: Summary) -> None:
    header, spec = summary.header, spec_of(summary.header)
    channels = counted(header.channels, "channel")
    first = groupby(zip(summary.codebook_sizes, summary.frames[0], strict=True))
    streams = (f"{len(list(x))} x {frames} frames of {n} entries" for (n, frames), x in first)
    digests = {**header.weights_sha256, "coder's tables": header.tables_sha256}
    facts = {
        "file": f"{file}, {summary.size:,} bytes",
        "codec": f"{header.codec}, {header.codec_rate_hz} Hz",
        "source": f"{summary.duration_s:.3f} s: {header.num_samples} samples, {channels}, "
        f"{header.rate_hz} Hz; coded as {header.channel_mode}",
        "streams": "; ".join(streams),
        "coder": header.coder,
        "weights": ", ".join(f"{name} {sha[:12]}" for name, sha in digests.items() if sha),
        "seed": str(header.seed) if header.seed else "",
    }
    show_facts(facts)
    click.echo()
    written = {"actual": -(-summary.bits.total // BITS_PER_BYTE), **summary.costs}
    rows = [["nominal", "", f"{spec.nominal_kbps:.3f}"]] if spec and spec.nominal_kbps else []
    rows += [
        [name.replace("side_info", "side information"), f"{size:,}", f"{summary.kbps_of(size):.3f}"]
        for name, size in written.items()
        if size
    ]
    show_rows(["", "bytes", "kbps"], rows)


@click.command
@click.argument("run", type=PATH)
@option("-o --out", PATH, "The file.  [default: RUN.zip]")
@option("--partial", bool, "Also of a run that is not finished, which the file then says.")
def export(run: Path, out: Path | None, partial: bool) -> None:
    """Write RUN as one file to hand over: rows, digests, versions; no audio.

    Print its id beside your table: 'snacbench verify FILE --id ID' then shows that a file is the
    one that the table was made of. Of paths, folders are left out as docs/bundles.md says.
    """
    made = api.load(run).export(out or Path(f"{run.resolve()}.zip"), partial=partial)
    facts = {"bundle": f"{made.path}, {made.path.stat().st_size / 1e6:.3f} MB", "id": made.id}
    facts["replaced"] = made.replaced and f"the bundle that was there, {made.replaced}"
    if made.missing:
        facts["partial"] = f"it lacks {counted(made.missing, 'row')} of codings and scores"
    hidden = ", ".join(f"{counted(n, 'row')} of {name}" for name, n in made.hidden.items())
    facts["left out"] = hidden and f"folders of paths, in {hidden}"
    show_facts(facts)


@click.command
@click.argument("bundle", type=PATH)
@option("--id", "", "The id that was published with it, or its beginning.", metavar="ID")
@option("--recompute scores", click.IntRange(0), "Compute so many scores again.", default=0)
@option("--seed", 0, "By which they are drawn.")
@option("--data", "", "Where clips are: a folder, manifest or set.  [default: the run's]")
@option("--root", help="Where a corpus lies, or CORPUS=DIR.", multiple=True, metavar="DIR")
@option("--weights", help="Where models are: DIR, or MODEL=DIR.", multiple=True)
@shared("jobs")
def verify(bundle: Path, **options: Any) -> int:
    """Check BUNDLE: digests, rows, sums; with --recompute, that codecs give these scores.

    Exit code 0: verified; 1: refused, each finding with its file, line and row, or no score could
    be computed again.
    """
    with ProgressBar() as bar:
        told = verify_bundle(bundle, progress=bar, **options)
    show_facts({"id": told.id, **told.facts})
    show_first([str(finding) for finding in told.found])
    came = f"verified{' but for scores that could not be computed again' if told.left else ''}"
    if told.found:
        came = f"refused: {counted(len(told.found), 'finding')}"
    elif not told.ok:
        came = "not verified: no score could be computed again, all else is as it must be"
    show_line(came)
    return 0 if told.ok else 1
