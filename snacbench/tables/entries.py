"""The codecs of one or several runs, each under a name that no other has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.options import By
from snacbench.tables.run import RunRows, kbps_of
from snacbench.types import DOMAINS, MetricSpec


class Lacking(NamedTuple):
    """How many clips lack a score because the metric is undefined, or not meant for them."""

    undefined: int
    skipped: int


@dataclass(frozen=True)
class Entry:
    """A codec of a run: the codec's name, with the run's where several runs have that codec."""

    label: str
    rows: RunRows
    columns: CodecColumns

    @property
    def anchor(self) -> bool:
        """Whether it is a yardstick (low-pass, noise, the signal itself), and no competitor."""
        return self.columns.spec.anchor

    def scores(self, metric: str, domain: str) -> dict[str, float]:
        """Clip id -> value of the ``ok`` scores of a metric in a domain."""
        cells = self.columns.scores.get(metric)
        if cells is None:
            return {}
        clips = self.columns.ok(domain)
        clips = clips[clips < len(cells)]
        clips = clips[cells["ok"][clips]]
        values = cells["value"][clips].tolist()
        ids = map(self.rows.ids.__getitem__, clips.tolist())
        return dict(zip(ids, values, strict=True))

    def coded(self, domain: str) -> list[str]:
        """Ids of the clips of a domain that were coded."""
        return list(map(self.rows.ids.__getitem__, self.columns.ok(domain).tolist()))

    def kbps(self, clips: Collection[str]) -> float | None:
        """Actual rate in kbps (1000 bit/s) over some coded clips; None if they were not weighed."""
        coded = self.columns.coded[self.rows.numbers_of(clips)]
        return kbps_of(coded[coded["ok"]])

    def without(self, metric: str, domain: str) -> Lacking:
        """Clips of a domain on which the metric has no value, by what its rows say."""
        cells = self.columns.scores.get(metric)
        if cells is None:
            return Lacking(0, 0)
        clips = self.columns.ok(domain)
        found = cells[clips[clips < len(cells)]]
        return Lacking(int(found["undefined"].sum()), int(found["skipped"].sum()))


def entries_of(runs: Sequence[RunRows]) -> list[Entry]:
    """All codecs of all runs, in their order.

    A codec that several runs have is named with the run's folder, or its id where folders have one
    name.
    """
    names = Counter(codec.spec.name for rows in runs for codec in rows.codecs)
    folders = Counter(rows.name for rows in runs)
    taken: Counter[str] = Counter()
    entries = []
    for rows in runs:
        for codec in rows.codecs:
            name = codec.spec.name
            of_run = rows.name if rows.name and folders[rows.name] == 1 else rows.run.id
            label = name if names[name] == 1 else f"{name} ({of_run})"
            taken[label] += 1
            label = label if taken[label] == 1 else f"{label} #{taken[label]}"
            entries.append(Entry(label, rows, codec))
    return entries


def domains_of(runs: Sequence[RunRows], by: By) -> list[str]:
    """Domains that get a table; all clips together only where that is another table."""
    present: list[str] = [d for d in DOMAINS if any(d in rows.domains for rows in runs)]
    if by == "all":
        return [ALL_DOMAINS]
    return [*present, ALL_DOMAINS] if by == "both" and len(present) > 1 else present


def metric_specs(runs: Sequence[RunRows]) -> dict[str, MetricSpec]:
    """What is known of the metrics of several runs; the first run that knows one is believed."""
    found: dict[str, MetricSpec] = {}
    for rows in runs:
        for spec in rows.run.metrics:
            found.setdefault(spec.name, spec)
    return found
