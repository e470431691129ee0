"""Two run folders compared: what is allowed, which codecs and metrics, and whether it passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from snacbench.errors import StoreError, UnknownName, UserError, did_you_mean
from snacbench.plugins import metrics as known_metrics
from snacbench.selectors import among, split_selectors
from snacbench.store.agree import check_agreement
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_pair import KBPS, Answer, Pair, Question, compare_runs
from snacbench.tables.run_rows import RunRows
from snacbench.types import Clip, CodecSpec, MetricSpec


def compare(  # noqa: PLR0913 - keyword-only options of one comparison
    baseline: Path,
    candidate: Path,
    *,
    codecs: str | Sequence[str] = (),
    metrics: Sequence[str] = (),
    tolerances: Mapping[str, float] | None = None,
    strict: bool = False,
    shared_clips: bool = False,
) -> Answer:
    """Compare two run folders on the clips that both have; docs/comparing.md has the rules.

    `codecs` are selectors as for a run, or ``A=B`` where the candidate names one otherwise; no
    `codecs` or `metrics`: all that both have. `tolerances`: by metric, or ``kbps`` for the actual
    rate, how much worse the candidate may be, in its unit; `strict` fails what was not shown to be
    within. `shared_clips` allows different test sets: clips that are the same are compared.

    Raises
    ------
    StoreError
        If a folder holds no run, or the runs must not be compared.
    UserError
        If a name is in neither run, a tolerance below 0, or there is nothing to compare.
    """
    folders = RunFolder.open(baseline), RunFolder.open(candidate)
    check_agreement(
        *folders, why="cannot be compared", metrics=list(metrics), same_set=not shared_clips
    )
    before, after = (RunRows.load(folder, histograms=False) for folder in folders)
    specs = shared_metrics([before, after], metrics)
    for name, value in (tolerances or {}).items():
        if name not in (known := [*specs, KBPS]):
            raise UnknownName(f"tolerance: {name!r} is not compared; {did_you_mean(name, known)}")
        if not 0 <= value < float("inf"):
            raise UserError(
                f"the tolerance of {name} is {value}; expected a number of 0 or more, how much "
                "worse the candidate may be in the metric's unit"
            )
    texts = ",".join([codecs] if isinstance(codecs, str) else codecs)
    question = Question(
        pairs=pairs_of(before.run.codecs, after.run.codecs, texts),
        metrics=specs,
        tolerances=tolerances or {},
        clips=_same_clips(*folders) if shared_clips else None,
        strict=strict,
    )
    return compare_runs(before, after, question)


def shared_metrics(runs: Sequence[RunRows], names: Sequence[str]) -> dict[str, MetricSpec]:
    """Specs of the metrics that are named, or that all runs have scores of; UserError if none."""
    common = [m for m in runs[0].metrics if all(m in run.metrics for run in runs)]
    for name in names:
        if name not in common:
            near = did_you_mean(name, common) if common else "nor of any other metric in common"
            raise UnknownName(f"not every run has scores of {name!r}; {near}")
    chosen = names or common
    if not chosen:
        raise UserError("the runs have scores of no metric in common; see snacbench score")
    specs = {spec.name: spec for run in runs for spec in run.run.metrics}
    if set(chosen) - specs.keys():  # added to a run later, so not in its plan
        specs = {m.spec.name: m.spec for m in known_metrics().values()} | specs
    return {name: specs[name] for name in chosen}


def pairs_of(
    baseline: Sequence[CodecSpec], candidate: Sequence[CodecSpec], texts: str = ""
) -> tuple[Pair, ...]:
    """Which operating points of two runs are compared with which.

    `texts` are selectors, separated by commas: ``A=B``, or ``A`` for the same names in both runs;
    empty: every name that both have, or the only operating point of each.

    UserError if there is nothing to compare, or the sides of an equals sign are not as many.
    """
    chosen: list[Pair] = []
    for selector in split_selectors(texts):
        left, equals, right = selector.partition("=")
        ours = [spec.name for spec in among(baseline, left)]
        theirs = [spec.name for spec in among(candidate, right if equals else left)]
        if equals and len(ours) != len(theirs):
            raise UserError(
                f"--codecs {selector}: {left} is {', '.join(ours)}, {right} is "
                f"{', '.join(theirs)}; name one of each, or as many"
            )
        chosen += (
            zip(ours, theirs, strict=True) if equals else [(n, n) for n in ours if n in theirs]
        )
    before, after = ([spec.name for spec in specs] for specs in (baseline, candidate))
    if texts:
        if not chosen:
            raise UnknownName(f"no codec that both runs have is named {texts}")
    elif len(before) == len(after) == 1:
        chosen = [(before[0], after[0])]
    else:
        chosen = [(name, name) for name in before if name in after]
    if not chosen:
        raise UserError(
            f"the runs have no codec in common ({', '.join(before)}; {', '.join(after)}); "
            "say which to compare with --codecs A=B"
        )
    return tuple(chosen)


def _same_clips(one: RunFolder, other: RunFolder) -> frozenset[str]:
    """Clips with the same id, audio and segment in both runs; StoreError if there is none."""
    first, second = (
        {(c.id, c.sha256, c.start, c.num_samples) for c in folder.read(Clip)}
        for folder in (one, other)
    )
    if not first & second:
        raise StoreError(
            f"{one.path} and {other.path} share no clip of the same id and audio; "
            "run both on the same clips"
        )
    return frozenset(clip for clip, *_ in first & second)
