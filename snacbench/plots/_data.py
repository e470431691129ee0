"""Runs as plots read them: what several plots need is computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snacbench.errors import UserError, did_you_mean
from snacbench.stats.clusters import labels_of
from snacbench.stats.intervals import Interval, mean_intervals
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.stats.scores import score_table
from snacbench.tables.ladder import Ladder, ladder_of
from snacbench.tables.records import record_of
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows, clusters_of, scores_of
from snacbench.tables.side_by_side import coded_together, entries_of, scored_together
from snacbench.types import CodecSpec, MetricSpec


class PlotData:
    """One or more runs side by side.

    Attributes
    ----------
    runs : tuple of RunRows
        A codec that several runs hold is in the first of them only.
    repeated : tuple of str
        Codecs that were left out of later runs.
    codecs : dict from name to CodecColumns, in the runs' order
    clusters : dict from clip to speaker or track
    """

    def __init__(self, runs: Sequence[RunRows]) -> None:
        self.runs, self.repeated = _each_codec_once(runs)
        self.codecs: dict[str, CodecColumns] = {
            codec.spec.name: codec for rows in self.runs for codec in rows.codecs
        }
        self.clusters = clusters_of(self.runs)
        self._entries = entries_of(self.runs)
        self._scores: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
        self._intervals: dict[tuple[str, str], dict[str, Interval]] = {}
        self._facts: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._ladders: dict[tuple[str, str], Ladder] = {}

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

    def check_metric(self, name: str) -> str:
        """The name, if any run was scored with that metric.

        Raises
        ------
        UserError
            If none was.
        """
        if not self.metrics:
            raise UserError("the run has no scores; add some with 'snacbench score RUN'")
        if name not in self.metrics:
            raise UserError(
                f"the run was not scored with {name!r}; {did_you_mean(name, self.metrics)}"
            )
        return name

    def check_domain(self, name: str) -> str:
        """The name, if any run has clips of that domain.

        Raises
        ------
        UserError
            If none has.
        """
        known = [*self.domains, ALL_DOMAINS]
        if name not in known:
            raise UserError(f"the run has no clips of {name!r}; there are: {', '.join(known)}")
        return name

    def check_codec(self, name: str) -> str:
        """The name, if any run has that codec.

        Raises
        ------
        UserError
            If none has.
        """
        if name not in self.codecs:
            raise UserError(f"the run has no codec {name!r}; {did_you_mean(name, self.codecs)}")
        return name

    def metric(self, name: str) -> MetricSpec | None:
        """What is declared of a metric; None if the runs do not say."""
        return next((m for rows in self.runs for m in rows.run.metrics if m.name == name), None)

    def scores(self, metric: str, domain: str) -> dict[str, dict[str, float]]:
        """Codec -> clip -> value, of the clips that all codecs have."""
        key = (metric, domain)
        if key not in self._scores:
            self._scores[key] = scored_together(self._entries, metric, domain)[0]
        return self._scores[key]

    def lost(self, metric: str, domain: str) -> str:
        """Which codecs lack clips that others have, for a caption; empty where none does."""
        found = scored_together(self._entries, metric, domain)[1]
        return found.words("means").removesuffix(".")

    def intervals(self, metric: str, domain: str) -> dict[str, Interval]:
        """Mean with its 95 % interval, for codecs that have a value."""
        key = (metric, domain)
        if key not in self._intervals:
            scores = self.scores(metric, domain)
            clips, table = score_table(scores)
            means = mean_intervals(table, labels_of(clips, self.clusters)) if clips else []
            pairs = zip(scores, means, strict=True)
            self._intervals[key] = {name: mean for name, mean in pairs if mean is not None}
        return self._intervals[key]

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
        key = (codec, domain)
        if key not in self._facts:
            (entry,) = (e for e in self._entries if e.label == codec)
            clips = coded_together(self._entries, domain).clips.get(codec, ())
            self._facts[key] = record_of(entry, domain, clips)
        value = self._facts[key].get(column)
        return None if value is None or math.isnan(value) else float(value)

    def ladder(self, codec: str, domain: str) -> Ladder:
        """All rates of a codec, with the intervals of its entropy."""
        key = (codec, domain)
        if key not in self._ladders:
            column = self.codecs[codec]
            (rows,) = (rows for rows in self.runs if column in rows.codecs)
            self._ladders[key] = ladder_of(rows, column, domain)
        return self._ladders[key]


def _each_codec_once(runs: Sequence[RunRows]) -> tuple[tuple[RunRows, ...], tuple[str, ...]]:
    """Runs without the codecs that an earlier run has, and those codecs' names.

    Rates and timings of one run must not meet another's scores.
    """
    seen: set[str] = set()
    kept, repeated = [], []
    for rows in runs:
        fresh = tuple(codec for codec in rows.codecs if codec.spec.name not in seen)
        repeated += [codec.spec.name for codec in rows.codecs if codec.spec.name in seen]
        seen.update(codec.spec.name for codec in fresh)
        kept.append(replace(rows, codecs=fresh))
    return tuple(kept), tuple(dict.fromkeys(repeated))
