"""Segments drawn as for the DAC paper: so many per domain, by seed, silent ones skipped.

The paper draws with audiotools' `AudioDataset`: files in shuffled order, each once before any
twice; a place in the file, uniformly; up to eight places until one is louder than -40 LUFS. Its
draws hang on the state of a generator, hence on the order and number of all files. Here every
choice is the hash of what it is about, so that the same files give the same segments on every
machine, and a file more or less leaves the others' segments where they are.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from snacbench.audio.io import read_clip
from snacbench.audio.measures import measure
from snacbench.errors import AudioError
from snacbench.testsets.records import MeasureCache, Progress, in_threads
from snacbench.testsets.testset import TestSet, counted, hash_of, segment_of
from snacbench.types import Clip, Measures

MIN_LUFS = -40.0  # `loudness_cutoff` of audiotools' AudioDataset
SHORTEST_S = 1.0  # shorter clips are below what several metrics take
_TRIES = 8  # `num_tries` of audiotools' salient_excerpt
_PLACES = 64
_SPACING = 20  # segments of one file begin at least 1/20 of their length apart


@dataclass(frozen=True)
class Draw:
    """What to draw.

    Attributes
    ----------
    segments : int
        How many per domain.
    segment_s : float
        Length; shorter files are taken whole.
    seed : int
    min_lufs : float
        Quieter segments are skipped (integrated loudness, ITU-R BS.1770-4).
    """

    segments: int
    segment_s: float = 10.0
    seed: int = 0
    min_lufs: float = MIN_LUFS


@dataclass(frozen=True)
class _Heard:
    """What listening to places of a file brought: the first one loud enough, if any."""

    clip: Clip | None
    skipped: int = 0
    problem: str = ""


def draw(test_set: TestSet, what: Draw, *, progress: Progress | None = None) -> TestSet:
    """Draw segments from the clips of a set; notes say where there were too few.

    Each segment carries its measures. Files that cannot be read are not drawn from.
    """
    domains: dict[str, list[Clip]] = defaultdict(list)
    for clip in test_set.clips:
        domains[clip.domain].append(clip)
    drawn: list[Clip] = []
    notes = list(test_set.notes)
    with MeasureCache() as cache:
        for domain, clips in sorted(domains.items()):
            if progress:
                progress.begin(f"drawing {domain}", what.segments)
            pot = _Pot(what, cache, progress)
            drawn += pot.draw(clips)
            notes += (f"{domain}: {note}" for note in pot.notes())
    if test_set.broken:
        notes.append(
            f"not drawn from {counted(len(test_set.broken), 'file')} that cannot be read, for "
            "example: "
            f"{test_set.broken[0].reason}"
        )
    in_order = tuple(sorted(drawn, key=lambda clip: clip.id))
    return replace(test_set, clips=in_order, broken=(), notes=tuple(notes))


class _Pot:
    """The files of one domain, from which segments are drawn round by round."""

    def __init__(self, what: Draw, cache: MeasureCache, progress: Progress | None) -> None:
        self.what, self.cache, self.progress = what, cache, progress
        self.drawn: list[Clip] = []
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def draw(self, clips: Sequence[Clip]) -> list[Clip]:
        """One segment of each file in the order of hashes, then a second of each, and so on."""
        live = [clip for clip in clips if clip.duration_s >= SHORTEST_S]
        self.counts["too short"] = len(clips) - len(live)
        self.counts["files"] = len(live)
        taken: dict[str, list[int]] = defaultdict(list)
        turn = -1
        while live and len(self.drawn) < self.what.segments:
            turn += 1
            order = sorted(live, key=partial(self._hash, turn=turn))
            live = []
            while order and (lacking := self.what.segments - len(self.drawn)):
                batch, order = order[:lacking], order[lacking:]
                for clip, segment in self._hear_all(batch, turn, taken):
                    taken[clip.id].append(segment.start - clip.start)
                    self.drawn.append(segment)
                    live.append(clip)
        return self.drawn

    def notes(self) -> Iterator[str]:
        """What to know of the draw, a line each."""
        if len(self.drawn) < self.what.segments:
            yield (
                f"{len(self.drawn):,} of {counted(self.what.segments, 'segment')} drawn, no more "
                f"in {counted(self.counts['files'], 'file')}"
            )
        if skipped := self.counts["skipped"]:
            yield f"{counted(skipped, 'place')} skipped, no louder than {self.what.min_lufs:g} LUFS"
        if short := self.counts["too short"]:
            yield f"{counted(short, 'file')} left out, shorter than {SHORTEST_S:g} s"
        if whole := self.counts["whole"]:
            yield f"{counted(whole, 'file')} taken whole, shorter than {self.what.segment_s:g} s"
        if self.problems:
            yield (
                f"{counted(len(self.problems), 'file')} left out, cannot be read, for example: "
                f"{min(self.problems)}"
            )
        material_s, drawn_s = distinct_s(self.drawn), sum(c.duration_s for c in self.drawn)
        if drawn_s > 1.01 * material_s:
            yield (
                f"segments overlap: {drawn_s / 3600:.2f} h are drawn from {material_s / 3600:.2f} h"
            )

    def _hear_all(
        self, batch: Sequence[Clip], turn: int, taken: dict[str, list[int]]
    ) -> Iterator[tuple[Clip, Clip]]:
        """For each file that has one, the segment of this turn; several files at a time."""

        def hear(clip: Clip) -> tuple[Clip, _Heard]:
            places = self._places(clip, turn, taken.get(clip.id, []))
            return clip, _first_loud(places, self.cache, self.what.min_lufs)

        for clip, heard in in_threads(hear, batch):
            self.counts["skipped"] += heard.skipped
            if heard.problem:
                self.problems.append(heard.problem)
            if heard.clip is None:
                continue
            self.counts["whole"] += clip.num_samples < self._length(clip)
            if self.progress:
                self.progress.step()
            yield clip, heard.clip

    def _places(self, clip: Clip, turn: int, taken: Sequence[int]) -> Iterator[Clip]:
        """Up to eight segments of a file to listen to, away from those that were drawn."""
        length = self._length(clip)
        room = clip.num_samples - length
        if room <= 0:
            if not taken:
                yield clip
            return
        starts = (self._hash(clip, turn, place) % (room + 1) for place in range(_PLACES))
        free = (
            start
            for start in starts
            if all(abs(start - other) * _SPACING >= length for other in taken)
        )
        for start in itertools.islice(free, _TRIES):
            yield segment_of(clip, start, length)

    def _length(self, clip: Clip) -> int:
        return round(self.what.segment_s * clip.rate_hz)

    def _hash(self, clip: Clip, turn: int, place: int | None = None) -> int:
        return hash_of(json.dumps([self.what.seed, clip.domain, clip.id, turn, place]))


def _first_loud(places: Iterator[Clip], cache: MeasureCache, min_lufs: float) -> _Heard:
    """The first segment that is louder than a threshold; those skipped are counted."""
    skipped = 0
    for segment in places:
        try:
            measures = cache.get(segment) or _measure(segment, cache)
        except AudioError as error:
            return _Heard(None, skipped, str(error))
        loudness = measures.loudness_lufs
        if loudness is not None and loudness > min_lufs:
            return _Heard(replace(segment, measures=measures), skipped)
        skipped += 1
    return _Heard(None, skipped)


def _measure(clip: Clip, cache: MeasureCache) -> Measures:
    measures = measure(read_clip(clip))
    cache.put(clip, measures)
    return measures


def measured(
    clips: Sequence[Clip], *, progress: Progress | None = None
) -> tuple[list[Clip], list[str]]:
    """Clips with their measures, and what was wrong with those that could not be read."""
    found: list[Clip] = []
    problems: list[str] = []
    if progress and clips:
        progress.begin("measuring", len(clips))
    with MeasureCache() as cache:

        def look(clip: Clip) -> Clip | str:
            try:
                known = clip.measures or cache.get(clip) or _measure(clip, cache)
            except AudioError as error:
                return str(error)
            return replace(clip, measures=known)

        for result in in_threads(look, clips):
            if isinstance(result, Clip):
                found.append(result)
            else:
                problems.append(result)
            if progress:
                progress.step()
    return sorted(found, key=lambda clip: clip.id), problems


def distinct_s(clips: Sequence[Clip]) -> float:
    """Seconds of audio that clips cover, where they overlap counted once."""
    spans = sorted(
        (c.sha256, c.start / c.rate_hz, c.start / c.rate_hz + c.duration_s) for c in clips
    )
    total_s, file, reached_s = 0.0, "", 0.0
    for sha256, begin_s, end_s in spans:
        reached_s = reached_s if sha256 == file else 0.0
        total_s += max(0.0, end_s - max(begin_s, reached_s))
        file, reached_s = sha256, max(reached_s, end_s)
    return total_s
