"""The spot check: what a codec hides from its bits, and what it lawfully does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import CodecError, WeightsMismatch
from snacbench.rows import SpotCheck
from snacbench.runner import contract as spot
from snacbench.runner.contract import Point, SpotJob, VerifyJob
from snacbench.types import Audio, Clip, Encoded
from tests.runner.toys import SPEC, TOY, Sender, loaded_toy, make_clip, samples_of


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    whole = [make_clip(tmp_path, name, 17_000 + i) for i, name in enumerate("abc")]
    return (Clip("gone", tmp_path / "gone.wav", "", 16_000, 1, 17_000), *whole)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...]) -> Any:
    """What the first process hands on, and the row that the second one makes of it."""

    def of(make: Callable[[], Sender], first: int = 4) -> tuple[Point, SpotCheck]:
        planned = replace(TOY, spec=make().spec)
        loaded = loaded_toy(make(), planned=planned)
        monkeypatch.setattr(spot, "load", lambda planned: loaded)
        (point,) = spot.encode_points(SpotJob(((planned, clips[:first]),), "mono", 0))
        fresh = loaded_toy(make(), planned=planned)
        monkeypatch.setattr(spot, "load", lambda planned: fresh)
        (row,) = spot.verify(VerifyJob((point,)))  # type: ignore[arg-type]
        return point, row  # type: ignore[return-value]

    return of


def empty(codec: Sender, audio: Audio) -> Encoded:
    codec.memory = audio.samples
    return Encoded(audio.num_samples, audio.channels, audio.rate_hz)


def test_a_codec_that_keeps_to_its_bits_passes_on_excerpts_of_two_clips(checked: Any) -> None:
    point, row = checked(Sender)
    assert row == SpotCheck("toy", 2, passed=True)
    assert [e.decoded.num_samples for e in point.excerpts] == [8_000, 8_000]

    def noise(codec: Sender, encoded: Encoded, seed: int) -> Any:
        return np.random.default_rng(seed).normal(size=(1, encoded.num_samples))

    assert checked(lambda: Sender(replace(SPEC, stochastic=True), tweak=noise))[1].passed

    def short(codec: Sender, audio: Audio) -> Encoded:
        if audio.num_samples < 16_000:
            raise CodecError("takes a second or more")
        return Encoded(audio.num_samples, 1, audio.rate_hz, packets=(audio.samples.tobytes(),))

    point, row = checked(lambda: Sender(sent=short))
    assert row == SpotCheck("toy", 2, passed=True)
    assert {e.decoded.num_samples for e in point.excerpts} == {17_000, 17_001}


@pytest.mark.parametrize(
    ("sent", "tweak", "message"),
    [
        (empty, lambda c, e, s: c.memory, "decoding the same codes twice gave other audio"),
        (empty, lambda c, e, s: np.zeros((1, e.num_samples)) if c.memory is None else
         np.ones((1, e.num_samples)), "another process decoded what was written to other audio"),
        (None, lambda c, e, s: samples_of(e) + c.calls, "decoding the same codes twice gave other"),
        (None, lambda c, e, s: np.random.default_rng().normal(size=(1, e.num_samples)), "twice"),
        (None, lambda c, e, s: samples_of(e) * (s % 1000), "randomness that is not declared"),
        (
            lambda c, a: Encoded(a.num_samples, 1, a.rate_hz, packets=(b"%d" % c.calls,)),
            lambda c, e, s: np.zeros((1, e.num_samples)),
            "encoding the same signal twice gave other bits",
        ),
        (
            lambda c, a: Encoded(a.num_samples, 1, a.rate_hz, codes=(np.array([[-1]], np.int32),)),
            lambda c, e, s: np.zeros((1, e.num_samples)),
            "what it encodes cannot be written down",
        ),
        (None, lambda c, e, s: samples_of(e) if c.calls < 5 else 1 / 0, "once it cannot again"),
    ],
)  # fmt: skip
def test_what_is_hidden_from_the_bits_is_found(
    checked: Any, sent: Any, tweak: Any, message: str
) -> None:
    _, row = checked(lambda: Sender(sent=sent, tweak=tweak))
    assert not row.passed
    assert row.reason.startswith("spot check: ")
    assert message in row.reason


def test_a_decoder_that_fails_elsewhere(checked: Any) -> None:
    made: list[Sender] = []

    def make() -> Sender:
        made.append(Sender(tweak=lambda c, e, s: samples_of(e) if c is made[1] else 1 / 0))
        return made[-1]

    _, row = checked(make)
    assert "another process cannot decode what was written" in row.reason
    assert "ZeroDivisionError" in row.reason


def test_what_lies_in_a_temporary_folder_is_out_of_sight(
    monkeypatch: pytest.MonkeyPatch, checked: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def hide(codec: Sender, audio: Audio) -> Encoded:
        (Path(tempfile.gettempdir()) / "hidden").write_bytes(audio.samples.tobytes())
        return Encoded(audio.num_samples, 1, audio.rate_hz)

    def seek(codec: Sender, encoded: Encoded, seed: int) -> Any:
        data = (Path(tempfile.gettempdir()) / "hidden").read_bytes()
        return np.frombuffer(data, "<f4").reshape(1, -1)

    _, row = checked(lambda: Sender(sent=hide, tweak=seek), first=2)
    assert "another process cannot decode" in row.reason
    assert tempfile.gettempdir() == str(tmp_path)


def test_codecs_that_fail_on_clips_are_left_to_their_rows(
    monkeypatch: pytest.MonkeyPatch, checked: Any, clips: tuple[Clip, ...]
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("a bug of the codec's")

    for broken in ({"sent": fail}, {"tweak": lambda c, e, s: np.ones((1, 3))}):
        assert checked(lambda: Sender(**broken))[1] == SpotCheck("toy", 0, passed=True)  # noqa: B023
    job = SpotJob(((TOY, clips),), "mono", 0)
    monkeypatch.setattr(spot, "load", fail)
    assert spot.encode_points(job) == [Point(TOY)]

    def mistaken(planned: object) -> Any:
        raise WeightsMismatch("damaged")

    monkeypatch.setattr(spot, "load", mistaken)
    with pytest.raises(WeightsMismatch, match="damaged"):
        spot.encode_points(job)


def test_on_a_gpu_the_rounding_of_sums_is_no_finding() -> None:
    gpu = replace(TOY, device="cuda")
    first = Audio(np.full((1, 100), 0.5, np.float32), 16_000)
    near = Audio(first.samples * np.float32(1 + 1e-4), 16_000)
    far = Audio(first.samples * np.float32(1 + 1e-2), 16_000)
    assert "other audio (by up to 5e-05" in spot.difference(TOY, first, near)
    assert spot.difference(gpu, first, near) == ""
    assert "other audio (by up to 0.005" in spot.difference(gpu, first, far)
    longer = Audio(np.zeros((1, 101), np.float32), 16_000)
    assert "101 samples in place of 100" in spot.difference(gpu, first, longer)
