"""What the recipe of a run states of its results: figures it should come near, and limits.

The recipe's record in ``run.json`` has both, so that a run is judged by the recipe as it was. A run
is compared only where it is that recipe and nothing else, whole, and by published weights: figures
of other data or other models do not meet those of a paper by being close.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from snacbench.request import REFERENCE, Expected, FromRecipe
from snacbench.rows import MISSING
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows, actual_kbps_of
from snacbench.tables.side_by_side import set_cell
from snacbench.tables.table_model import Cell, Column, Row
from snacbench.types import WeightsInfo

_OF_THE_CLIPS = frozenset(
    ("data", "domain", "segments", "segment_s", "min_lufs", "limit", "seed", "channels",
     "reference", "shard")
)  # fmt: skip

# What recipes may limit, by the name of the field, in words.
_LIMITS = {
    "kbps": "kbps",
    "delay_ms": "ms of delay",
    "mmac_per_s": "MMAC per second of audio",
    "decode_mmac_per_s": "MMAC per second of audio to decode",
}


class Judgement(NamedTuple):
    """Sentences that must stand above a run's tables, and others that go below them."""

    above: list[str]
    below: list[str]


def judged(runs: Sequence[RunRows]) -> Judgement:
    """How runs stand to what their recipes expect and allow."""
    found = Judgement([], [])
    for rows, recipe in ((rows, rows.run.request.from_recipe) for rows in runs):
        if recipe is None:
            continue
        _compare(rows, recipe, found)
        codecs = [c for c in rows.codecs if not (c.spec.anchor or c.spec.condition)]
        for name, limit in recipe.limits.items():
            what = f"{_LIMITS[name]} than the {limit:g} that recipe {recipe.name} allows"
            taken = [(codec, _taken(codec, name)) for codec in codecs]
            over = [f"{c.spec.name} ({v:.4g})" for c, v in taken if v and v > limit]
            found.above.extend([f"More {what}: {', '.join(over)}."] if over else [])
            if unknown := [codec for codec, value in taken if value is None]:
                later = name != "kbps" and any(codec.cost is None for codec in unknown)
                how = "; 'snacbench cost RUN' measures" if later else ""
                names = ", ".join(codec.spec.name for codec in unknown)
                found.below.append(f"Not known whether more {what}: {names}{how}.")
    return found


def _compare(rows: RunRows, recipe: FromRecipe, found: Judgement) -> None:
    """Which of the figures that a recipe expects a run misses, meets, and cannot be held to."""
    expected = [(one, one.tolerance) for one in recipe.expect if one.tolerance is not None]
    why = _is_another(rows, recipe)
    if why and expected:
        found.below.append(f"Not held to the figures that recipe {recipe.name} expects: {why}.")
    if why or not expected:
        return
    missed, unknown, unreadable = dict[str, list[str]](), list[str](), list[str]()
    for one, tolerance in expected:
        of = f"{one.metric} of {one.codec or f'the {REFERENCE}'}"
        if (figure := _figure(rows, one)) is None:
            unknown.append(of)
        elif figure.value is None:
            unreadable.append(f"{of} ({'; '.join(figure.notes)})")
        elif abs(figure.value - one.value) > tolerance:
            text = f"{of} is {figure.value:.4g}, expected {one.value:g} ± {tolerance:g}"
            missed.setdefault(one.source, []).append(text)
    found.above.extend(
        f"This run misses figures that recipe {recipe.name} expects ({source}): "
        f"{'; '.join(texts)}. Find out why before believing the others."
        for source, texts in missed.items()
    )
    met = len(expected) - len(unknown) - len(unreadable) - sum(map(len, missed.values()))
    found.below.append(
        f"{met} of {len(expected)} figures that recipe {recipe.name} expects are met."
        + f" Not in this table by published models: {', '.join(unknown)}." * bool(unknown)
        + f" Cannot be computed: {', '.join(unreadable)}." * bool(unreadable)
    )


def _is_another(rows: RunRows, recipe: FromRecipe) -> str:
    """Why a run is not a recipe as it was written, or not all of it; empty if it is."""
    if recipe.changed:
        options = (f"--{name.replace('_', '-')}" for name in sorted(recipe.changed))
        return f"changed by {', '.join(options)}"
    if rows.run.request.shard or rows.run.request.merged:
        return "it is a part, or was merged of parts"
    if gone := rows.run.facts.get(MISSING):
        return f"not in the test set: {gone}"
    codecs = (codec for codec in rows.codecs if not codec.spec.condition)
    coded = [(len(c.ok(ALL_DOMAINS)), len(c.tried(ALL_DOMAINS))) for c in codecs]
    # Files that nobody can read are tried, and not planned.
    if not rows.planned or any(ok < max(rows.planned, tried) for ok, tried in coded):
        return "some clips are not coded"
    return ""


def _figure(rows: RunRows, expected: Expected) -> Cell | None:
    """What a figure is compared with; None where no published model gave it to all clips."""
    run, metric, domain = rows.run, expected.metric, expected.domain
    judges = [w for m, w in run.metric_weights.items() if m in run.metric_versions.get(metric, ())]
    for codec in rows.codecs if all(map(_is_published, judges)) else ():
        published = _is_published(codec.spec.weights) and not codec.spec.demonstration
        asked = codec.spec.name == expected.codec and published if expected.codec else True
        if asked and (cells := codec.scores.get(metric)) is not None:
            clips, values = codec.scored(metric, domain)
            others = cells[np.setdiff1d(codec.ok(domain), clips)]
            if len(values) and (others["undefined"] | others["skipped"]).all():
                if metric in codec.embedded:
                    return set_cell(rows, codec, metric, rows.named(clips), ci=False)
                return Cell(math.fsum(values) / len(values))  # in any order of the clips
    return None


def _is_published(weights: WeightsInfo) -> bool:
    """Whether a model has the weights that were published for it, or needs none."""
    return weights.source in ("published", "none") or weights.verified is True


def _taken(codec: CodecColumns, what: str) -> float | None:
    """What an operating point takes of something that may be limited; None: not measured."""
    # The rate is the nominal one of codes that have one: what a channel must carry, without the
    # padding that short clips need.
    cost = codec.cost
    if what == "kbps":
        return codec.spec.nominal_kbps if codec.spec.streams else actual_kbps_of(codec, ALL_DOMAINS)
    if what == "delay_ms" and cost and cost.whole_file:
        return math.inf
    if what == "delay_ms":
        return 1e3 * cost.delay_s if cost and cost.delay_s is not None else None
    if cost is None or cost.macs_per_s is None:
        return None
    return (sum(cost.decode_macs_per_s.values()) if "decode" in what else cost.macs_per_s) / 1e6


def published_rows(
    runs: Sequence[RunRows], layout: str, columns: Sequence[Column], domain: str
) -> list[Row]:
    """Rows of the figures that recipes state, for tables of their layout on their clips.

    They are neither ranked nor measured: their heading says where they are published.
    """
    keys = {column.key for column in columns}
    cells: dict[tuple[str, str], dict[str, Cell]] = {}
    for rows in runs:
        recipe = rows.run.request.from_recipe
        if recipe is None or recipe.table != layout or recipe.changed & _OF_THE_CLIPS:
            continue
        for one in recipe.expect:
            key = one.metric if one.codec else one.metric.removesuffix(f"_{REFERENCE}")
            if one.domain == domain and key in keys:
                cells.setdefault((one.source, one.codec or REFERENCE), {})[key] = Cell(one.value)
    return [
        Row(codec, of, ranked=False, group=f"published, not measured here: {s}", source=s)
        for (s, codec), of in cells.items()
    ]
