"""What a clip's decodes are compared over, and what is left in a worker's memory afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.audio.io import write_flac
from snacbench.errors import Undefined
from snacbench.files import sha256_of_file
from snacbench.rows import Coded, Delay, Score
from snacbench.runner import scoring
from snacbench.runner.scoring import DecodeToScore, ScoringJob, score_clip
from snacbench.types import Audio, Clip, Metric, MetricSpec
from tests.conftest import broadband
from tests.runner.toys import SPEC

DECODES = 3


class Features:
    """Stands for what a metric keeps of a reference."""

    def __init__(self) -> None:
        self.array = np.zeros(1000)


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def toy(name: str) -> MetricSpec:
    return MetricSpec(name, "1", "higher", (0, 9), 16_000, "a toy")


def job(folder: Path, names: tuple[str, ...]) -> ScoringJob:
    audio = broadband(0.5, 16_000)
    path = folder / "clip.flac"
    write_flac(path, audio)
    digest = sha256_of_file(path)
    clip = Clip("set/clip", path, digest, 16_000, 1, audio.num_samples, domain="speech")
    coded = Coded(
        clip.id, SPEC.name, "ok", domain="speech", decoded="clip.flac", decoded_sha256=digest
    )
    decodes = (DecodeToScore(coded, SPEC, names, 0),) * DECODES
    return ScoringJob(clip, decodes, "mono", "source", folder, asked_by_name=True)


@pytest.mark.usefixtures("_no_collector")
def test_a_reference_is_prepared_once_and_freed_after_the_clip(monkeypatch, tmp_path):
    kept: list[weakref.ref[Features]] = []

    def prepare(reference: Audio):
        features = Features()
        kept.append(weakref.ref(features))
        return lambda *, degraded: float(features.array[0])

    def refuse(reference: Audio):
        features = Features()
        kept.append(weakref.ref(features))
        raise Undefined(f"no score, but {len(features.array)} features")

    metrics = {"good": Metric(toy("good"), prepare), "bad": Metric(toy("bad"), refuse)}
    monkeypatch.setattr(scoring, "all_metrics", lambda: metrics)
    rows = [row for row in score_clip(job(tmp_path, tuple(metrics))) if isinstance(row, Score)]
    assert [row.status for row in rows] == ["ok", "undefined"] * DECODES
    assert len(kept) == len(metrics)
    assert [features() for features in kept] == [None, None]


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "returned nan"), (float("inf"), "returned inf"), ("high", "ValueError")],
)
def test_what_is_no_finite_number_is_no_score(monkeypatch, tmp_path, value, message):
    odd = Metric(toy("odd"), lambda reference: lambda *, degraded: value)
    fine = Metric(toy("fine"), lambda reference: lambda *, degraded: np.float32(0.5))
    monkeypatch.setattr(scoring, "all_metrics", lambda: {"odd": odd, "fine": fine})
    rows = [row for row in score_clip(job(tmp_path, ("odd", "fine"))) if isinstance(row, Score)]
    assert [row.status for row in rows] == ["failed", "ok"] * DECODES
    assert message in rows[0].reason
    assert type(rows[1].value) is float


def aligned_job(folder: Path, source: Audio, decodes: list[Audio], delay_s: float) -> ScoringJob:
    def coded_as(name: str, audio: Audio) -> Coded:
        write_flac(folder / name, audio)
        digest = sha256_of_file(folder / name)
        return Coded("set/clip", name, "ok", decoded=name, decoded_sha256=digest)

    reference = coded_as("clip.flac", source)
    clip = Clip(
        "set/clip", folder / "clip.flac", str(reference.decoded_sha256), source.rate_hz,
        source.channels, source.num_samples,
    )  # fmt: skip
    to_score = tuple(
        DecodeToScore(coded_as(f"{n}.flac", audio), SPEC, ("si_sdr", "si_sdr_aligned"), delay_s)
        for n, audio in enumerate(decodes)
    )
    return ScoringJob(clip, to_score, "stereo", "source", folder, asked_by_name=True)


def noisy(audio: Audio) -> Audio:
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal(audio.samples.shape)
    return Audio((audio.samples + noise).astype(np.float32), audio.rate_hz)


def test_aligned_metrics_compare_the_same_part_for_every_lag(tmp_path):
    source = broadband(2.2, 24_000, channels=2)
    decode = noisy(source)
    decodes = [decode, advanced(decode, -5), advanced(decode, 6)]
    rows = score_clip(aligned_job(tmp_path, source, decodes, 0.0))
    values = [row.value for row in rows if isinstance(row, Score) and row.version == "2"]
    assert values == pytest.approx([values[0]] * 3, abs=0.01)
    raw = [row.value for row in rows if isinstance(row, Score) and row.metric == "si_sdr"]
    assert max(raw[1:]) < raw[0] - 10
    assert [r.lag_s * 24_000 for r in rows if isinstance(r, Delay)] == pytest.approx([0, 5, -6])


def test_a_delay_is_entered_once_and_before_the_scores(tmp_path):
    source = broadband(1.0, 24_000)
    job = aligned_job(tmp_path, source, [noisy(source)], 0.0)
    rows = score_clip(job)
    assert [type(row) for row in rows] == [Delay, Score, Score]
    (decode,) = job.decodes
    again = score_clip(replace(job, decodes=(replace(decode, delay_known=True),)))
    assert again == rows[1:]


@pytest.mark.parametrize(("lag_s", "status"), [(0.2, "ok"), (-0.3, "ok"), (0.45, "undefined")])
def test_a_clip_too_short_for_its_delay_has_no_aligned_score(tmp_path, lag_s, status):
    source = broadband(0.8, 24_000)
    late = advanced(noisy(source), -round(lag_s * 24_000))
    rows = score_clip(aligned_job(tmp_path, source, [late], lag_s))
    (row,) = (row for row in rows if isinstance(row, Score) and row.version == "2")
    assert row.status == status
    if status == "undefined":
        assert "the decode comes 450.0 ms late and the clip lasts 0.800 s" in row.reason


def test_another_length_is_undefined_in_seconds(tmp_path):
    source = broadband(1.0, 24_000)
    half = Audio(source.samples[:, :12_000], 24_000)
    rows = score_clip(aligned_job(tmp_path, source, [half], 0.0))
    raw, aligned = (row for row in rows if isinstance(row, Score))
    assert raw.status == aligned.status == "undefined"
    assert "lasts 0.500 s" in raw.reason
    assert "lasts 0.500 s, the clip 1.000 s" in aligned.reason
