"""Segments drawn as for the DAC paper: so many per domain, by seed, silent ones skipped."""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from snacbench.audio.io import read_clip
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, TestSetError
from snacbench.progress import Progress, Silent
from snacbench.testsets.records import MeasureCache
from snacbench.testsets.testset import TestSet, counted, hash_of, segment_of
from snacbench.types import MIN_LUFS, Clip

SHORTEST_S = 1.0  # shorter clips are below what several metrics take
_TRIES = 8  # `num_tries` of audiotools' salient_excerpt
_SPACING = 20  # segments of one file begin at least 1/20 of their length apart


@dataclass(frozen=True)
class Choice:
    """Which clips of a set to use; what is None is as the set has it.

    `segments` are drawn per domain, by `seed`, each of `segment_s` and louder than `min_lufs`
    (integrated, ITU-R BS.1770-4); without them, longer clips are cut to one of `segment_s`. At most
    `limit` clips of a domain remain. A count below 1 or a length not above 0 is a `TestSetError`.
    """

    segments: int | None = None
    segment_s: float | None = None
    seed: int = 0
    min_lufs: float = MIN_LUFS
    limit: int | None = None

    def __post_init__(self) -> None:
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
    progress, cache = progress or Silent(), MeasureCache()
    drawn, problems, notes = list[Clip](), list[str](), list(test_set.notes)
    for domain in sorted({clip.domain for clip in test_set.clips}):
        clips = [clip for clip in test_set.clips if clip.domain == domain]
        live = [clip for clip in clips if clip.duration_s >= SHORTEST_S]
        progress.begin(f"drawing {domain}", choice.segments)
        found, quiet, unread = _drawn_from(live, choice, cache, progress)
        drawn, problems = drawn + found, problems + unread
        wanted, short = choice.segments or 0, len(clips) - len(live)
        drawn_s, held_s = (sum(clip.duration_s for clip in part) for part in (found, live))
        hours = f"{drawn_s / 3600:.3g} h are drawn from {held_s / 3600:.3g} h"
        for holds, text in (
            (
                len(found) < wanted,
                f"{len(found):,} of {counted(wanted, 'segment')} drawn, no more in "
                f"{counted(len(live), 'file')}",
            ),
            (quiet, f"{counted(quiet, 'place')} skipped, no louder than {choice.min_lufs:g} LUFS"),
            (short, f"{counted(short, 'file')} left out, shorter than {SHORTEST_S:g} s"),
            (drawn_s > 1.01 * held_s, f"segments overlap: {hours}"),
        ):
            notes += [f"{domain}: {text}"] if holds else []
    problems += [clip.reason for clip in test_set.broken]
    if problems:
        files = counted(len(problems), "file")
        notes.append(f"not drawn from {files} that cannot be read, for example: {problems[0]}")
    in_order = tuple(sorted(drawn, key=lambda clip: clip.id))
    return replace(test_set, clips=in_order, broken=(), notes=tuple(notes))


def _drawn_from(
    live: Sequence[Clip], choice: Choice, cache: MeasureCache, progress: Progress
) -> tuple[list[Clip], int, list[str]]:
    """One segment of each file in the order of hashes, then a second of each, and so on."""
    # With them come how many places were too quiet, and what was wrong with files.
    wanted, length_s = choice.segments or 0, choice.segment_s or 10.0
    taken: dict[str, list[int]] = defaultdict(list)
    drawn: list[Clip] = []
    problems: list[str] = []
    skipped = turn = 0

    def hashed(clip: Clip, place: int | None = None) -> int:
        return hash_of(json.dumps([choice.seed, clip.domain, clip.id, turn, place]))

    def places(clip: Clip) -> Iterator[Clip]:
        """Up to eight segments of a file to listen to, away from those that were drawn."""
        length, others = round(length_s * clip.rate_hz), taken[clip.id]
        room = clip.num_samples - length
        if room <= 0:
            return iter(() if others else (clip,))
        starts = (hashed(clip, place) % (room + 1) for place in range(64))
        free = (s for s in starts if all(abs(s - other) * _SPACING >= length for other in others))
        return (segment_of(clip, start, length) for start in itertools.islice(free, _TRIES))

    def listen(clip: Clip) -> tuple[Clip, Clip | str, int]:
        """A file, its first segment that is loud enough, or why there is none; how many were not.

        A text that is empty: all were too quiet.
        """
        quiet = 0
        for segment in places(clip):
            measures = cache.get(segment)
            if measures is None:
                try:
                    measures = measure(read_clip(segment))
                except AudioError as error:
                    return clip, str(error), quiet
                cache.put(segment, measures)
            loudness = measures.loudness_lufs
            if loudness is not None and loudness > choice.min_lufs:
                return clip, replace(segment, measures=measures), quiet
            quiet += 1
        return clip, "", quiet

    with ThreadPoolExecutor() as pool:
        while live and len(drawn) < wanted:
            order, live = sorted(live, key=hashed), []
            while order and (lacking := wanted - len(drawn)):
                batch, order = order[:lacking], order[lacking:]
                for clip, heard, quiet in pool.map(listen, batch):
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
