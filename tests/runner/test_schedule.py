"""In which order jobs become ready, without a worker."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from unittest.mock import Mock

import pytest

from snacbench.errors import WeightsMismatch
from snacbench.plugins import metrics
from snacbench.request import Request
from snacbench.rows import Calibration, Coded, Score, SpotCheck
from snacbench.runner import preparing
from snacbench.runner import schedule as scheduling
from snacbench.runner.coding import CodingJob
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.pool import DIED_TWICE, Job
from snacbench.runner.preparing import Point, PreparationJob, VerifyJob
from snacbench.runner.schedule import CHECK, CODE, PREPARE, SCORE, Schedule
from snacbench.runner.scoring import ScoringJob
from snacbench.selectors import select
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import RunFolder
from snacbench.types import Clip, Measures
from tests.support.synthetic_runs import RUN

SPECS = [spec for _, spec in select("identity,noise@20dB")]
METRICS = [metrics()["si_sdr"].spec, metrics()["mel_dac7"].spec]
CLIPS = [
    Clip(name, Path(f"/{name}.wav"), "", 8000, 1, 8000 * (i + 1)) for i, name in enumerate("abcde")
]
Kind = TypeVar("Kind")


@pytest.fixture
def unchecked(tmp_path):
    return RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(SPECS)), [])


@pytest.fixture
def folder(unchecked):
    unchecked.append(SpotCheck(spec.name, 2, passed=True) for spec in SPECS)
    return unchecked


def codecs(**changes):
    return [replace(PlannedCodec(s.model, s), **changes) for s in SPECS]  # type: ignore[arg-type]


def schedule_of(folder, coding, **asked):
    return Schedule(Ledger(folder, SPECS, METRICS), CLIPS, Request(**asked), coding)


def next_of(kind, schedule, lane="cpu"):
    """The next job, which is of this kind."""
    job = schedule.next(lane)
    assert isinstance(job, kind)
    return job


def rows_for(job):
    if isinstance(job, PreparationJob):
        late = [Calibration(n, 0.001, 1.0, 1.0, True) for _, names in job.delays for n in names]
        return [*(Point(codec) for codec, _ in job.spots), *late]
    if isinstance(job, VerifyJob):
        reasons = {p.codec.spec.name: "why" * (p.codec.spec is SPECS[0]) for p in job.points}
        return [SpotCheck(name, 2, not reason, reason) for name, reason in reasons.items()]
    if isinstance(job, CodingJob):
        return [Coded(clip.id, job.points[0].spec.name, "ok") for clip in job.clips]
    if isinstance(job, ScoringJob):
        scored = ((d.coded, m) for d in job.decodes for m in d.metrics)
        return [Score(coded.clip, coded.codec, m, metrics()[m].spec.version, "ok", 1.0)
                for coded, m in scored]  # fmt: skip
    return []


def label(job):
    if isinstance(job, CodingJob):
        return f"{job.points[0].spec.model} {''.join(c.id for c in job.clips)}"
    if isinstance(job, ScoringJob):
        return f"score {job.clip.id}"
    ((codec, _), *_) = job.spots or job.delays
    return f"prepare {codec.spec.model}"


def run_all(schedule, lanes=("cpu",)):
    seen = []
    while jobs := [job for lane in lanes if (job := schedule.next(lane)) is not None]:
        for job in jobs:
            seen.append(label(job))
            schedule.done(job, rows_for(job))
    return seen


def test_rounds_of_clips_codec_by_codec_and_scores_as_soon_as_all_have_coded(folder, monkeypatch):
    monkeypatch.setattr(scheduling, "ROUND_CLIPS", 2)
    schedule = schedule_of(folder, codecs())
    assert schedule.steps == {PREPARE: 2, CODE: 10, SCORE: 5}
    assert run_all(schedule) == [
        "prepare identity", "identity a", "identity b",
        "prepare noise", "noise a", "score a", "noise b", "score b",
        "identity c", "identity d", "noise c", "score c", "noise d", "score d",
        "identity e", "noise e", "score e",
    ]  # fmt: skip


def test_a_point_codes_once_a_second_process_has_decoded_what_it_encoded(unchecked):
    schedule = schedule_of(unchecked, codecs())
    first, other = iter(lambda: schedule.next("cpu"), None)
    ((codec, clips),) = first.spots
    assert (codec.spec.name, len({clip.id for clip in clips})) == ("identity", 4)
    assert schedule.next(CHECK) is None
    assert schedule.done(first, [Point(codec)]) == (PREPARE, 1)
    verify = next_of(VerifyJob, schedule, CHECK)
    assert verify.apart() == [verify]
    why = "spot check: another process cannot decode it: it died"
    assert verify.lost("it died") == [SpotCheck("identity", 0, False, why)]
    assert schedule.next("cpu") is None
    assert schedule.done(verify, rows_for(verify)) == (PREPARE, 1)
    assert next_of(CodingJob, schedule).refused == "why"
    # A codec that ends its worker will do so on clips, too.
    spot, delay = other.apart()
    assert spot.lost("it died") == []
    assert schedule.done(spot, []) == (PREPARE, 1)
    assert delay.delays == other.delays
    again = schedule_of(unchecked, codecs())
    assert again.steps[PREPARE] == 3
    coding = next(iter(j for _ in range(9) if isinstance(j := again.next("cpu"), CodingJob)))
    assert (coding.points[0].spec.name, coding.refused) == ("identity", "why")


FAULTS = [f"IndexError: {n} of 3\nlines (mine.py:7)" for n in range(5)]


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize(("reasons", "before", "stopped"), [
    (FAULTS[:3], FAULTS[4], True),
    ([DIED_TWICE] * 3, DIED_TWICE, True),
    (FAULTS, "", False),
    (FAULTS, "IndexError: elsewhere (mine.py:8)", False),
    ([*FAULTS[:2], "IndexError: x (mine.py:8)", "", ""], FAULTS[4], False),
    ([f"the decode is silent: {n}" for n in range(5)], "", False),
])  # fmt: skip
def test_a_codec_that_fails_on_excerpts_and_alike_on_its_first_clips_is_stopped(
        folder, monkeypatch, reasons, before, stopped, resumed):  # fmt: skip
    monkeypatch.setattr(scheduling, "ALIKE", 3)
    schedule = schedule_of(folder, codecs())
    refused, left = [], iter(reasons)
    while (job := schedule.next("cpu")) is not None:
        if resumed and len(refused) == 2 and isinstance(job, CodingJob):
            resumed, schedule = False, schedule_of(folder, codecs())
            continue
        rows = rows_for(job)
        if isinstance(job, PreparationJob):
            rows = [replace(r, reason=before) if isinstance(r, Calibration) else r for r in rows]
        elif isinstance(job, CodingJob) and job.points[0].spec is SPECS[0]:
            refused.append(job.refused)
            reason = job.refused or next(left)
            rows = [Coded(job.clips[0].id, "identity", "failed", reason)] if reason else rows
        schedule.done(job, rows)
    coded = {(r.clip, r.codec): r for r in folder.read(Coded)}
    assert len(coded) == 10
    assert all(coded[clip.id, "noise@20dB"].status == "ok" for clip in CLIPS)
    if not stopped:
        assert (refused, schedule.said) == ([""] * 5, [])
        return
    tried = len(reasons)
    reason = f"stopped: its first 3 clips failed alike, the last one by {reasons[-1]}"
    assert refused == [""] * tried + [reason] * (5 - tried)
    assert coded["e", "identity"].reason == reason
    (said,) = schedule.said
    assert said.startswith(f"identity is {reason}; once that is mended, go on with --resume")


def test_nothing_is_scored_before_every_delay_is_known(folder):
    schedule = schedule_of(folder, codecs())
    jobs = list(iter(lambda: schedule.next("cpu"), None))
    for job in (job for job in jobs if isinstance(job, CodingJob)):
        assert schedule.done(job, rows_for(job)) == (CODE, 1)
    for job in (job for job in jobs if isinstance(job, PreparationJob)):
        assert schedule.next("cpu") is None
        assert schedule.done(job, rows_for(job)) == (PREPARE, 1)
    assert [d.delay_s for d in next_of(ScoringJob, schedule).decodes] == [0.001, 0.001]


@pytest.mark.parametrize("steps", range(0, 17, 4))
def test_a_schedule_made_anew_at_any_point_does_the_rest_and_no_more(folder, steps):
    schedule = schedule_of(folder, codecs())
    done = []
    for _ in range(steps):
        job = next_of(Job, schedule)
        done.append(label(job))
        schedule.done(job, rows_for(job))
    again = schedule_of(folder, codecs())
    left = again.steps
    rest = run_all(again)
    assert len(rest) == sum(left.values())
    assert len(set(done + rest)) == len(done + rest) == 17


@pytest.mark.parametrize(("how", "limits", "chunks"), [
    ({"device": "cuda", "batch": None}, {"MAX_BATCH": 2, "CHUNK_BATCHES": 1}, "ab cd e"),
    ({"device": "cuda", "batch": None}, {"CHUNK_S": 7.0}, "abc d e"),  # so much audio
    ({"batch": 2}, {"CHUNK_S": 7.0}, "ab cd e"),  # on the CPU no more than a batch
])  # fmt: skip
def test_the_gpu_codes_in_chunks_of_like_length_while_the_cpu_scores(folder, monkeypatch, how,
                                                                     limits, chunks):  # fmt: skip
    for name, value in limits.items():
        monkeypatch.setattr(scheduling, name, value)
    seen = run_all(schedule_of(folder, [*codecs(**how)[:1], *codecs()[1:]]), ("cuda", "cpu"))
    coded = [job for job in seen if job.startswith("identity")]
    assert coded == [f"identity {chunk}" for chunk in chunks.split()]
    assert "score a" in seen[:12]


def test_reduced_precision_is_compared_before_anything_is_coded(folder):
    schedule = schedule_of(folder, codecs(precision="bf16"))
    assert schedule.steps[PREPARE] == 4
    for name in ("identity", "noise@20dB"):
        job = next_of(PreparationJob, schedule)
        assert [codec.spec.name for codec in job.reduced] == [name]
        assert job.apart()[-1].reduced == job.reduced
        coding = [next_of(CodingJob, schedule) for _ in CLIPS]
        assert {job.points[0].spec.name for job in coding} == {name}


def test_scoring_alone_takes_what_is_coded_and_measures_a_clip_once(folder):
    ledger = Ledger(folder, SPECS, METRICS)
    ledger.append([Coded("b", "identity", "ok"), Coded("d", "identity", "failed", "why")])
    first, known, *others = CLIPS
    known = replace(known, measures=Measures(8000.0, -20.0, -1.0, 0))
    schedule = Schedule(ledger, [first, known, *others], Request())
    assert schedule.steps == {PREPARE: 0, CODE: 0, SCORE: 2}
    jobs = list(iter(lambda: schedule.next("cpu"), None))
    assert [(job.clip.id, job.measure) for job in jobs] == [("b", False), ("d", True)]


def test_decoded_audio_stays_unless_it_is_not_to_be_kept(folder):
    for clip, keep in (("a", True), ("b", False)):
        path = folder.decoded_path(clip, "identity")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        folder.append([Coded(clip, "identity", "ok", decoded=str(path.relative_to(folder.path)))])
        schedule = schedule_of(folder, [], keep_decoded=keep)
        schedule.done(job := next_of(ScoringJob, schedule), rows_for(job))
        assert path.exists() is keep


def test_lost_jobs_leave_their_rows(folder):
    schedule = schedule_of(folder, codecs(batch=2))
    preparation, coding = next_of(PreparationJob, schedule), next_of(CodingJob, schedule)
    assert preparation.apart() == [preparation]
    assert preparation.lost("why") == [Calibration("identity", 0.0, 0.0, 0.0, False, reason="why")]
    parts = coding.apart()
    assert [(label(p), p.points[0].batch) for p in parts] == [("identity a", 1), ("identity b", 1)]
    assert parts[0].lost("why") == [Coded("a", "identity", "failed", "why", duration_s=1.0)]
    folder.append([Coded("a", "identity", "ok")])
    rows = next_of(ScoringJob, schedule_of(folder, [])).lost("why")
    lost = [(row.metric, row.status, row.reason) for row in rows]
    assert lost == [(name, "failed", "why") for name in ("si_sdr", "mel_dac7")]


def test_a_codec_that_fails_on_the_excerpts_goes_on_to_fail_on_its_clips(monkeypatch):
    load = Mock(side_effect=ValueError("a bug of the codec's"))
    monkeypatch.setattr(preparing, "load", load)
    codec = codecs()[0]
    job = PreparationJob(Request(), delays=((codec, ("p", "q")),), reduced=(codec,))
    rows = job.run()
    nothing = [Calibration(name, 0.0, 0.0, 0.0, found=False) for name in ("p", "q")]
    assert [replace(row, reason="") for row in rows] == nothing
    assert all(row.reason.startswith("ValueError: a bug of the codec's (") for row in rows)
    load.side_effect = WeightsMismatch("damaged")
    for part in job.apart():
        with pytest.raises(WeightsMismatch, match="damaged"):
            part.run()


@pytest.mark.parametrize("chosen", ["dac-mini@3q", "dac-mini@2q,dac-mini@3q", "dac-mini@9q"])
def test_a_networks_delay_does_not_depend_on_which_of_its_points_are_run(tmp_path, chosen):
    specs = [spec for _, spec in select(chosen)]
    folder = RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(specs)), [])
    coding = [PlannedCodec(spec.model, spec) for spec in specs]
    schedule = Schedule(Ledger(folder, specs, METRICS), [], Request(), coding)
    assert schedule.steps[PREPARE] == 1
    ((codec, names),) = next_of(PreparationJob, schedule).delays
    assert codec.spec.name == "dac-mini@9kbps"
    assert names == tuple(spec.name for spec in specs)


@pytest.mark.parametrize("reason", ["", "why"])
def test_points_share_encodings_and_what_is_found_of_them_without_a_condition(
    tmp_path, monkeypatch, reason
):
    monkeypatch.setattr(scheduling, "MOST_POINTS", 3)
    bases = one, two = [spec for _, spec in select("dac-mini@1q,dac-mini@2q")]
    names = ("loss@5%", "noise@9dB", "noise:clean@9dB", "cascade@3", "cascade@2")
    specs = [*bases, *(spec.under(name) for name in names for spec in bases)]
    folder = RunFolder.create(tmp_path / "run", replace(RUN, codecs=tuple(specs)), [])
    coding = [PlannedCodec("dac-mini", spec) for spec in specs]
    schedule = Schedule(Ledger(folder, specs, METRICS), CLIPS[:1], Request(), coding)
    assert (schedule.steps[PREPARE], schedule.steps[CODE]) == (3, 12)
    schedule.done(job := next_of(PreparationJob, schedule), rows_for(job))
    job = next_of(VerifyJob, schedule, CHECK)
    schedule.done(job, [SpotCheck(one.name, 2, not reason, reason), SpotCheck(two.name, 2, True)])
    jobs = [j for j in iter(lambda: schedule.next("cpu"), None) if isinstance(j, CodingJob)]
    shared = [(two, ""), (two, names[0]), (one, ""), (one, names[0])]
    shared = [shared, [(spec, name) for spec in (two, one) for name in names[1:3]]]
    shared += [[(spec, name) for name in names[:2:-1]] for spec in bases]
    fit = [[pair for pair in group if not reason or pair[0] is two] for group in shared]
    fit = [part for group in fit for part in (group[:3], group[3:]) if part]
    begun = [job.points for job in jobs if not job.refused]
    coded = [[(p.base.spec.name, p.spec.condition) for p in points] for points in begun]
    assert coded == [[(spec.name, name) for spec, name in group] for group in fit]
    refused = [point.spec for j in jobs if j.refused == "why" for point in j.points]
    assert [spec.without_condition for spec in refused] == [one] * (6 if reason else 0)
    folder.append(Coded("a", spec.name, "ok", condition=spec.condition) for spec in specs)
    again = Schedule(Ledger(folder, specs, METRICS), CLIPS, Request())
    late = {d.spec.condition: d.delay_s for d in next_of(ScoringJob, again).decodes}
    assert late == {"": 0.001, **dict.fromkeys(names, 0.001), names[3]: 0.003, names[4]: 0.002}
