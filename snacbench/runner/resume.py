"""A run that is gone on with: its plan once more, and failed rows that are tried again.

Failed rows are taken out of the run's files, so that what goes on with the run finds them missing;
a run that is stopped before it has tried them all again is gone on with like any other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from snacbench.errors import StoreError
from snacbench.progress import Progress
from snacbench.rows import Calibration, Coded, Score, SpotCheck
from snacbench.runner.plan import Plan, make_plan, with_weights
from snacbench.runner.versions import check_versions, versions_of_codecs, versions_of_metrics
from snacbench.store.folder import RunFolder
from snacbench.testsets import TestSet
from snacbench.testsets.testset import counted
from snacbench.types import Clip

_GONE = "gone"  # a file that can be read again and is cut to segments under other ids


def resumed_plan(
    folder: RunFolder, progress: Progress | None = None, *, retry_failed: bool = False
) -> Plan:
    """The plan of an existing run, its weights on disk and those that it began with.

    Raises
    ------
    StoreError
        If the run was merged or made from files, or the test set, the weights or what computes
        codecs and metrics are no longer those that it began with.
    """
    path, run = folder.path, folder.run
    if run.request.merged or run.request.outside:
        made = "merged" if run.request.merged else "made from files"
        raise StoreError(
            f"{path} cannot be gone on with: it was {made}; go on with the runs that it was made of"
        )
    plan = make_plan(run.request, progress)
    same = plan.test_set.sha256 == run.set_sha256
    if not same and not (retry_failed and readable_again(folder, plan.test_set)):
        raise StoreError(
            f"the test set {run.test_set} has changed since {path} was begun; start a new run"
        )
    plan = with_weights(plan, progress)
    then = [(spec.name, spec.weights.sha256) for spec in run.codecs]
    now = [(codec.spec.name, codec.spec.weights.sha256) for codec in plan.codecs]
    if then != now:
        raise StoreError(f"the codecs or weights of {path} are no longer the same; start a new run")
    models = {codec.spec.model: codec.model for codec in plan.codecs}
    check_versions(
        run,
        codecs=versions_of_codecs(models),
        metrics=versions_of_metrics(plan.metrics),
        place=str(path),
    )
    return replace(plan, decision="")


def readable_again(folder: RunFolder, now: TestSet) -> bool:
    """Whether a test set is the run's but for files that could not be read when the run began."""

    def samples(clip: Clip) -> tuple[str, str, int, int]:
        return clip.id, clip.sha256, clip.start, clip.num_samples

    then = {samples(clip) for clip in folder.read(Clip)}
    new = {clip.id for clip in now.clips if samples(clip) not in then}
    unread = {row.clip for row in folder.read_not_ok(Coded) if row.duration_s is None}
    # A segment's id is the file's with a place in it.
    return then <= set(map(samples, now.clips)) and all(
        unread & {clip, clip.rpartition("+")[0]} for clip in new
    )


@dataclass(frozen=True)
class Retried:
    """The codings (clip, codec) and scores (clip, codec, metric) that had failed."""

    coded: frozenset[tuple[str, str]]
    scores: frozenset[tuple[str, str, str]]

    def in_words(self, folder: RunFolder) -> str:
        """How many were tried again, how many are ok now, and how many have failed again."""
        coded = {(r.clip, r.codec): r.status for r in folder.read(Coded)}
        scores = {(r.clip, r.codec, r.metric): r.status for r in folder.read(Score)}
        said = []
        for what, statuses in (
            ("coding", [coded.get(key, _GONE) for key in self.coded]),
            ("score", [scores.get(key, _GONE) for key in self.scores]),
        ):
            if statuses:
                failed = statuses.count("failed")
                again = f", {failed} failed again" if failed else ""
                ok = statuses.count("ok")
                said.append(f"{counted(len(statuses), what)}, {ok} of them now ok{again}")
        return f"retried: {'; '.join(said)}" if said else "nothing had failed: nothing was retried"


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
