"""Order-0 entropy of a codec's codes with intervals: every estimate anew without each unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, HeldOut, corrected_entropy_bits, held_out_order0
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import Interval, jackknife_interval
from snacbench.tables.columns import CodecColumns
from snacbench.tables.run import RunRows
from snacbench.tables.units import few_clusters
from snacbench.types import DOMAINS
from snacbench.units import bits_per_code, kbps

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Book:
    """One codebook: its entropy with an interval in bits per token, and its held-out code length.

    `interval` is empty-handed (no ends) where there is a single unit.
    """

    entropy: CodebookEntropy
    interval: Interval
    held_out: HeldOut | None


def entropies_of(
    rows: RunRows, codec: CodecColumns, domain: str
) -> tuple[Interval, Interval, tuple[Book, ...]]:
    """Rate in kbps (1000 bit/s), efficiency and every codebook's entropy with their intervals.

    For codecs whose codes were counted, see `CodecColumns.counted`.
    """
    books, whole = codec.entropies(domain), _Sample.of(codec, domain)
    facts = _Facts.of(rows, codec, domain)
    left = _without_each(whole.counts)
    estimates = np.array([book.corrected_bits for book in books])
    tops = np.log2([book.codebook_size for book in books])
    rate, share = (
        facts.interval(
            float(statistic(estimates, None)),
            np.array([statistic(bits, unit) for unit, bits in enumerate(left)]),
            whole.seconds,
            most=float(statistic(tops, None)),
        )
        for statistic in (whole.kbps, whole.efficiency)
    )
    found = tuple(
        Book(book, facts.interval(bits, left[:, i], whole.seconds, most=top), held_out)
        for i, (book, bits, top, held_out) in enumerate(
            zip(books, estimates.tolist(), tops.tolist(), whole.held_out(), strict=True)
        )
    )
    return rate, share, found


@dataclass(frozen=True, eq=False)
class _Sample:
    """What a codec sent, by unit.

    Attributes
    ----------
    counts : tuple of array, shape (units, codebook_size)
        One per stream.
    seconds, side_bits : array, shape (units,)
    frame_rates_hz, packed_bits : array, shape (streams,)
    odd : array of bool, shape (units,)
        The half that a unit belongs to.
    """

    counts: tuple[NDArray[np.int64], ...]
    seconds: Floats
    side_bits: Floats
    frame_rates_hz: Floats
    packed_bits: Floats
    odd: NDArray[np.bool_]

    @classmethod
    def of(cls, codec: CodecColumns, domain: str) -> _Sample:
        units = codec.counts.units(domain)
        places = {unit: i for i, unit in enumerate(units)}
        coded = codec.coded[codec.ok(domain)]
        pairs = zip(coded["domain"].tolist(), coded["unit"].tolist(), strict=True)
        index = [places[pair] for pair in pairs]
        streams = codec.spec.streams
        return cls(
            counts=tuple(codec.counts.by_unit(domain)),
            seconds=_sums(index, coded["duration_s"], len(units)),
            side_bits=_sums(index, coded["side_info_bits"], len(units)),
            frame_rates_hz=np.array([float(stream.frame_rate_hz) for stream in streams]),
            packed_bits=np.array([bits_per_code(stream.codebook_size) for stream in streams]),
            odd=np.array([unit % 2 == 1 for _, unit in units]),
        )

    def kbps(self, bits: Floats, without: int | None) -> float:
        """Rate at some bits per token of each stream, maybe without a unit."""
        kept = np.arange(len(self.seconds)) != (-1 if without is None else without)
        tokens = np.array([of_stream[kept].sum() for of_stream in self.counts])
        return kbps(float(bits @ tokens + self.side_bits[kept].sum()), self.seconds[kept].sum())

    def efficiency(self, bits: Floats, without: int | None) -> float:
        """Share of the packed bits, streams weighted by their frame rates."""
        del without  # how long a unit is does not matter
        return float(bits @ self.frame_rates_hz / (self.packed_bits @ self.frame_rates_hz))

    def held_out(self) -> list[HeldOut | None]:
        """Of every stream, each half coded by the table of the other."""
        return [
            held_out_order0([of_stream[half] for half in (self.odd, ~self.odd)])
            for of_stream in self.counts
        ]


@dataclass(frozen=True)
class _Facts:
    """What intervals say of the clips that they rest on."""

    n: int
    clusters: int
    independence_assumed: bool
    these_clusters_only: bool

    @classmethod
    def of(cls, rows: RunRows, codec: CodecColumns, domain: str) -> _Facts:
        chosen = [rows.clips[clip] for clip in codec.ok(domain).tolist()]
        clustering = cluster_clips([clip.cluster for clip in chosen], clips=len(chosen))
        by_domain = [[c.cluster for c in chosen if c.domain == one] for one in DOMAINS]
        return cls(
            n=len(chosen),
            clusters=clustering.count,
            independence_assumed=clustering.independence_assumed,
            these_clusters_only=any(few_clusters(labels) for labels in by_domain),
        )

    def interval(self, estimate: float, left: Floats, weights: Floats, *, most: float) -> Interval:
        return jackknife_interval(
            estimate,
            left,
            weights[: len(left)],
            n=self.n,
            clusters=self.clusters,
            most=most,
            independence_assumed=self.independence_assumed,
            these_clusters_only=self.these_clusters_only,
        )


def _sums(index: Sequence[int], values: NDArray[Any], units: int) -> Floats:
    return np.asarray(np.bincount(index, values, minlength=units), float)


def _without_each(counts: Sequence[NDArray[np.int64]]) -> Floats:
    """Entropy in bits with one unit left out at a time, shape (units, streams); empty for one."""
    if len(counts[0]) < 2:
        return np.zeros((0, len(counts)))
    totals = [of_stream.sum(axis=0) for of_stream in counts]
    return np.array(
        [
            [corrected_entropy_bits(total - unit) for unit in of_stream]
            for total, of_stream in zip(totals, counts, strict=True)
        ]
    ).T
