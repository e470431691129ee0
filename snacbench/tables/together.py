"""Figures set beside each other: on which clips those of several codecs rest.

A mean over whatever survived would reward who fails on the hard clips. So the figures of a column,
in one domain and on one test set, are all taken over the clips on which every codec has a value. A
codec that lacks half of the clips that any of them has, or more, gets no figure and takes no clip
from the others. Yardsticks take none either: what they lack is mostly where they are exact, and
SI-SDR infinite.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from snacbench.tables.entries import Entry

MUST_HAVE_MORE_THAN = 0.5  # of the clips that any codec has


@dataclass(frozen=True)
class Together:
    """What the figures of a column rest on, by label of the codec.

    Attributes
    ----------
    clips : mapping of str to frozenset of str
        The clips of each codec's figure; none where it has too few.
    lost : mapping of str to int
        Of those that compete: how many clips it lacks that another one has, where it lacks any.
    left_out : tuple of str
        Which of these lack too many.
    """

    clips: dict[str, frozenset[str]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def words(self, what: str) -> str:
        """Who lost how many clips, in a sentence; empty where nobody did."""
        if not self.lost:
            return ""
        kept = {len(self.clips[label]) for label in self.lost if label not in self.left_out}
        listed = ", ".join(f"{label} lacks {count}" for label, count in self.lost.items())
        if not kept:
            return f"{what}: no figure where half of the clips are lacking, or more ({listed})."
        n = " or ".join(map(str, sorted(kept)))
        out = f"; no figure for {', '.join(self.left_out)}" if self.left_out else ""
        return f"{what}: over the {n} clips that all codecs have ({listed}){out}."


def together(entries: Sequence[Entry], own: Mapping[str, Collection[str]]) -> Together:
    """The clips that figures beside each other rest on.

    Parameters
    ----------
    own : mapping of str to collection of str
        By label, the clips on which that entry has a value, none where it lost all; labels that are
        absent never had any to lose.
    """
    found = Together()
    left_out: list[str] = []
    for test_set in dict.fromkeys(entry.rows.run.set_sha256 for entry in entries):
        beside = [e for e in entries if e.rows.run.set_sha256 == test_set and e.label in own]
        competing = [e for e in beside if not e.anchor] or beside
        sets = {e.label: frozenset(own[e.label]) for e in beside}
        of_any = frozenset[str]().union(*(sets[e.label] for e in competing))
        enough = {k for k, clips in sets.items() if len(clips) > MUST_HAVE_MORE_THAN * len(of_any)}
        kept = [sets[e.label] for e in competing if e.label in enough]
        common = frozenset.intersection(*kept) if kept else frozenset[str]()
        for label, clips in sets.items():
            found.clips[label] = clips & common if label in enough else frozenset()
        for entry in competing:
            if lost := len(of_any - sets[entry.label]):
                found.lost[entry.label] = lost
                left_out += [entry.label] if entry.label not in enough else []
    return Together(found.clips, found.lost, tuple(left_out))


def coded_together(entries: Sequence[Entry], domain: str) -> Together:
    """The clips of a domain that rates beside each other are taken over."""
    return together(entries, {entry.label: entry.coded(domain) for entry in entries})


def scored_together(
    entries: Sequence[Entry], metric: str, domain: str
) -> tuple[dict[str, dict[str, float]], Together]:
    """The scores that means beside each other are taken over: label -> clip -> value."""
    own = {
        entry.label: entry.scores(metric, domain)
        for entry in entries
        if metric in entry.columns.scores or not len(entry.columns.ok(domain))
    }
    found = together(entries, own)
    if all(len(scores) == len(found.clips[label]) for label, scores in own.items()):
        return {label: scores for label, scores in own.items() if scores}, found
    kept = {
        label: {clip: value for clip, value in scores.items() if clip in found.clips[label]}
        for label, scores in own.items()
    }
    return {label: scores for label, scores in kept.items() if scores}, found
