"""Operating points under conditions beside those without: their order, and what is said of them."""

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import yaml

from snacbench.conditions.channel import SILENCE, packet_s
from snacbench.conditions.condition import Condition, condition_named
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows
from snacbench.tables.side_by_side import Entry
from snacbench.types import CodecSpec
from snacbench.units import MS_PER_S

WORDS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
_NOWHERE = "–"  # in place of a mean: nothing is known, or it is infinite


def series_of(condition: Condition) -> str:
    """What conditions of all strengths share: ``loss:burst=3``."""
    return condition.name.rpartition("@")[0]


def without_conditions(
    runs: Sequence[RunRows], keep: Sequence[str] = ()
) -> tuple[list[RunRows], int]:
    """Runs without their points under conditions, but for models to `keep`; how many are out.

    Where a run has no others, none is.
    """
    kept = []
    for rows in runs:
        specs = [codec.spec for codec in rows.codecs]
        names = {s.name for s in specs if not s.condition or s.model in keep}
        kept.append(rows if len(names) in (0, len(specs)) else rows.only(names))
    return kept, sum(len(a.codecs) - len(b.codecs) for a, b in zip(runs, kept, strict=True))


def left_out_note(count: int, where: str) -> str:
    """That so many points are not shown, and where they are; empty if none is left out."""
    points = f"{count} operating point{'s' * (count != 1)} under conditions"
    return f"{points} left out: see {where}." if count else ""


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """The same with points under conditions after all points of their model, point by point."""
    if not any(entry.columns.spec.condition for entry in entries):
        return list(entries)
    plain = [(id(entry.rows), entry.columns.spec.without_condition) for entry in entries]
    models = list(dict.fromkeys((run, spec.model) for run, spec in plain))
    points = list(dict.fromkeys((run, spec.name) for run, spec in plain))
    places = []
    for entry, (run, spec) in zip(entries, plain, strict=True):
        point = 1 + points.index((run, spec.name)) if entry.columns.spec.condition else 0
        places.append((models.index((run, spec.model)), point))
    return [entries[i] for i in sorted(range(len(entries)), key=places.__getitem__)]


def condition_notes(runs: Sequence[RunRows]) -> Iterator[str]:
    """Each series of conditions in words, with what it came to on average; then what rates are."""
    of: dict[str, dict[str, list[CodecColumns]]] = {}  # by series and strength
    for codec in (codec for rows in runs for codec in rows.codecs if codec.spec.condition):
        series, _, strength = codec.spec.condition.rpartition("@")
        of.setdefault(series, {}).setdefault(strength, []).append(codec)
    for series, strengths in of.items():
        first = condition_named(f"{series}@{next(iter(strengths))}")
        specs = [codec.spec for codecs in strengths.values() for codec in codecs]
        kind, options = WORDS["kinds"][first.kind], (o.partition("=") for o in first.options)
        given = {option: unquote(value) for option, _, value in options}
        told = [WORDS["options"][option].format(value) for option, value in given.items()]
        unless = kind.get("unless", {}).items()
        told += [words for keys, words in unless if given.keys().isdisjoint(keys.split())]
        packets = f"; {of_packets(first, specs)}" if first.kind == "loss" else ""
        came_to = list(map(_realised, strengths.values()))
        mean = f"; realised, on average over clips: {', '.join(came_to)} {first.unit}".rstrip()
        mean *= any(text != _NOWHERE for text in came_to) and first.kind != "cascade"
        words = ", ".join([kind["words"], *filter(None, told)])
        yield f"{series}@{', '.join(strengths)}: {words}{packets}{mean}."
    if of:
        yield (
            "Points under conditions are not ranked and take no clips from others; rates are as "
            "sent, speed and cost those of the point without condition."
        )


def _realised(codecs: Sequence[CodecColumns]) -> str:
    """The mean over clips of what a condition came to, of several codecs from least to most."""
    cells = [codec.coded["realised"][codec.ok(ALL_DOMAINS)] for codec in codecs]
    known = [of[np.isfinite(of)] for of in cells if np.isfinite(of).any()]
    means = [math.fsum(of) / len(of) for of in known]  # in any order of the clips
    ends = (f"{end:.3g}" for end in (min(means), max(means))) if means else ()
    return " to ".join(dict.fromkeys(ends)) or _NOWHERE


def of_packets(condition: Condition, specs: Sequence[CodecSpec]) -> str:
    """How long the packets of models are, who conceals those lost, and how.

    ``packets of 20 ms (opus), 80 ms (mimi); concealment: opus by itself (PLC); others: silence``.
    """
    models: dict[str, dict[str, None]] = {}  # by length
    for length_s, spec in sorted(((packet_s(s, condition), s) for s in specs), key=itemgetter(0)):
        length = f"{round(length_s * MS_PER_S, 1):g} ms"
        models.setdefault(length, {})[spec.without_condition.model] = None
    told = (ms + f" ({', '.join(of)})" * (len(models) > 1) for ms, of in models.items())
    zero = condition.option("zero") is not None
    how = {s.without_condition.model: "" if zero else s.concealment for s in specs}
    own = [f"{model} by itself ({of})" for model, of in how.items() if of not in ("", SILENCE)]
    rest = [f"others: {SILENCE}" if own else SILENCE] * (len(own) < len(how))
    concealed = "; ".join([*own, *rest])
    if condition.option("repeat") is not None:
        concealed = "the codes received before, once more"
    return f"packets of {', '.join(told)}; concealment: {concealed}"
