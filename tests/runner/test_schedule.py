"""In which order jobs become ready, without a worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from snacbench.errors import WeightsMismatch
from snacbench.plugins import metrics
from snacbench.rows import Calibration, Coded, Score, SpotCheck
from snacbench.runner import schedule as scheduling
from snacbench.runner.coding import CodingJob
from snacbench.runner.contract import Point, SpotJob, VerifyJob
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.pool import DIED_TWICE
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
    work,
)
from snacbench.runner.scoring import ScoringJob
from snacbench.selectors import select
from snacbench.store.folder import RunFolder
from snacbench.store.ledger import Ledger
from snacbench.types import Clip, Measures
from tests.support.synthetic_runs import RUN

SPECS = [spec for _, spec in select("identity,noise@20dB")]
RULES = Rules("mono", "source")
METRICS = [metrics()["si_sdr"].spec, metrics()["mel_dac7"].spec]
CLIPS = {
    name: Clip(name, Path(f"/{name}.wav"), "", 8000, 1, 8000 * (i + 1))
    for i, name in enumerate("abcde")
}
Kind = TypeVar("Kind")


@pytest.fixture
def unchecked(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(SPECS)), [])


@pytest.fixture
def folder(unchecked: RunFolder) -> RunFolder:
    unchecked.append(SpotCheck(spec.name, 2, passed=True) for spec in SPECS)
    return unchecked


def codecs(**changes: object) -> list[PlannedCodec]:
    return [replace(PlannedCodec(s.name, s), **changes) for s in SPECS]  # type: ignore[arg-type]


def schedule_of(
    folder: RunFolder, coding: list[PlannedCodec], rules: Rules = RULES
) -> tuple[Schedule, Ledger]:
    ledger = Ledger(folder, SPECS, METRICS)
    return Schedule(ledger, CLIPS, SPECS, rules, coding), ledger


def next_of(kind: type[Kind], schedule: Schedule, lane: str = "cpu") -> Kind:
    """The next job, which is of this kind."""
    job = schedule.next(lane)
    assert isinstance(job, kind)
    return job


def rows_for(job: Job) -> Rows:
    if isinstance(job, CalibrationJob):
        return [Calibration(point, 0.001, 1.0, 1.0, True) for point in job.points]
    if isinstance(job, VerifyJob):
        reasons = {p.codec.spec.name: "why" * (p.codec.spec is SPECS[0]) for p in job.points}
        return [SpotCheck(name, 2, not reason, reason) for name, reason in reasons.items()]
    if isinstance(job, CodingJob):
        return [Coded(clip.id, job.codec.spec.name, "ok") for clip in job.clips]
    if isinstance(job, ScoringJob):
        return [
            Score(d.coded.clip, d.coded.codec, m, metrics()[m].spec.version, "ok", 1.0)
            for d in job.decodes
            for m in d.metrics
        ]
    return []


def finish(
    schedule: Schedule, ledger: Ledger, job: Job, rows: Rows | None = None
) -> tuple[str, int]:
    found = rows_for(job) if rows is None else rows
    ledger.append(schedule.rows_to_keep(job, found))
    return schedule.done(job, found)


def label(job: Job) -> str:
    if isinstance(job, CodingJob):
        return f"{job.codec.spec.model} {''.join(c.id for c in job.clips)}"
    if isinstance(job, ScoringJob):
        return f"score {job.clip.id}"
    if isinstance(job, SpotJob | VerifyJob):
        return f"{type(job).__name__} {len(job.points)}"
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
    monkeypatch.setattr(scheduling, "ROUND_CLIPS", 2)
    schedule, ledger = schedule_of(folder, codecs())
    assert schedule.steps == {SPOT: 0, CALIBRATE: 2, COMPARE: 0, CODE: 10, SCORE: 5}
    assert run_all(schedule, ledger) == [
        "CalibrationJob identity", "identity a", "identity b",
        "CalibrationJob noise", "noise a", "score a", "noise b", "score b",
        "identity c", "identity d", "noise c", "score c", "noise d", "score d",
        "identity e", "noise e", "score e",
    ]  # fmt: skip


def test_a_point_codes_once_a_second_process_has_decoded_what_it_encoded(
    unchecked: RunFolder,
) -> None:
    schedule, ledger = schedule_of(unchecked, codecs())
    assert schedule.steps[SPOT] == 2
    first = next_of(SpotJob, schedule)
    ((codec, clips),) = first.points
    assert codec.spec.name == "identity"
    assert len({clip.id for clip in clips}) == 4
    seen = []
    while (job := schedule.next("cpu")) is not None:
        seen.append(label(job))
    assert seen == ["CalibrationJob identity", "SpotJob 1", "CalibrationJob noise"]
    assert schedule.next(CHECK) is None
    assert finish(schedule, ledger, first, [Point(codec)]) == (SPOT, 0)
    verify = next_of(VerifyJob, schedule, CHECK)
    assert schedule.apart(verify) == [verify]
    assert schedule.lost(verify, "it died") == [
        SpotCheck("identity", 0, False, "spot check: another process cannot decode it: it died")
    ]
    assert schedule.next("cpu") is None
    assert finish(schedule, ledger, verify) == (SPOT, 1)
    assert next_of(CodingJob, schedule).refused == "why"
    again, _ = schedule_of(unchecked, codecs())
    assert again.steps[SPOT] == 1
    coding = next(iter(j for _ in range(9) if isinstance(j := again.next("cpu"), CodingJob)))
    assert (coding.codec.spec.name, coding.refused) == ("identity", "why")


def test_a_codec_that_ends_its_worker_will_do_so_on_clips_too(unchecked: RunFolder) -> None:
    schedule, _ = schedule_of(unchecked, codecs())
    first = next_of(SpotJob, schedule)
    assert schedule.lost(first, "it died") == []
    assert schedule.done(first, []) == (SPOT, 1)
    jobs = [schedule.next("cpu") for _ in range(4)]
    assert [job.refused for job in jobs if isinstance(job, CodingJob)] == ["", "", ""]


def failing(schedule: Schedule, ledger: Ledger, reasons: list[str]) -> list[str]:
    """Why each coding of the first codec was refused; what is coded fails for these reasons."""
    refused, left = [], iter(reasons)
    while (job := schedule.next("cpu")) is not None:
        rows = rows_for(job)
        if isinstance(job, CodingJob) and job.codec.spec is SPECS[0]:
            refused.append(job.refused)
            reason = job.refused or next(left)
            rows = [Coded(job.clips[0].id, "identity", "failed", reason)] if reason else rows
        finish(schedule, ledger, job, rows)
    return refused


ALIKE = [f"IndexError: {n} of 3\nlines (mine.py:7)" for n in range(5)]


@pytest.mark.parametrize(
    ("reasons", "stopped"),
    [
        (ALIKE[:3], True),
        ([DIED_TWICE] * 3, True),
        (["no such file", *ALIKE[:3]], True),
        ([*ALIKE[:2], "IndexError: x (mine.py:8)", "", ""], False),
        (["", *ALIKE[:4]], False),
        ([f"the decode is silent: {n}" for n in range(5)], False),
    ],
)
def test_a_codec_whose_first_codings_fail_alike_is_stopped_and_others_go_on(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, reasons: list[str], stopped: bool
) -> None:
    monkeypatch.setattr(scheduling, "_ALIKE", 3)
    schedule, ledger = schedule_of(folder, codecs())
    refused = failing(schedule, ledger, reasons)
    rows = {(r.clip, r.codec): r for r in folder.read(Coded)}
    assert len(rows) == 10
    assert all(rows[clip, "noise@20dB"].status == "ok" for clip in CLIPS)
    if not stopped:
        assert refused == [""] * 5
        assert not schedule.said
        return
    tried = len(reasons)
    reason = f"stopped: its first 3 clips failed alike, the last one by {reasons[-1]}"
    assert refused == [""] * tried + [reason] * (5 - tried)
    assert rows["e", "identity"].reason == reason
    (said,) = schedule.said
    assert said.startswith(f"identity is {reason}; once that is mended, go on with --resume")


def test_nothing_is_scored_before_every_delay_is_known(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, codecs())
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
    assert [d.delay_s for d in next_of(ScoringJob, schedule).decodes] == [0.001, 0.001]


@pytest.mark.parametrize("steps", range(0, 17, 4))
def test_a_schedule_made_anew_at_any_point_does_the_rest_and_no_more(
    folder: RunFolder, steps: int
) -> None:
    schedule, ledger = schedule_of(folder, codecs())
    done = []
    for _ in range(steps):
        job = schedule.next("cpu")
        assert job is not None
        done.append(label(job))
        finish(schedule, ledger, job)
    again, ledger = schedule_of(folder, codecs())
    left = again.steps
    rest = run_all(again, ledger)
    assert len(rest) == sum(left.values())
    assert sorted(done + rest) == sorted(set(done + rest))
    assert len(done + rest) == 17
    assert not sum(schedule_of(folder, codecs())[0].steps.values())


def test_the_gpu_codes_in_chunks_of_like_length_while_the_cpu_scores(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "MAX_BATCH", 2)
    monkeypatch.setattr(scheduling, "_CHUNK_BATCHES", 1)
    own = [*codecs(device="cuda", batch=None)[:1], *codecs()[1:]]
    seen = run_all(*schedule_of(folder, own), ("cuda", "cpu"))
    chunks = [job for job in seen if job.startswith("identity")]
    assert chunks == ["identity ab", "identity cd", "identity e"]
    assert "score a" in seen[:12]


@pytest.mark.parametrize(
    ("how", "chunks"),
    [
        ({"device": "cuda", "batch": None}, ["abc", "d", "e"]),  # so much audio and no more
        ({"batch": 2}, ["ab", "cd", "e"]),  # on the CPU no more than a batch
    ],
)
def test_a_worker_that_reads_ahead_holds_so_much_and_no_more(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, how: dict[str, object], chunks: list[str]
) -> None:
    monkeypatch.setattr(scheduling, "_CHUNK_S", 7.0)
    schedule, ledger = schedule_of(folder, codecs(**how)[:1])
    seen = run_all(schedule, ledger, (str(how.get("device", "cpu")),))
    assert seen[1:4] == [f"identity {chunk}" for chunk in chunks]


def test_reduced_precision_is_compared_before_anything_is_coded(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, codecs(precision="bf16"))
    assert schedule.steps[COMPARE] == 2
    seen = run_all(schedule, ledger)
    assert seen.index("AgreementJob identity") < seen.index("identity a")
    assert seen.index("AgreementJob noise") < seen.index("noise a")


def test_scoring_alone_takes_what_is_coded_and_measures_a_clip_once(folder: RunFolder) -> None:
    ledger = Ledger(folder, SPECS, METRICS)
    ledger.append([Coded("b", "identity", "ok"), Coded("d", "identity", "failed", "why")])
    known = replace(CLIPS["b"], measures=Measures(8000.0, -20.0, -1.0, 0))
    schedule = Schedule(ledger, {**CLIPS, "b": known}, SPECS, RULES)
    assert schedule.steps == {SPOT: 0, CALIBRATE: 0, COMPARE: 0, CODE: 0, SCORE: 2}
    jobs = [next_of(ScoringJob, schedule) for _ in "bd"]
    assert [(job.clip.id, job.measure) for job in jobs] == [("b", False), ("d", True)]
    assert schedule.next("cpu") is None


@pytest.mark.parametrize("keep", [True, False])
def test_decoded_audio_stays_unless_it_is_not_to_be_kept(folder: RunFolder, keep: bool) -> None:
    path = folder.decoded_path("a", "identity")
    path.parent.mkdir(parents=True)
    path.touch()
    folder.append([Coded("a", "identity", "ok", decoded=str(path.relative_to(folder.path)))])
    schedule, ledger = schedule_of(folder, [], replace(RULES, keep_decoded=keep))
    finish(schedule, ledger, next_of(ScoringJob, schedule))
    assert path.exists() is keep


def test_lost_jobs_leave_their_rows(folder: RunFolder) -> None:
    schedule, ledger = schedule_of(folder, codecs(batch=2))
    calibration, coding = next_of(CalibrationJob, schedule), next_of(CodingJob, schedule)
    assert schedule.apart(calibration) == [calibration]
    parts = schedule.apart(coding)
    assert [label(part) for part in parts] == ["identity a", "identity b"]
    assert {part.batch for part in parts if isinstance(part, CodingJob)} == {1}
    (row,) = schedule.lost(parts[0], "why")
    assert row == Coded("a", "identity", "failed", "why", duration_s=1.0)
    assert schedule.lost(calibration, "why") == [Calibration("identity", 0.0, 0.0, 0.0, False)]
    assert schedule.lost(AgreementJob(coding.codec), "why") == []
    ledger.append([Coded("a", "identity", "ok")])
    rows = schedule.lost(next_of(ScoringJob, schedule_of(folder, [])[0]), "why")
    assert [(r.metric, r.status, r.reason) for r in rows if isinstance(r, Score)] == [
        ("si_sdr", "failed", "why"),
        ("mel_dac7", "failed", "why"),
    ]


def test_a_codec_that_fails_on_the_excerpts_goes_on_to_fail_on_its_clips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(codec: PlannedCodec) -> Calibration:
        raise ValueError("a bug of the codec's")

    def mistaken(codec: PlannedCodec) -> Calibration:
        raise WeightsMismatch("damaged")

    monkeypatch.setattr(scheduling, "calibrate", broken)
    monkeypatch.setattr(scheduling, "agreement", broken)
    job = CalibrationJob(codecs()[0], ("p", "q"))
    assert work(job) == [Calibration(p, 0.0, 0.0, 0.0, found=False) for p in ("p", "q")]
    assert work(AgreementJob(job.codec)) == []
    monkeypatch.setattr(scheduling, "calibrate", mistaken)
    with pytest.raises(WeightsMismatch, match="damaged"):
        work(job)


@pytest.mark.parametrize("chosen", ["dac-mini@3q", "dac-mini@2q,dac-mini@3q", "dac-mini@9q"])
def test_a_networks_delay_does_not_depend_on_which_of_its_points_are_run(
    tmp_path: Path, chosen: str
) -> None:
    specs = [spec for _, spec in select(chosen)]
    folder = RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(specs)), [])
    coding = [PlannedCodec(spec.model, spec) for spec in specs]
    schedule = Schedule(Ledger(folder, specs, METRICS), {}, specs, RULES, coding)
    assert schedule.steps[CALIBRATE] == 1
    job = next_of(CalibrationJob, schedule)
    assert job.codec.spec.name == "dac-mini@9kbps"
    assert job.points == tuple(spec.name for spec in specs)
