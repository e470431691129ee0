"""What the recipe of a run states of its results: figures it should come near, and limits.

The recipe's record in ``run.json`` has both, so that a run is judged by the recipe as it was. A run
is compared only where it is that recipe and nothing else, whole, and by published weights: figures
of other data or other models do not meet those of a paper by being close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from snacbench.request import Expected, FromRecipe
from snacbench.rows import MISSING
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows, actual_kbps_of
from snacbench.tables.set_level import set_cell
from snacbench.tables.table_model import Cell, Column, Row
from snacbench.types import WeightsInfo

REFERENCE = "reference"  # in place of a codec: what metrics say of the untouched clips
_OF_THE_CLIPS = frozenset(
    ("data", "domain", "segments", "segment_s", "min_lufs", "limit", "seed", "channels",
     "reference", "shard")
)  # fmt: skip

# What recipes may limit, by the name of the field, and in words.
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
    for rows in runs:
        if recipe := rows.run.request.from_recipe:
            _compare(rows, recipe, found)
            _limit(rows, recipe, found)
    return found


def _compare(rows: RunRows, recipe: FromRecipe, found: Judgement) -> None:
    """Which of the figures that a recipe expects a run misses, meets, and cannot be held to."""
    expected = [(one, one.tolerance) for one in recipe.expect if one.tolerance is not None]
    why = _is_another(rows, recipe)
    if why and expected:
        found.below.append(f"Not held to the figures that recipe {recipe.name} expects: {why}.")
    if why or not expected:
        return
    missed, unknown = dict[str, list[str]](), list[str]()
    for one, tolerance in expected:
        of = f"{one.metric} of {one.codec or f'the {REFERENCE}'}"
        if (value := _mean(rows, one)) is None:
            unknown.append(of)
        elif abs(value - one.value) > tolerance:
            text = f"{of} is {value:.4g}, expected {one.value:g} ± {tolerance:g}"
            missed.setdefault(one.source, []).append(text)
    found.above.extend(
        f"This run misses figures that recipe {recipe.name} expects ({source}): "
        f"{'; '.join(texts)}. Find out why before believing the others."
        for source, texts in missed.items()
    )
    met = len(expected) - len(unknown) - sum(map(len, missed.values()))
    found.below.append(
        f"{met} of {len(expected)} figures that recipe {recipe.name} expects are met."
        + f" Not in this run by published models: {', '.join(unknown)}." * bool(unknown)
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
    if not rows.planned or any(len(c.ok(ALL_DOMAINS)) < rows.planned for c in rows.codecs):
        return "some clips are not coded"
    return ""


def _mean(rows: RunRows, expected: Expected) -> float | None:
    """The mean that a figure is compared with; None where no published model gave it to all."""
    run = rows.run
    models = [m for m in run.metric_weights if m in run.metric_versions.get(expected.metric, ())]
    judges = [run.metric_weights[model] for model in models]
    for codec in rows.codecs if all(map(_is_published, judges)) else ():
        published = _is_published(codec.spec.weights) and not codec.spec.demonstration
        if not expected.codec or (codec.spec.name == expected.codec and published):
            clips, values = codec.scored(expected.metric, expected.domain)
            lost = np.setdiff1d(codec.ok(expected.domain), clips)
            cells = codec.scores.get(expected.metric, codec.coded[:0])
            if len(values) and all(n < len(cells) and not cells["failed"][n] for n in lost):
                if expected.metric in codec.embedded:
                    scored = [rows.ids[clip] for clip in clips]
                    return set_cell(rows, codec, expected.metric, scored, ci=False).value
                return float(values.mean())
    return None


def _is_published(weights: WeightsInfo) -> bool:
    """Whether a model has the weights that were published for it, or needs none."""
    return weights.source in ("published", "none") or weights.verified is True


def _limit(rows: RunRows, recipe: FromRecipe, found: Judgement) -> None:
    """Which codecs break the limits of a recipe, and of which it is not known."""
    codecs = [(c.spec.name, _taken(c)) for c in rows.codecs if not c.spec.anchor]
    for name, limit in recipe.limits.items():
        what = f"{_LIMITS[name]} than the {limit:g} that recipe {recipe.name} allows"
        unknown = [codec for codec, taken in codecs if taken[name] is None]
        of = [f"{c} ({v:.4g})" for c, taken in codecs if (v := taken[name]) and v > limit]
        found.above.extend([f"More {what}: {', '.join(of)}."] if of else [])
        if unknown:
            told = {c.spec.name for c in rows.codecs if c.cost}  # as far as it can be
            never = name == "kbps" or told.issuperset(unknown)
            how = "" if never else "; 'snacbench cost RUN' measures"
            found.below.append(f"Not known whether more {what}: {', '.join(unknown)}{how}.")


def _taken(codec: CodecColumns) -> dict[str, float | None]:
    """What an operating point takes of everything that may be limited; None: not measured.

    The rate is the nominal one of codes that have one: what a channel must carry, without the
    padding that short clips need.
    """
    kbps = codec.spec.nominal_kbps if codec.spec.streams else actual_kbps_of(codec, ALL_DOMAINS)
    taken = {**dict.fromkeys(_LIMITS), "kbps": kbps}
    if cost := codec.cost:
        taken["delay_ms"] = 1e3 * cost.delay_s if cost.delay_s is not None else None
        if cost.whole_file:
            taken["delay_ms"] = math.inf
        if cost.macs_per_s is not None:
            taken["mmac_per_s"] = cost.macs_per_s / 1e6
            taken["decode_mmac_per_s"] = sum(cost.decode_macs_per_s.values()) / 1e6
    return taken


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
