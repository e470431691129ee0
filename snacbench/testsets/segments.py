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
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from snacbench.audio.io import read_clip
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, TestSetError
from snacbench.progress import Progress, Silent
from snacbench.testsets.records import MeasureCache, in_threads
from snacbench.testsets.testset import TestSet, counted, hash_of, segment_of
from snacbench.types import Clip, Measures

MIN_LUFS = -40.0  # `loudness_cutoff` of audiotools' AudioDataset
SEGMENT_S = 10.0
SHORTEST_S = 1.0  # shorter clips are below what several metrics take
_TRIES = 8  # `num_tries` of audiotools' salient_excerpt
_PLACES = 64
_SPACING = 20  # segments of one file begin at least 1/20 of their length apart


@dataclass(frozen=True)
class Choice:
    """Which clips of a set to use; what is None is as the set has it.

    Attributes
    ----------
    segments : int or None
        Draw this many segments per domain.
    segment_s : float or None
        Their length; without `segments`, cut every longer clip to one segment.
    seed : int
        Of the draw.
    min_lufs : float
        Quieter segments are not drawn (integrated loudness, ITU-R BS.1770-4).
    limit : int or None
        At most this many clips per domain.
    """

    segments: int | None = None
    segment_s: float | None = None
    seed: int = 0
    min_lufs: float = MIN_LUFS
    limit: int | None = None

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises `TestSetError` if a count is below 1 or a length not above 0.
        """
        if self.segment_s is not None and not 0 < self.segment_s < math.inf:
            raise TestSetError(f"--segment-s must be above 0, found {self.segment_s}")
        for option, number in (("--limit", self.limit), ("--segments", self.segments)):
            if number is not None and number < 1:
                raise TestSetError(f"{option} must be 1 or more, found {number}")


def draw(test_set: TestSet, choice: Choice, *, progress: Progress | None = None) -> TestSet:
    """Draw segments from the clips of a set, of 10 s if `choice` says nothing else.

    Each segment carries its measures. Notes say where there were too few, and from how many files
    that cannot be read nothing was drawn.
    """
    progress = progress or Silent()
    domains: dict[str, list[Clip]] = defaultdict(list)
    for clip in test_set.clips:
        domains[clip.domain].append(clip)
    drawn, problems = list[Clip](), list[str]()
    notes = list(test_set.notes)
    cache = MeasureCache()
    for domain, clips in sorted(domains.items()):
        progress.begin(f"drawing {domain}", choice.segments)
        found, quiet, unread = _drawn_from(clips, choice, cache, progress)
        drawn, problems = drawn + found, problems + unread
        short = sum(clip.duration_s < SHORTEST_S for clip in clips)
        material_s, drawn_s = distinct_s(found), sum(clip.duration_s for clip in found)
        if len(found) < (choice.segments or 0):
            asked, there = counted(choice.segments or 0, "segment"), len(clips) - short
            notes.append(
                f"{domain}: {len(found):,} of {asked} drawn, no more in {counted(there, 'file')}"
            )
        if quiet:
            skipped = f"{counted(quiet, 'place')} skipped, no louder than"
            notes.append(f"{domain}: {skipped} {choice.min_lufs:g} LUFS")
        if short:
            left_out = f"{counted(short, 'file')} left out, shorter than"
            notes.append(f"{domain}: {left_out} {SHORTEST_S:g} s")
        if drawn_s > 1.01 * material_s:
            hours = f"{drawn_s / 3600:.2f} h are drawn from {material_s / 3600:.2f} h"
            notes.append(f"{domain}: segments overlap: {hours}")
    problems += [clip.reason for clip in test_set.broken]
    if problems:
        files = counted(len(problems), "file")
        notes.append(f"not drawn from {files} that cannot be read, for example: {problems[0]}")
    in_order = tuple(sorted(drawn, key=lambda clip: clip.id))
    return replace(test_set, clips=in_order, broken=(), notes=tuple(notes))


def _drawn_from(
    clips: Sequence[Clip], choice: Choice, cache: MeasureCache, progress: Progress
) -> tuple[list[Clip], int, list[str]]:
    """One segment of each file in the order of hashes, then a second of each, and so on.

    With them come how many places were too quiet, and what was wrong with files.
    """
    wanted, length_s = choice.segments or 0, choice.segment_s or SEGMENT_S
    live = [clip for clip in clips if clip.duration_s >= SHORTEST_S]
    taken: dict[str, list[int]] = defaultdict(list)
    drawn: list[Clip] = []
    problems: list[str] = []
    skipped = turn = 0

    def hashed(clip: Clip, place: int | None = None) -> int:
        return hash_of(json.dumps([choice.seed, clip.domain, clip.id, turn, place]))

    def places(clip: Clip) -> Iterator[Clip]:
        """Up to eight segments of a file to listen to, away from those that were drawn."""
        length = round(length_s * clip.rate_hz)
        room = clip.num_samples - length
        if room <= 0:
            yield from () if taken[clip.id] else (clip,)
            return
        starts = (hashed(clip, place) % (room + 1) for place in range(_PLACES))
        free = (
            start
            for start in starts
            if all(abs(start - other) * _SPACING >= length for other in taken[clip.id])
        )
        for start in itertools.islice(free, _TRIES):
            yield segment_of(clip, start, length)

    def listen(clip: Clip) -> tuple[Clip, Clip | str, int]:
        """A file, its first segment that is loud enough, or why there is none; how many were not.

        A text that is empty: all were too quiet.
        """
        quiet = 0
        for segment in places(clip):
            try:
                measures = _measure(segment, cache)
            except AudioError as error:
                return clip, str(error), quiet
            loudness = measures.loudness_lufs
            if loudness is not None and loudness > choice.min_lufs:
                return clip, replace(segment, measures=measures), quiet
            quiet += 1
        return clip, "", quiet

    while live and len(drawn) < wanted:
        order, live = sorted(live, key=hashed), []
        while order and (lacking := wanted - len(drawn)):
            batch, order = order[:lacking], order[lacking:]
            for clip, heard, quiet in in_threads(listen, batch):
                skipped += quiet
                if isinstance(heard, Clip):
                    taken[clip.id].append(heard.start - clip.start)
                    drawn.append(heard)
                    live.append(clip)
                    progress.step()
                elif heard:
                    problems.append(heard)
        turn += 1

    return drawn, skipped, sorted(problems)


def _measure(clip: Clip, cache: MeasureCache) -> Measures:
    if known := cache.get(clip):
        return known
    measures = measure(read_clip(clip))
    cache.put(clip, measures)
    return measures


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
