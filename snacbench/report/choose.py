"""Which clips get players where a run has more than a page can hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, scores_of

_SHARE_OF_WORST = 3  # at most one clip in so many is there for being a codec's worst


def chosen_clips(rows: RunRows, playable: Sequence[str], number: int) -> list[str]:
    """Ids of `number` clips in the run's order: the worst of each codec, then evenly by domain.

    A codec's worst clip is that of the first metric of the run.
    """
    if len(playable) <= number:
        return list(playable)
    allowed = set(playable)
    worst = _worst_clips(rows, allowed)[: number // _SHARE_OF_WORST]
    chosen = dict.fromkeys(worst)
    for clip in _evenly(rows, allowed - set(worst), number - len(worst)):
        chosen[clip] = None
    return [clip.id for clip in rows.clips if clip.id in chosen]


def _worst_clips(rows: RunRows, allowed: set[str]) -> list[str]:
    """Each codec's worst clip, without repetitions."""
    if not rows.metrics:
        return []
    metric = rows.metrics[0]
    better = next((m.better for m in rows.run.metrics if m.name == metric), "higher")
    worst = min if better == "higher" else max
    found = []
    for values in scores_of([rows], metric, ALL_DOMAINS).values():
        known = {clip: value for clip, value in values.items() if clip in allowed}
        if known:
            found.append(worst(known, key=lambda clip: known[clip]))
    return list(dict.fromkeys(found))


def _evenly(rows: RunRows, allowed: set[str], number: int) -> list[str]:
    """So many clips, as evenly as can be over the domains and over the clips of each."""
    domains: dict[str, list[str]] = {}
    for clip in rows.clips:
        if clip.id in allowed:
            domains.setdefault(clip.domain, []).append(clip.id)
    found: list[str] = []
    by_size = sorted(domains.values(), key=len)
    for index, clips in enumerate(by_size):
        count = min(len(clips), (number - len(found)) // (len(by_size) - index))
        found += [clips[i] for i in np.linspace(0, len(clips) - 1, count).round().astype(int)]
    return found
