"""Runs as plots read them: what several plots need is computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from snacbench.errors import UserError, did_you_mean
from snacbench.stats.clusters import labels_of, score_table
from snacbench.stats.intervals import Interval, mean_intervals
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.tables.ladder import Ladder, ladder_of
from snacbench.tables.records import RANGES, record_of
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows, clusters_of, scores_of
from snacbench.tables.side_by_side import Together, coded_together, entries_of, scored_together
from snacbench.types import CodecSpec, MetricSpec

Scores = dict[str, dict[str, float]]


class PlotData:
    """One or more runs side by side.

    Parameters
    ----------
    codecs : sequence of str
        Names of operating points, models or families to draw; none: all.
    labels : mapping
        Name of an operating point or model -> what it is called on figures.

    Attributes
    ----------
    runs : tuple of RunRows
        A codec that several runs hold is in the first of them only.
    repeated : tuple of str
        Codecs that were left out of later runs.
    codecs : dict from name to CodecColumns, in the runs' order
    clusters : dict from clip to speaker or track

    Raises
    ------
    UserError
        If no run has a codec that `codecs` or `labels` name.
    """

    def __init__(
        self,
        runs: Sequence[RunRows],
        *,
        codecs: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.labels = dict(labels or {})
        specs = [codec.spec for rows in runs for codec in rows.codecs]
        names = dict.fromkeys(n for s in specs for n in (s.name, s.model, s.family))
        for name in (*codecs, *self.labels):
            if name not in names:
                raise UserError(f"no run has a codec {name!r}; {did_you_mean(name, names)}")
        wanted = {s.name for s in specs if {s.name, s.model, s.family} & set(codecs) or not codecs}
        self.codecs: dict[str, CodecColumns] = {}
        repeated: dict[str, None] = {}
        kept = []
        for rows in runs:  # rates and timings of one run must not meet another's scores
            chosen = {c.spec.name: c for c in rows.codecs if c.spec.name in wanted}
            repeated |= dict.fromkeys(name for name in chosen if name in self.codecs)
            fresh = {name: c for name, c in chosen.items() if name not in self.codecs}
            self.codecs |= fresh
            kept.append(replace(rows, codecs=tuple(fresh.values())))
        self.runs, self.repeated = tuple(kept), tuple(repeated)
        self.clusters = clusters_of(self.runs)
        self._entries = entries_of(self.runs)
        self._known: dict[tuple[str, ...], Any] = {}

    @property
    def specs(self) -> list[CodecSpec]:
        """The operating points, in the runs' order."""
        return [codec.spec for codec in self.codecs.values()]

    @property
    def metrics(self) -> list[str]:
        """Metrics that any run has, in order."""
        return list(dict.fromkeys(name for rows in self.runs for name in rows.metrics))

    @property
    def domains(self) -> list[str]:
        """Domains of any run's clips, without ``all``."""
        named = (d for rows in self.runs for d in rows.domains if d != ALL_DOMAINS)
        return list(dict.fromkeys(named))

    def metric(self, name: str) -> MetricSpec | None:
        """What is declared of a metric; None if the runs do not say."""
        return next((m for rows in self.runs for m in rows.run.metrics if m.name == name), None)

    def scores(self, metric: str, domain: str) -> Scores:
        """Codec -> clip -> value, of the clips that all codecs have."""
        return self._together(metric, domain)[0]

    def lost(self, metric: str, domain: str) -> str:
        """Which codecs lack clips that others have, for a caption; empty where none does."""
        return self._together(metric, domain)[1].words("means").removesuffix(".")

    def _together(self, metric: str, domain: str) -> tuple[Scores, Together]:
        found: tuple[Scores, Together] = self._once(
            ("scores", metric, domain), lambda: scored_together(self._entries, metric, domain)
        )
        return found

    def intervals(self, metric: str, domain: str) -> dict[str, Interval]:
        """Mean with its 95 % interval, for codecs that have a value."""

        def make() -> dict[str, Interval]:
            scores = self.scores(metric, domain)
            clips, table = score_table(scores)
            means = mean_intervals(table, labels_of(clips, self.clusters)) if clips else []
            return {name: m for name, m in zip(scores, means, strict=True) if m is not None}

        found: dict[str, Interval] = self._once(("intervals", metric, domain), make)
        return found

    def differences(self, metric: str, domain: str, baseline: str) -> list[PairedDifference]:
        """Every other codec with a value minus the baseline, Holm's correction over these."""
        found = scores_of(self.runs, metric, domain)
        scores = {name: values for name, values in found.items() if values}
        if baseline not in scores:
            return []
        pairs = [(name, baseline) for name in scores if name != baseline]
        return paired_differences(scores, pairs, self.clusters) if pairs else []

    def fact(self, codec: str, domain: str, column: str) -> float | None:
        """A figure of the summary table, such as ``actual_kbps``; None where it has none."""

        def make() -> Mapping[str, Any]:
            (entry,) = (e for e in self._entries if e.label == codec)
            clips = coded_together(self._entries, domain).clips.get(codec, ())
            return record_of(entry, domain, clips)

        value = self._once(("facts", codec, domain), make).get(column)
        return None if value is None or math.isnan(value) else float(value)

    def rate(self, codec: str, domain: str, rate: str) -> tuple[float, float, float] | None:
        """A rate in kbps and the ends of its range; None: not known.

        Where there are too few tokens for more than a range, its middle on a logarithmic scale.
        """
        ends = [self.fact(codec, domain, end) for end in RANGES.get(f"{rate}_kbps", ())]
        known = [end for end in ends if end is not None]
        if len(known) == 2:
            return math.sqrt(known[0] * known[1]), known[0], known[1]
        found = self.fact(codec, domain, f"{rate}_kbps")
        return (found, found, found) if found else None

    def ladder(self, codec: str, domain: str) -> Ladder:
        """All rates of a codec, with the intervals of its entropy."""
        column = self.codecs[codec]
        (rows,) = (rows for rows in self.runs if column in rows.codecs)
        found: Ladder = self._once(
            ("ladder", codec, domain), lambda: ladder_of(rows, column, domain)
        )
        return found

    def _once(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
