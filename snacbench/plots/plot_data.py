"""Runs as plots read them, and what can be chosen of a plot: what several need is computed once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, get_args

from snacbench.errors import UserError, did_you_mean
from snacbench.stats.intervals import Interval
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.tables import side_by_side
from snacbench.tables.ladder import Ladder, ladder_of
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, Grouping, RunRows, clusters_of
from snacbench.tables.side_by_side import Block, Entry, Span
from snacbench.types import CodecSpec, MetricSpec

GroupedBy = Literal["domain", Grouping]
Rate = Literal["actual", "nominal", "entropy"]
Width = Literal["single", "double"]


@dataclass(frozen=True)
class Options:
    """What can be chosen about a plot; each plot reads what it has a use for.

    The domain ``all`` has the clips of every one; where clips are grouped `by` something else, it
    names a group. The width is one column of a paper (3.5 in) or two (7 in). Without a `baseline`
    it is the first codec of the run that is no anchor. The `caption` is the small text below.
    """

    metric: str = ""
    rate: Rate = "actual"
    domain: str = "all"
    by: GroupedBy = "domain"
    width: Width = "single"
    baseline: str = ""
    title: str = ""
    caption: bool = True

    def __post_init__(self) -> None:
        for found, kind in ((self.rate, Rate), (self.width, Width), (self.by, GroupedBy)):
            if found not in get_args(kind):
                raise UserError(f"{found!r} is none of: {', '.join(get_args(kind))}")


def point_span(value: float | None, factor: float = 1.0) -> Span | None:
    """A figure that is known, without a range; None where it is not, or 0."""
    return Span(*(factor * value,) * 3) if value else None


def _asked(spec: CodecSpec, codecs: Sequence[str], *, conditions: bool) -> bool:
    """Whether a point is one of those that are named, or that are meant where none is."""
    names, plain = {spec.name, spec.model}, spec.without_condition
    names |= {spec.family, plain.name, plain.model} if conditions or plain is spec else set()
    return not names.isdisjoint(codecs) if codecs else conditions or plain is spec


class PlotData:
    """One or more runs side by side, without points under `conditions` unless `codecs` name them.

    `codecs` are operating points, models or families to draw, none: all; `labels` say what one is
    called on figures. UserError if no run has a codec that they name. A codec that several runs
    hold is in the first of them only, and `repeated`; `set_aside` counts the points under
    conditions that are left out. `ladder` gives, of a codec and a domain, all rates, with the
    intervals of its entropy. Where clips are grouped `by` language, speaker, gender
    or corpus, these groups take the place of domains.
    """

    def __init__(
        self,
        runs: Sequence[RunRows],
        *,
        codecs: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        by: GroupedBy = "domain",
        conditions: bool = False,
    ) -> None:
        self.labels, self.by, self._all = dict(labels or {}), by, (runs, codecs)
        specs = [codec.spec for rows in runs for codec in rows.codecs]
        names = dict.fromkeys(n for s in specs for n in (s.name, s.model, s.family))
        for name in (*codecs, *self.labels):
            if name not in names:
                raise UserError(f"no run has a codec {name!r}; {did_you_mean(name, names)}")
        every = {s.name: s for s in specs if _asked(s, codecs, conditions=True)}
        wanted = {s.name for s in specs if _asked(s, codecs, conditions=conditions)} or {*every}
        if conditions:  # each line begins without
            wanted |= {every[name].without_condition.name for name in wanted}
        self.set_aside = len(every.keys() - wanted)
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
        self._among, self._block = cache(self._entries_among), cache(self._block_of)
        self._record, self.ladder = cache(self._record_of), cache(self._ladder_of)

    @cached_property
    def with_conditions(self) -> "PlotData":
        """The same with every point under conditions, and the one without that it belongs to."""
        runs, codecs = self._all
        return PlotData(runs, codecs=codecs, labels=self.labels, by=self.by, conditions=True)

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
        """Domains, or groups, of any run's clips, without ``all``."""
        if self.by != "domain":
            return side_by_side.groups_of(self.runs, self.by)
        named = (d for rows in self.runs for d in rows.domains if d != ALL_DOMAINS)
        return list(dict.fromkeys(named))

    def called(self, domain: str) -> str:
        """A domain or group in words: ``speech``, ``language en``, ``all domains``."""
        if domain == ALL_DOMAINS and len(self.domains) != 1:
            return "all domains" if self.by == "domain" else "all clips"
        name = self.domains[0] if domain == ALL_DOMAINS else domain
        return name if self.by == "domain" else f"{self.by} {name}"

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
        entries, domain = self._among(domain)
        scores = {e.label: values for e in entries if (values := e.scores(metric, domain))}
        pairs = [(name, baseline) for name in scores if name != baseline]
        known = baseline in scores
        return paired_differences(scores, pairs, clusters_of(self.runs)) if known else []

    def _entries_among(self, domain: str) -> tuple[list[Entry], str]:
        """Codecs on the clips of a domain; of a group, on these alone, whatever their domain."""
        entries = side_by_side.entries_of(self.runs)
        if self.by == "domain" or domain == ALL_DOMAINS:
            return entries, domain
        return [entry.within(self.by, domain) for entry in entries], ALL_DOMAINS

    def _block_of(self, metric: str, domain: str) -> Block:
        entries, domain = self._among(domain)
        return side_by_side.block_of(entries, [metric], domain, ci=True)

    def _record_of(self, codec: str, domain: str) -> dict[str, Any]:
        entries, domain = self._among(domain)
        clips = side_by_side.coded_together(entries, domain).clips.get(codec, ())
        return next(e for e in entries if e.label == codec).record(domain, clips)

    def figure(self, codec: str, domain: str, key: str) -> Any:
        """One of the figures of `Entry.record`; None: not known."""
        return self._record(codec, domain).get(key)

    def rate(self, codec: str, domain: str, rate: str) -> Span | None:
        """A rate in kbps with the ends of its range; None: not known.

        Where there are too few tokens for more than a range, its middle on a logarithmic scale.
        """
        found = self.figure(codec, domain, f"{rate}_kbps")
        if isinstance(found, Span):  # codes that never change may take nothing: no place on a log
            middle = math.sqrt(found.low * found.high)
            return found._replace(value=middle) if middle else None
        return point_span(found)

    def _ladder_of(self, codec: str, domain: str) -> Ladder:
        entries, domain = self._among(domain)
        return ladder_of(next(e for e in entries if e.label == codec), domain)
