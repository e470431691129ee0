"""The codecs of one or several runs, each under a name that no other has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.options import By
from snacbench.tables.run import RunRows
from snacbench.types import DOMAINS, MetricSpec


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

    def undefined(self, metric: str, domain: str) -> int:
        """Clips of a domain on which the metric has no value."""
        cells = self.columns.scores.get(metric)
        if cells is None:
            return 0
        clips = self.columns.ok(domain)
        return int(cells["undefined"][clips[clips < len(cells)]].sum())


def entries_of(runs: Sequence[RunRows]) -> list[Entry]:
    """All codecs of all runs, in their order."""
    names = Counter(codec.spec.name for rows in runs for codec in rows.codecs)
    taken: Counter[str] = Counter()
    entries = []
    for rows in runs:
        for codec in rows.codecs:
            name = codec.spec.name
            label = name if names[name] == 1 else f"{name} ({rows.run.id})"
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
