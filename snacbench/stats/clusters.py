"""Which clips belong together: a speaker's, a track's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# From this many clusters on, the bootstrap over clusters is used; below, a t distribution, whose
# assumption (normal cluster means) then errs less than resampling a handful of clusters does.
MANY_CLUSTERS = 20
# Below this many, nothing can be said about clusters that were not measured.
FEW_CLUSTERS = 5

Clusters = Mapping[str, str | None]
"""Clip -> speaker or track; None, or no entry, where it is not known."""


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clips numbered by their cluster.

    Attributes
    ----------
    index : array, shape (clips,)
        Cluster of each clip, from 0 to ``count - 1``.
    count : int
        Number of clusters.
    unknown : array of bool, shape (clips,)
        Clips whose cluster is not known: each is a cluster of its own.
    """

    index: NDArray[np.intp]
    count: int
    unknown: NDArray[np.bool_]

    @property
    def independence_assumed(self) -> bool:
        """Whether the cluster of some clip is not known."""
        return bool(self.unknown.any())

    @property
    def one_clip_each(self) -> bool:
        """Whether no two clips share a cluster."""
        return self.count == len(self.index)


def cluster_clips(labels: Sequence[str | None] | None, *, clips: int) -> Clustering:
    """Number clips by cluster, in order of first appearance.

    Parameters
    ----------
    labels : sequence of str or None, length (clips,), or None
        None, for a clip or altogether: not known, so the clip is a cluster of its own.
    clips : int
        Number of clips.

    Raises
    ------
    ValueError
        If there is not one label per clip.
    """
    if labels is None:
        return Clustering(np.arange(clips), clips, np.ones(clips, bool))
    if len(labels) != clips:
        raise ValueError(
            f"found {len(labels)} cluster labels for {clips} clips; give one per clip, None where "
            "it is not known"
        )
    numbers: dict[str | int, int] = {}
    keys = (position if label is None else label for position, label in enumerate(labels))
    index = [numbers.setdefault(key, len(numbers)) for key in keys]
    unknown = np.array([label is None for label in labels], bool)
    return Clustering(np.array(index, np.intp), len(numbers), unknown)


def labels_of(clips: Sequence[str], clusters: Clusters | None) -> list[str | None] | None:
    """The cluster of each clip, None where it is not known; None altogether without clusters."""
    return None if clusters is None else [clusters.get(clip) for clip in clips]
