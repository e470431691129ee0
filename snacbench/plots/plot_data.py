"""Runs as plots read them: what several plots need is computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from snacbench.errors import UserError, did_you_mean
from snacbench.stats.intervals import Interval
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.tables.ladder import Ladder, ladder_of
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows, clusters_of, scores_of
from snacbench.tables.side_by_side import Block, Span, block_of, coded_together, entries_of
from snacbench.types import CodecSpec, MetricSpec


class PlotData:
    """One or more runs side by side.

    `codecs` are operating points, models or families to draw, none: all; `labels` say what one is
    called on figures. UserError if no run has a codec that they name. A codec that several runs
    hold is in the first of them only, and `repeated`. `ladder` gives, of a codec and a domain, all
    rates, with the intervals of its entropy.
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
            kept.append(rows.only(fresh))
        self.runs, self.repeated = tuple(kept), tuple(repeated)
        self.clusters = clusters_of(self.runs)
        self._entries = {entry.label: entry for entry in entries_of(self.runs)}
        self._block = cache(self._block_of)
        self._record, self.ladder = cache(self._record_of), cache(self._ladder_of)

    @property
    def specs(self) -> list[CodecSpec]:
        """The operating points, in the runs' order."""
        return [codec.spec for codec in self.codecs.values()]

    @property
    def metrics(self) -> list[str]:
        """Metrics that any run has, in order, those of sets of clips last."""
        every = (name for rows in self.runs for name in (*rows.clip_metrics, *rows.metrics))
        return list(dict.fromkeys(every))

    @property
    def domains(self) -> list[str]:
        """Domains of any run's clips, without ``all``."""
        named = (d for rows in self.runs for d in rows.domains if d != ALL_DOMAINS)
        return list(dict.fromkeys(named))

    def metric(self, name: str) -> MetricSpec | None:
        """What is declared of a metric; None if the runs do not say."""
        return next((m for rows in self.runs for m in rows.run.metrics if m.name == name), None)

    def scores(self, metric: str, domain: str) -> dict[str, dict[str, float]]:
        """Codec -> clip -> value, of the clips that all codecs have."""
        return self._block(metric, domain).scores[metric]

    def lost(self, metric: str, domain: str) -> str:
        """Which codecs lack clips that others have, for a caption; empty where none does."""
        return self._block(metric, domain).together[metric].words("means").removesuffix(".")

    def intervals(self, metric: str, domain: str) -> dict[str, Interval]:
        """Codec -> mean over the clips that all have, with its 95 % interval."""
        cells = self._block(metric, domain).cells
        return {name: cell.interval for (name, _), cell in cells.items() if cell.interval}

    def differences(self, metric: str, domain: str, baseline: str) -> list[PairedDifference]:
        """Every other codec with a value minus the baseline, Holm's correction over these."""
        found = scores_of(self.runs, metric, domain)
        scores = {name: values for name, values in found.items() if values}
        pairs = [(name, baseline) for name in scores if name != baseline]
        return paired_differences(scores, pairs, self.clusters) if baseline in scores else []

    def _block_of(self, metric: str, domain: str) -> Block:
        return block_of(list(self._entries.values()), [metric], domain, ci=True)

    def _record_of(self, codec: str, domain: str) -> dict[str, Any]:
        clips = coded_together(list(self._entries.values()), domain).clips.get(codec, ())
        return self._entries[codec].record(domain, clips)

    def rate(self, codec: str, domain: str, rate: str) -> Span | None:
        """A rate in kbps with the ends of its range; None: not known.

        Where there are too few tokens for more than a range, its middle on a logarithmic scale.
        """
        found = self._record(codec, domain).get(f"{rate}_kbps")
        if isinstance(found, Span):  # codes that never change may take nothing: no place on a log
            middle = math.sqrt(found.low * found.high)
            return found._replace(value=middle) if middle else None
        return Span(found, found, found) if found else None

    def _ladder_of(self, codec: str, domain: str) -> Ladder:
        return ladder_of(self._entries[codec], domain)
