"""Failed rows that are tried again: a disk was away, a folder for caches was missing.

They are taken out of the run's files, so that what goes on with the run finds them missing; a run
that is stopped before it has tried them all again is gone on with like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from snacbench.rows import Calibration, Coded, Score, SpotCheck
from snacbench.store.folder import RunFolder
from snacbench.testsets import TestSet
from snacbench.testsets.testset import counted
from snacbench.types import Clip

_GONE = "gone"  # a file that can be read again and is cut to segments under other ids


@dataclass(frozen=True)
class Retried:
    """The codings (clip, codec) and scores (clip, codec, metric) that had failed."""

    coded: frozenset[tuple[str, str]]
    scores: frozenset[tuple[str, str, str]]

    def in_words(self, folder: RunFolder) -> str:
        """How many were tried again, how many are ok now, and how many have failed again."""
        coded = {(r.clip, r.codec): r.status for r in folder.read(Coded)}
        scores = {(r.clip, r.codec, r.metric): r.status for r in folder.read(Score)}
        said = [
            *_counts("coding", [coded.get(key, _GONE) for key in self.coded]),
            *_counts("score", [scores.get(key, _GONE) for key in self.scores]),
        ]
        return f"retried: {'; '.join(said)}" if said else "nothing had failed: nothing was retried"


def _counts(what: str, statuses: Sequence[str]) -> Iterator[str]:
    if statuses:
        again = f", {failed} failed again" if (failed := statuses.count("failed")) else ""
        yield f"{counted(len(statuses), what)}, {statuses.count('ok')} of them now ok{again}"


def readable_again(folder: RunFolder, now: TestSet) -> bool:
    """Whether a test set is the run's but for files that could not be read when the run began."""
    then = {_samples(clip) for clip in folder.read(Clip)}
    new = {clip.id for clip in now.clips if _samples(clip) not in then}
    unread = {row.clip for row in folder.read_not_ok(Coded) if row.duration_s is None}
    # A segment's id is the file's with a place in it.
    return then <= set(map(_samples, now.clips)) and all(
        unread & {clip, clip.rpartition("+")[0]} for clip in new
    )


def _samples(clip: Clip) -> tuple[str, str, int, int]:
    return clip.id, clip.sha256, clip.start, clip.num_samples


def take_out_failed(folder: RunFolder, test_set: TestSet) -> Retried:
    """Take every failed row out of a run that is locked, and what was found of codecs that failed.

    Files of the test set that can be read again become clips of the run.

    Raises
    ------
    StoreError
        If the run cannot be written.
    """
    if folder.run.set_sha256 != test_set.sha256:
        folder.replace(Clip, test_set.clips, of=lambda clip: True)
        folder.rewrite_run(replace(folder.run, set_sha256=test_set.sha256))
    # Codings last: a run that is stopped in between still has failed as a whole.
    scores = folder.take_out(Score, of=lambda row: row.status == "failed")
    folder.take_out(SpotCheck, of=lambda row: not row.passed)
    work = {row.codec for row in folder.read(Coded) if row.status == "ok"}
    folder.take_out(Calibration, of=lambda row: not row.found and row.codec not in work)
    coded = folder.take_out(Coded, of=lambda row: row.status == "failed")
    return _retried(coded, scores)


def take_out_failed_scores(folder: RunFolder, metrics: Collection[str]) -> Retried:
    """Take failed scores by these metrics out of a run that is locked, where a decode is there.

    Raises
    ------
    StoreError
        If the run cannot be written.
    """
    lost = {(row.clip, row.codec) for row in folder.read_not_ok(Coded)}
    scores = folder.take_out(
        Score,
        of=lambda row: (
            row.status == "failed" and row.metric in metrics and (row.clip, row.codec) not in lost
        ),
    )
    return _retried([], scores)


def _retried(coded: Collection[Coded], scores: Collection[Score]) -> Retried:
    return Retried(
        frozenset((row.clip, row.codec) for row in coded),
        frozenset((row.clip, row.codec, row.metric) for row in scores),
    )
