"""``snacbench entropy``: the bytes that entropy coders make of a run's codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from snacbench.cli.downloads import DownloadBar, offline_option
from snacbench.cli.terminal import ProgressBar, err, out, show_rows
from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.rate.coding.coders import (
    CONTEXT_CODERS,
    ENTROPY_CODERS,
    LANGUAGE_CODER,
    LanguageCoder,
)
from snacbench.rate.coding.heldout import (
    coded_rows,
    cross_fitted,
    held_out_rows,
    shuffled_clips,
)
from snacbench.rate.coding.trained import KeptClip, write_tables
from snacbench.rows import CodedBytes
from snacbench.runner.bitstreams import (
    CoderRate,
    KeptCodec,
    coder_rates,
    kept_clips,
    kept_codecs,
)
from snacbench.selectors import among
from snacbench.store.run_folder import RunFolder
from snacbench.weights.policy import WeightsPolicy, parse_policy

_CODERS = (*ENTROPY_CODERS, LANGUAGE_CODER)
_COLUMNS = (
    "codec", "coder", "nominal", "actual", "coded", "ideal", "saves", "by context", "clips",
)  # fmt: skip


def _coders(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in _CODERS:
            raise UnknownName(f"no entropy coder {name!r}; {did_you_mean(name, _CODERS)}")
    if not names:
        raise UserError(f"--coders names no coder; there are {', '.join(_CODERS)}")
    return list(dict.fromkeys(names))


@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--coders",
    default=",".join(ENTROPY_CODERS),
    show_default=True,
    callback=_coders,
    help=f"Names; also {LANGUAGE_CODER}: EnCodec's own, which is fetched.",
)
@click.option("--codecs", metavar="PATTERNS", help="Those of the run to code.  [default: all]")
@click.option(
    "--shuffled",
    is_flag=True,
    help="Also code permuted tokens: a control, in which context can save nothing.",
)
@click.option("--seed", default=0, show_default=True, help="Of the permutation.")
@click.option(
    "--save-tables",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the trained tables, two per codec.",
)
@click.option("--weights", multiple=True, metavar="DIR", help="Of the language model, as for run.")
@offline_option
def entropy(
    run: Path,
    coders: list[str],
    codecs: str | None,
    shuffled: bool,
    seed: int,
    save_tables: Path | None,
    weights: tuple[str, ...],
    offline: bool,
) -> None:
    """Write the codes that RUN kept with entropy coders, and weigh the bytes.

    Tables are trained on one half of the speakers and tracks and code the other, and the other way
    round, so that no clip is coded by tables that know it. All bytes are decoded again and
    compared. One row per clip and coder is added to the run, for its tables and plots.
    """
    folder = RunFolder.open(run)
    chosen = _matching(kept_codecs(folder), codecs)
    policy = parse_policy(weights, offline=offline)
    with folder.locked(), ProgressBar() as bar:
        for codec in chosen:
            clips = kept_clips(folder, codec)
            steps = len(clips) * len(coders) * (1 + shuffled)
            bar.begin(codec.spec.name, steps)
            if save_tables:
                _save_tables(save_tables, codec, clips)
            for control in (False, True) if shuffled else (False,):
                folder.append(_stepped(bar, _rows(codec, clips, coders, control, seed, policy)))
    show_rows(_COLUMNS, [cells for codec in chosen for cells in _cells(folder, codec)])
    out.print(
        "\nkbps over the source's duration, side information included; 'saves' is against the "
        "actual rate,\n'by context' against adaptive; negative: it costs more. Tables are part of "
        "the decoder and not counted.",
        soft_wrap=True,
    )


def _stepped(bar: ProgressBar, rows: Iterator[CodedBytes]) -> Iterator[CodedBytes]:
    for row in rows:
        bar.step()
        yield row


def _rows(
    codec: KeptCodec,
    clips: Sequence[KeptClip],
    coders: Sequence[str],
    shuffled: bool,
    seed: int,
    policy: WeightsPolicy,
) -> Iterator[CodedBytes]:
    name, sizes = codec.spec.name, codec.codebook_sizes
    if trained := [coder for coder in coders if coder != LANGUAGE_CODER]:
        yield from held_out_rows(name, clips, sizes, coders=trained, shuffled=shuffled, seed=seed)
    if LANGUAGE_CODER in coders and (coder := _language_coder(codec, policy)):
        given = shuffled_clips(clips, seed) if shuffled else clips
        yield from coded_rows(name, given, sizes, coder, shuffled=shuffled)


def _language_coder(codec: KeptCodec, policy: WeightsPolicy) -> LanguageCoder | None:
    from snacbench.codecs.encodec import LANGUAGE_MODELS, load_language_model
    from snacbench.weights.locate import locate

    if codec.spec.model not in LANGUAGE_MODELS:
        err.print(f"note: {codec.spec.model} has no language model", markup=False, soft_wrap=True)
        return None
    with DownloadBar() as bar:
        located = locate(LANGUAGE_MODELS[codec.spec.model], policy, bar)
    assert located is not None
    return LanguageCoder(load_language_model(codec.spec.model, located))


def _matching(codecs: list[KeptCodec], patterns: str | None) -> list[KeptCodec]:
    if not patterns:
        return codecs
    chosen = among([codec.spec for codec in codecs], patterns)
    return [codec for codec in codecs if codec.spec in chosen]


def _save_tables(target: Path, codec: KeptCodec, clips: Sequence[KeptClip]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    halves = cross_fitted(codec.spec.name, clips, codec.codebook_sizes)
    for number, (tables, _) in enumerate(halves, start=1):
        write_tables(target / f"{codec.spec.name}.half{number}.npz", tables)


def _cells(folder: RunFolder, codec: KeptCodec) -> Iterator[tuple[str, ...]]:
    rows = [row for row in folder.read(CodedBytes) if row.codec == codec.spec.name]
    rates = coder_rates(codec, rows)
    nominal = codec.spec.nominal_kbps
    for rate in rates:
        yield (
            codec.spec.name,
            f"{rate.coder} (shuffled)" if rate.shuffled else rate.coder,
            "" if nominal is None else f"{nominal:.3f}",
            f"{rate.actual_kbps:.3f}",
            f"{rate.coded_kbps:.3f}",
            f"{rate.ideal_kbps:.3f}",
            f"{rate.saves_over(rate.actual_kbps):+.2%}",
            _by_context(rate, rates),
            str(rate.clips),
        )


def _by_context(rate: CoderRate, rates: Sequence[CoderRate]) -> str:
    """What a context model saves over the order-0 model that it falls back on, over its clips."""
    order_zero = (r for r in rates if (r.coder, r.shuffled) == ("adaptive", rate.shuffled))
    base = next(order_zero, None)
    if rate.coder not in CONTEXT_CODERS or base is None or base.clips != rate.clips:
        return ""
    return f"{rate.saves_over(base.coded_kbps):+.2%}"
