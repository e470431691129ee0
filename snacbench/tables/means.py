"""The cells of metrics: means, intervals, and what a reader must know of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snacbench.stats.clusters import score_table
from snacbench.stats.intervals import Interval, mean_intervals
from snacbench.tables.entries import Entry
from snacbench.tables.run import clusters_of
from snacbench.tables.table import Cell
from snacbench.tables.together import Together, coded_together, scored_together

CellKey = tuple[str, str]
"""Label of an entry, name of a metric."""


@dataclass(frozen=True)
class Block:
    """The scores of some codecs and metrics in one domain, and the cells they become.

    Attributes
    ----------
    scores : mapping of str to mapping of str to mapping of str to float
        Metric -> label -> clip -> value, of the clips that means rest on (`together`); labels
        without any are not in it.
    together : mapping of str to Together
        Metric -> which clips these are.
    coded : Together
        The clips that rates rest on.
    clusters : mapping of str to str or None
        Clip -> speaker or track.
    """

    domain: str
    entries: Sequence[Entry]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    together: Mapping[str, Together]
    coded: Together
    clusters: Mapping[str, str | None]
    cells: Mapping[CellKey, Cell]


def block_of(entries: Sequence[Entry], metrics: Sequence[str], domain: str, *, ci: bool) -> Block:
    """Means of metrics over the clips of a domain that all codecs have.

    Parameters
    ----------
    ci : bool
        Also 95 % intervals, all of them from one resampling of the clusters.
    """
    scores: dict[str, dict[str, dict[str, float]]] = {}
    found: dict[str, Together] = {}
    for metric in metrics:
        scores[metric], found[metric] = scored_together(entries, metric, domain)
    clusters = clusters_of(list({id(e.rows): e.rows for e in entries}.values()))
    intervals = _intervals(scores, clusters) if ci else {}
    cells = {
        (entry.label, metric): replace(
            _cell(entry, metric, domain, scores[metric]),
            interval=intervals.get((entry.label, metric)),
        )
        for entry in entries
        for metric in metrics
        if metric in entry.columns.scores
    }
    coded = coded_together(entries, domain)
    return Block(domain, entries, scores, found, coded, clusters, cells)


def _intervals(
    scores: Mapping[str, Mapping[str, Mapping[str, float]]], clusters: Mapping[str, str | None]
) -> dict[CellKey, Interval]:
    keys = [(label, metric) for metric, by_label in scores.items() for label in by_label]
    if not keys:
        return {}
    columns = {f"{i}": scores[metric][label] for i, (label, metric) in enumerate(keys)}
    clips, table = score_table(columns)
    found = mean_intervals(table, [clusters.get(clip) for clip in clips])
    return {key: interval for key, interval in zip(keys, found, strict=True) if interval}


def _cell(
    entry: Entry, metric: str, domain: str, scores: Mapping[str, Mapping[str, float]]
) -> Cell:
    values = scores.get(entry.label, {})
    n, tried = len(values), len(entry.columns.tried(domain))
    return Cell(
        value=math.fsum(values.values()) / n if n else None,
        n=n,
        notes=(_missing(entry, metric, domain, n),) if n < tried else (),
    )


def _missing(entry: Entry, metric: str, domain: str, n: int) -> str:
    """Why a mean rests on fewer clips than were tried."""
    tried, ok = len(entry.columns.tried(domain)), len(entry.columns.ok(domain))
    having = len(entry.scores(metric, domain))
    undefined, skipped = entry.without(metric, domain)
    reasons = [
        (tried - ok, "not coded"),
        (undefined, "undefined"),
        (skipped, "not meant for the metric"),
        (ok - having - undefined - skipped, "without a score"),
        (having - n, "not used, as another codec lacks them" if n else "too few for a mean"),
    ]
    listed = ", ".join(f"{count} {reason}" for count, reason in reasons if count)
    return f"n = {n} of {tried} clips ({listed})"
