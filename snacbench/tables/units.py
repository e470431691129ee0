"""Units that intervals of code statistics leave out one at a time, and halves that they train on.

A unit is a speaker or a track, or several of them: more than `MOST_UNITS` in a domain would only
cost memory. Where a domain has fewer clusters than can stand for others, its clips are the units,
and an interval speaks of these clusters only, as everywhere in `snacbench.stats`. Units with an
even number are one half, those with an odd number the other: no cluster has clips in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from snacbench.stats.clusters import FEW_CLUSTERS, cluster_clips

MOST_UNITS = 40  # even, so that what is numbered round keeps its half


class _Clip(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def cluster(self) -> str | None: ...


def units_of(clips: Iterable[_Clip]) -> dict[str, int]:
    """Unit of every clip, from 0, counted in each domain anew."""
    by_domain: dict[str, list[_Clip]] = {}
    for clip in clips:
        by_domain.setdefault(clip.domain, []).append(clip)
    found: dict[str, int] = {}
    for members in by_domain.values():
        labels = [clip.cluster for clip in members]
        numbers = cluster_clips(labels, clips=len(labels)).index.tolist()
        if few_clusters(labels):
            numbers = _clips_apart(numbers)
        found.update({c.id: n % MOST_UNITS for c, n in zip(members, numbers, strict=True)})
    return found


def few_clusters(labels: Sequence[str | None]) -> bool:
    """Whether clips are of so few speakers or tracks that nothing can be said about others."""
    clustering = cluster_clips(labels, clips=len(labels))
    return clustering.count < FEW_CLUSTERS and not clustering.one_clip_each


def _clips_apart(clusters: Sequence[int]) -> list[int]:
    """A number for each clip, even where its cluster's is."""
    seen = [0, 0]
    numbers = []
    for cluster in clusters:
        half = cluster % 2
        numbers.append(2 * seen[half] + half)
        seen[half] += 1
    return numbers


def unit_of(units: Mapping[str, int], clip: str, number: int) -> int:
    """Unit of a clip; one that the test set does not tell of stands for itself."""
    return units.get(clip, number % MOST_UNITS)
