"""A run as tables, plots and reports see it: clips, codecs, scores, and nothing that computes.

Statistics take scores by clip (`scores_of`) and what clips share (`clusters_of`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snacbench.rows import (
    Agreement,
    Coded,
    CodedBytes,
    CodeHistogram,
    Delay,
    Run,
    Speed,
    SpotCheck,
)
from snacbench.store.folder import RunFolder
from snacbench.tables.columns import ALL_DOMAINS, Cells, CodecColumns
from snacbench.tables.reading import read_scores
from snacbench.tables.units import unit_of, units_of
from snacbench.types import DOMAINS, Clip, Domain


@dataclass(frozen=True)
class ClipFacts:
    """What statistics and captions need of a clip.

    `cluster` is its speaker or track, `rate_hz` that of its file, None where it is not known.
    """

    id: str
    domain: Domain
    cluster: str | None = None
    rate_hz: int | None = None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hundreds of thousands of rows refer to nothing: no use to look for cycles among them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class RunRows:
    """A run as columns of numbers, one set of them per codec, and its few other rows.

    `clips` are in the order of the columns' cells; `name` is that of the run's folder.
    """

    run: Run
    codecs: tuple[CodecColumns, ...]
    clips: tuple[ClipFacts, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    name: str = ""
    spot_checks: tuple[SpotCheck, ...] = ()

    @classmethod
    @_uncollected()
    def load(cls, folder: RunFolder, *, histograms: bool = True) -> RunRows:
        """Read a run; where a row was written twice, the last one counts.

        Without `histograms`, which are most of the bytes of a run, there is no entropy, nor what
        entropy coders wrote.
        """
        run = folder.run
        columns = {spec.name: CodecColumns(spec) for spec in run.codecs}
        numbers: dict[str, int] = {}
        facts = {c.id: ClipFacts(c.id, c.domain, c.cluster, c.rate_hz) for c in folder.read(Clip)}
        units = units_of(facts.values())
        for coded in folder.read(Coded):
            if coded.clip not in facts:
                facts[coded.clip] = ClipFacts(coded.clip, coded.domain)
            number = numbers.setdefault(coded.clip, len(numbers))
            columns[coded.codec].take_coded(number, coded, unit_of(units, coded.clip, number))
        for delay in folder.read(Delay):
            columns[delay.codec].take_delay(numbers.setdefault(delay.clip, len(numbers)), delay)
        for codec, metric, scores in read_scores(folder, numbers):
            columns[codec].take_scores(metric, scores)
        for place, row in folder.read_placed(CodeHistogram) if histograms else ():
            if row.clip in numbers:
                columns[row.codec].take_histogram(numbers[row.clip], row, place, folder)
        for written in folder.read(CodedBytes) if histograms else ():
            if written.clip in numbers and written.codec in columns:
                columns[written.codec].take_written(numbers[written.clip], written)
        for speed in folder.read(Speed):
            columns[speed.codec].speed = speed
        clips = tuple(facts.get(clip, ClipFacts(clip, "unknown")) for clip in numbers)
        return cls(
            run,
            tuple(columns.values()),
            clips,
            agreements=tuple(folder.read(Agreement)),
            name=folder.path.resolve().name,
            spot_checks=tuple(folder.read(SpotCheck)),
        )

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the clips, in the order of the columns' cells."""
        return [clip.id for clip in self.clips]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {clip: number for number, clip in enumerate(self.ids)}

    def numbers_of(self, clips: Iterable[str]) -> list[int]:
        """Numbers of some clips in the columns' cells; those that the run lacks are left out."""
        return sorted(self._numbers[clip] for clip in clips if clip in self._numbers)

    @property
    def metrics(self) -> list[str]:
        """Metrics that were scored, those the run was planned with first."""
        planned = [metric.name for metric in self.run.metrics]
        scored = {metric for codec in self.codecs for metric in codec.scores}
        return [m for m in planned if m in scored] + sorted(scored - set(planned))

    @property
    def domains(self) -> list[str]:
        """Domains of the clips, in a fixed order, then all of them together."""
        present = [d for d in DOMAINS if any(len(codec.tried(d)) for codec in self.codecs)]
        return [*present, ALL_DOMAINS]


def scores_of(runs: Sequence[RunRows], metric: str, domain: str) -> dict[str, dict[str, float]]:
    """The ``ok`` scores of a metric in a domain: codec -> clip id -> value.

    A clip without a score is absent, which is how `snacbench.stats` knows that it was lost.
    """
    found: dict[str, dict[str, float]] = {}
    for rows in runs:
        for codec in rows.codecs:
            cells = codec.scores.get(metric)
            if cells is None:
                continue
            clips = codec.ok(domain)
            clips = clips[clips < len(cells)]
            clips = clips[cells["ok"][clips]]
            ids = map(rows.ids.__getitem__, clips.tolist())
            values = zip(ids, cells["value"][clips].tolist(), strict=True)
            found.setdefault(codec.spec.name, {}).update(values)
    return found


def clusters_of(runs: Sequence[RunRows]) -> dict[str, str | None]:
    """Speaker or track of every clip, None where it is not known."""
    return {clip.id: clip.cluster for rows in runs for clip in rows.clips}


def actual_kbps_of(codec: CodecColumns, domain: str) -> float | None:
    """Actual rate in kbps (1000 bit/s) over a domain's coded clips; None if nothing was weighed."""
    return kbps_of(codec.coded[codec.ok(domain)])


def kbps_of(coded: Cells) -> float | None:
    """Actual rate in kbps (1000 bit/s) over some coded clips; None if nothing was weighed."""
    duration_s, bits = float(np.sum(coded["duration_s"])), float(np.sum(coded["bits"]))
    return bits / duration_s / 1000 if duration_s and not np.isnan(bits) else None
