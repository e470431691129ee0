"""In which order jobs become ready, without a worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import WeightsMismatch
from snacbench.plugins import metrics
from snacbench.rows import Calibration, Coded, Score, SpotCheck
from snacbench.runner import schedule as rounds
from snacbench.runner.coding import CodingJob, code_clips
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.schedule import (
    CALIBRATE,
    CHECK,
    CODE,
    COMPARE,
    SCORE,
    SPOT,
    AgreementJob,
    CalibrationJob,
    Job,
    Rows,
    Rules,
    Schedule,
)
from snacbench.runner.scoring import ScoringJob
from snacbench.runner.spot import Point, SpotJob, VerifyJob
from snacbench.selectors import select
from snacbench.store.folder import RunFolder
from snacbench.store.ledger import Ledger
from snacbench.types import Clip, Measures
from tests.store.test_rows import RUN

SPECS = [spec for _, spec in select("identity,noise@20dB")]
RULES = Rules("mono", "source")
METRICS = [metrics()["si_sdr"].spec, metrics()["mel_dac7"].spec]
CLIPS = {
    name: Clip(name, Path(f"/{name}.wav"), "", 8000, 1, 8000 * (i + 1))
    for i, name in enumerate("abcde")
}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(SPECS)), [])
    made.append(SpotCheck(spec.name, 2, passed=True) for spec in SPECS)
    return made


def handles(**changes: object) -> list[PlannedCodec]:
    made = [PlannedCodec(spec.name, spec, None, "cpu") for spec in SPECS]
    return [replace(handle, **changes) for handle in made]  # type: ignore[arg-type]


def schedule_of(folder: RunFolder, coding: list[PlannedCodec]) -> tuple[Schedule, Ledger]:
    ledger = Ledger(folder, SPECS, METRICS)
    return Schedule(ledger, CLIPS, SPECS, RULES, coding), ledger


def _checked(point: Point) -> SpotCheck:
    name = point.codec.spec.name
    reason = "why" if name == "identity" else ""
    return SpotCheck(name, 2, not reason, reason)


def rows_for(job: Job) -> Rows:
    if isinstance(job, CalibrationJob):
        return [Calibration(point, 0.001, 1.0, 1.0, True) for point in job.points]
    if isinstance(job, VerifyJob):
        return [_checked(point) for point in job.points]
    if isinstance(job, CodingJob):
        return [Coded(clip.id, job.codec.spec.name, "ok") for clip in job.clips]
    if isinstance(job, ScoringJob):
        return [
            Score(d.coded.clip, d.coded.codec, m, metrics()[m].spec.version, "ok", 1.0)
            for d in job.decodes
            for m in d.metrics
        ]
    return []


def finish(schedule: Schedule, ledger: Ledger, job: Job) -> tuple[str, int]:
    rows = rows_for(job)
    ledger.append(rows)
    return schedule.done(job, rows)


def label(job: Job) -> str:
    if isinstance(job, CodingJob):
        return f"{job.codec.spec.model} {''.join(c.id for c in job.clips)}"
    if isinstance(job, ScoringJob):
        return f"score {job.clip.id}"
    if isinstance(job, SpotJob):
        return f"SpotJob {job.points[0][0].spec.model}"
    if isinstance(job, VerifyJob):
        return f"VerifyJob {job.points[0].codec.spec.model}"
    return f"{type(job).__name__} {job.codec.spec.model}"


def run_all(schedule: Schedule, ledger: Ledger, lanes: tuple[str, ...] = ("cpu",)) -> list[str]:
    seen = []
    while jobs := [job for lane in lanes if (job := schedule.next(lane)) is not None]:
        for job in jobs:
            seen.append(label(job))
            finish(schedule, ledger, job)
    return seen


def test_rounds_of_clips_codec_by_codec_and_scores_as_soon_as_all_have_coded(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_CLIPS", 2)
    schedule, ledger = schedule_of(folder, handles())
    assert schedule.steps == {SPOT: 0, CALIBRATE: 2, COMPARE: 0, CODE: 10, SCORE: 5}
    assert run_all(schedule, ledger) == [
        "CalibrationJob identity", "identity a", "identity b",
        "CalibrationJob noise", "noise a", "score a", "noise b", "score b",
        "identity c", "identity d", "noise c", "score c", "noise d", "score d",
        "identity e", "noise e", "score e",
    ]  # fmt: skip


@pytest.fixture
def unchecked(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "new", replace(RUN, codecs=tuple(SPECS)), [])


def test_a_point_codes_once_a_second_process_has_decoded_what_it_encoded(
    unchecked: RunFolder,
) -> None:
    schedule, ledger = schedule_of(unchecked, handles())
    assert schedule.steps[SPOT] == 2
    first = schedule.next("cpu")
    assert isinstance(first, SpotJob)
    ((handle, clips),) = first.points
    assert handle.spec.name == "identity"
    assert len({clip.id for clip in clips}) == 4
    seen = []
    while (job := schedule.next("cpu")) is not None:
        seen.append(label(job))
    assert seen == ["CalibrationJob identity", "SpotJob noise", "CalibrationJob noise"]
    assert schedule.next(CHECK) is None
    assert schedule.done(first, [Point(handle)]) == (SPOT, 0)
    verify = schedule.next(CHECK)
    assert isinstance(verify, VerifyJob)
    assert schedule.apart(verify) == [verify]
    assert schedule.lost(verify, "it died") == [
        SpotCheck("identity", 0, False, "spot check: another process cannot decode it: it died")
    ]
    assert schedule.next("cpu") is None
    assert finish(schedule, ledger, verify) == (SPOT, 1)
    coding = schedule.next("cpu")
    assert isinstance(coding, CodingJob)
    assert coding.refused == "why"
    assert [(row.status, row.reason) for row, _ in code_clips(coding)] == [("failed", "why")]
    again, _ = schedule_of(unchecked, handles())
    assert again.steps[SPOT] == 1
    coding = next(iter(j for _ in range(9) if isinstance(j := again.next("cpu"), CodingJob)))
    assert (coding.codec.spec.name, coding.refused) == ("identity", "why")


def test_a_codec_that_ends_its_worker_will_do_so_on_clips_too(unchecked: RunFolder) -> None:
    schedule, _ = schedule_of(unchecked, handles())
    first = schedule.next("cpu")
    assert isinstance(first, SpotJob)
    assert schedule.lost(first, "it died") == []
    assert schedule.done(first, []) == (SPOT, 1)
    jobs = [schedule.next("cpu") for _ in range(4)]
    assert [job.refused for job in jobs if isinstance(job, CodingJob)] == ["", "", ""]


def test_nothing_is_scored_before_every_delay_is_known(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, handles())
    jobs: list[Job] = []
    while (job := schedule.next("cpu")) is not None:
        jobs.append(job)
    calibrations = [job for job in jobs if isinstance(job, CalibrationJob)]
    for job in jobs:
        if not isinstance(job, CalibrationJob):
            assert finish(schedule, ledger, job) == (CODE, 1)
    finish(schedule, ledger, calibrations[0])
    assert schedule.next("cpu") is None
    assert finish(schedule, ledger, calibrations[1]) == (CALIBRATE, 1)
    scoring = schedule.next("cpu")
    assert isinstance(scoring, ScoringJob)
    assert [d.delay_s for d in scoring.decodes] == [0.001, 0.001]


@pytest.mark.parametrize("steps", range(0, 17, 2))
def test_a_schedule_made_anew_at_any_point_does_the_rest_and_no_more(
    folder: RunFolder, steps: int
) -> None:
    schedule, ledger = schedule_of(folder, handles())
    done = []
    for _ in range(steps):
        job = schedule.next("cpu")
        assert job is not None
        done.append(label(job))
        finish(schedule, ledger, job)
    again, ledger = schedule_of(folder, handles())
    left = again.steps
    rest = run_all(again, ledger)
    assert len(rest) == sum(left.values())
    assert sorted(done + rest) == sorted(set(done + rest))
    assert len(done + rest) == 17
    assert not sum(schedule_of(folder, handles())[0].steps.values())


def test_the_gpu_codes_in_chunks_of_like_length_while_the_cpu_scores(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MAX_BATCH", 2)
    monkeypatch.setattr(rounds, "_CHUNK_BATCHES", 1)
    own = [*handles(device="cuda", batch=None)[:1], *handles()[1:]]
    schedule, ledger = schedule_of(folder, own)
    seen = run_all(schedule, ledger, ("cuda", "cpu"))
    assert [job for job in seen if job.startswith("identity")] == [
        "identity ab", "identity cd", "identity e",
    ]  # fmt: skip
    assert "score a" in seen[:12]


def test_a_worker_that_reads_ahead_holds_so_much_audio_and_no_more(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_CHUNK_S", 6.0)
    schedule, ledger = schedule_of(folder, handles(device="cuda", batch=None)[:1])
    assert run_all(schedule, ledger, ("cuda",))[1:] == ["identity abc", "identity d", "identity e"]


def test_on_the_cpu_a_chunk_is_no_larger_than_its_batch(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, handles(batch=2)[:1])
    assert run_all(schedule, ledger)[1:4] == ["identity ab", "identity cd", "identity e"]


def test_reduced_precision_is_compared_before_anything_is_coded(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, handles(precision="bf16"))
    assert schedule.steps[COMPARE] == 2
    seen = run_all(schedule, ledger)
    assert seen.index("AgreementJob identity") < seen.index("identity a")
    assert seen.index("AgreementJob noise") < seen.index("noise a")


def test_scoring_alone_takes_what_is_coded(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, [])
    ledger.append([Coded("b", "identity", "ok"), Coded("d", "identity", "failed", "why")])
    schedule, ledger = schedule_of(folder, [])
    assert schedule.steps == {SPOT: 0, CALIBRATE: 0, COMPARE: 0, CODE: 0, SCORE: 2}
    assert run_all(schedule, ledger) == ["score b", "score d"]


def test_a_clip_is_measured_once_and_only_if_its_set_does_not_tell(folder: RunFolder) -> None:
    ledger = Ledger(folder, SPECS, METRICS)
    ledger.append([Coded(clip, "identity", "ok") for clip in "ab"])
    known = replace(CLIPS["b"], measures=Measures(8000.0, -20.0, -1.0, 0))
    schedule = Schedule(ledger, {"a": CLIPS["a"], "b": known}, SPECS, RULES)
    first, second = schedule.next("cpu"), schedule.next("cpu")
    assert isinstance(first, ScoringJob)
    assert isinstance(second, ScoringJob)
    assert (first.measure, second.measure) == (True, False)


def test_lost_jobs_leave_their_rows(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, handles(batch=2))
    calibration, coding = schedule.next("cpu"), schedule.next("cpu")
    assert isinstance(calibration, CalibrationJob)
    assert isinstance(coding, CodingJob)
    assert schedule.apart(calibration) == [calibration]
    parts = schedule.apart(coding)
    assert [label(part) for part in parts] == ["identity a", "identity b"]
    assert {part.batch for part in parts if isinstance(part, CodingJob)} == {1}
    (row,) = schedule.lost(parts[0], "why")
    assert row == Coded("a", "identity", "failed", "why", duration_s=1.0)
    assert schedule.lost(calibration, "why") == [Calibration("identity", 0.0, 0.0, 0.0, False)]
    assert schedule.lost(AgreementJob(coding.codec), "why") == []
    ledger.append([Coded("a", "identity", "ok")])
    scoring = schedule_of(folder, [])[0].next("cpu")
    assert isinstance(scoring, ScoringJob)
    rows = schedule.lost(scoring, "why")
    assert [(r.metric, r.status, r.reason) for r in rows if isinstance(r, Score)] == [
        ("si_sdr", "failed", "why"),
        ("mel_dac7", "failed", "why"),
    ]


def test_a_codec_that_fails_on_the_excerpts_goes_on_to_fail_on_its_clips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(handle: PlannedCodec) -> Calibration:
        raise ValueError("a bug of the codec's")

    monkeypatch.setattr(rounds, "calibrate", broken)
    monkeypatch.setattr(rounds, "agreement", broken)
    (codec, _) = handles()
    rows = rounds.work(CalibrationJob(codec, ("p", "q")))
    assert [(r.codec, r.found) for r in rows if isinstance(r, Calibration)] == [
        ("p", False),
        ("q", False),
    ]
    assert rounds.work(AgreementJob(codec)) == []


def test_a_mistake_of_the_users_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(handle: PlannedCodec) -> Calibration:
        raise WeightsMismatch("damaged")

    monkeypatch.setattr(rounds, "calibrate", mistaken)
    with pytest.raises(WeightsMismatch, match="damaged"):
        rounds.work(CalibrationJob(handles()[0], ("p",)))


@pytest.mark.parametrize("chosen", ["dac-mini@3q", "dac-mini@2q,dac-mini@3q", "dac-mini@9q"])
def test_a_networks_delay_does_not_depend_on_which_of_its_points_are_run(
    tmp_path: Path, chosen: str
) -> None:
    specs = [spec for _, spec in select(chosen)]
    folder = RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(specs)), [])
    coding = [PlannedCodec(spec.model, spec, None, "cpu") for spec in specs]
    ledger = Ledger(folder, specs, METRICS)
    schedule = Schedule(ledger, {}, specs, RULES, coding)
    jobs = [schedule.next("cpu") for _ in range(2)]
    (job,) = [job for job in jobs if isinstance(job, CalibrationJob)]
    assert job.codec.spec.name == "dac-mini@9kbps"
    assert job.points == tuple(spec.name for spec in specs)
