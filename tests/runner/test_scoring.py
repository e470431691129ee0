"""What is left of a clip in a worker's memory once it is scored."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.io import sha256_of_file, write_flac
from snacbench.errors import Undefined
from snacbench.rows import Coded, Score
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
