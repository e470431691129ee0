"""Metrics that need something before a run, and what a run records of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snacbench.audio.io import sha256_of_file, write_flac
from snacbench.errors import StoreError, UserError
from snacbench.rows import Coded, Run, Score
from snacbench.runner import scoring
from snacbench.runner.scoring import DecodeToScore, ScoringJob, score_clip
from snacbench.runner.versions import facts_of, make_ready, scored_too
from snacbench.types import Audio, Clip, Metric, MetricSpec
from tests.conftest import broadband
from tests.runner.toys import SPEC
from tests.synthetic_runs import RUN

WORDS = MetricSpec(
    "words", "1", "higher", (0, 9), 16_000, "a toy", domains=("speech",), needs_transcript=True
)


@pytest.fixture
def run_like() -> Run:
    """A run that was made by other metrics."""
    return replace(RUN, facts={"torch": "2"})


def counting(reference: Audio, transcript: str):
    return lambda *, degraded: float(len(transcript.split()))


def toy(facts: dict[str, str] | None = None, **kwargs) -> Metric:
    return Metric(
        WORDS,
        prepare=lambda reference: pytest.fail("the transcript was not handed over"),
        prepare_spoken=counting,
        versions=lambda: facts or {},
        **kwargs,
    )


@pytest.mark.parametrize(
    ("domain", "transcript", "expected"),
    [
        ("speech", "three words here", ("ok", 3.0, "")),
        ("speech", None, ("skipped", None, "words compares words, the test set states no")),
        ("music", "la la", ("skipped", None, "words is for speech, the clip is music")),
    ],
)
def test_transcripts_reach_the_metric(monkeypatch, tmp_path, domain, transcript, expected):
    monkeypatch.setattr(scoring, "all_metrics", lambda: {"words": toy()})
    audio = broadband(1.0, 16_000)
    path = tmp_path / "clip.flac"
    write_flac(path, audio)
    digest = sha256_of_file(path)
    clip = Clip("set/clip", path, digest, 16_000, 1, audio.num_samples, domain=domain,
                transcript=transcript)  # fmt: skip
    coded = Coded(clip.id, SPEC.name, "ok", domain=domain, decoded="clip.flac",
                  decoded_sha256=digest)  # fmt: skip
    decode = DecodeToScore(coded, SPEC, ("words",), 0)
    job = ScoringJob(clip, (decode,), "mono", "source", tmp_path, asked_by_name=True)
    (row,) = [row for row in score_clip(job) if isinstance(row, Score)]
    assert (row.status, row.value) == expected[:2]
    assert row.reason.startswith(expected[2])


def test_a_metric_that_is_not_ready_ends_the_run_before_it_begins():
    def refuse() -> None:
        raise UserError("not today")

    with pytest.raises(UserError, match="not today"):
        make_ready([toy(ready=refuse)])


def test_later_scores_enter_the_record_of_the_run(run_like):
    metric = toy({"asr": "parrot, 1", "jiwer": "4"})
    after = scored_too(run_like, [metric], place="RUN")
    assert after.metrics[-1] == WORDS
    assert after.facts == {"torch": "2", "asr": "parrot, 1", "jiwer": "4"}
    again = scored_too(after, [metric], place="RUN")
    assert [spec.name for spec in again.metrics].count("words") == 1
    assert facts_of([metric]) == {"asr": "parrot, 1", "jiwer": "4"}


def test_two_recognisers_do_not_mix_in_one_run(run_like):
    heard = replace(run_like, facts={"asr": "parrot, 1"})
    with pytest.raises(StoreError, match="RUN was scored by the recogniser parrot, 1, and this"):
        scored_too(heard, [toy({"asr": "magpie, 1"})], place="RUN")


def test_what_fails_before_a_run_is_named() -> None:
    def fail() -> None:
        raise OSError("no such file")

    with pytest.raises(UserError, match=r"words fails before the run \(OSError: no such file\)"):
        make_ready([replace(toy(), ready=fail)])
    with pytest.raises(UserError, match="words fails before the run"):
        facts_of([replace(toy(), versions=fail)])
