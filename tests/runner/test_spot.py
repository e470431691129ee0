"""The spot check: what a codec hides from its bits, and what it lawfully does."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import CodecError, WeightsMismatch
from snacbench.rows import SpotCheck
from snacbench.runner import coding, spot
from snacbench.runner.coding import CodingJob, code_clips
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.spot import Point, SpotJob, VerifyJob
from snacbench.types import Audio, Clip, Encoded
from tests.runner.toys import SPEC, loaded_toy, make_clip


@dataclass
class Sender:
    """Sends samples; `tweak` changes what is decoded, `sent` what is encoded."""

    spec: Any = SPEC
    sent: Callable[[Sender, Audio], Encoded] | None = None
    tweak: Callable[[Sender, Encoded, int], Any] | None = None
    memory: Any = None
    calls: int = 0

    def encode(self, audio: Audio) -> Encoded:
        self.calls += 1
        if self.sent:
            return self.sent(self, audio)
        data = audio.samples.tobytes()
        return Encoded(audio.num_samples, audio.channels, audio.rate_hz, packets=(data,))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        self.calls += 1
        if self.tweak:
            samples = self.tweak(self, encoded, seed)
        else:
            samples = np.frombuffer(encoded.packets[0], "<f4").reshape(encoded.channels, -1)
        return Audio(np.array(samples, np.float32), encoded.rate_hz)


def plain(encoded: Encoded) -> Any:
    return np.frombuffer(encoded.packets[0], "<f4").reshape(1, -1)


def empty(codec: Sender, audio: Audio) -> Encoded:
    codec.memory = audio.samples
    return Encoded(audio.num_samples, audio.channels, audio.rate_hz)


def short(codec: Sender, audio: Audio) -> Encoded:
    if audio.num_samples < 16_000:
        raise CodecError("takes a second or more")
    return Encoded(audio.num_samples, 1, audio.rate_hz, packets=(audio.samples.tobytes(),))


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Clip, ...]:
    whole = [make_clip(tmp_path, name, 17_000 + i) for i, name in enumerate("abc")]
    return (Clip("gone", tmp_path / "gone.wav", "", 16_000, 1, 17_000), *whole)


def checked(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...], make: Callable[[], Sender], **of: Any
) -> tuple[Point, SpotCheck]:
    """What the first process hands on, and the row that the second one makes of it."""
    handle = PlannedCodec("toy", make().spec, None, "cpu", **of)
    loaded = loaded_toy(make())
    loaded.planned = handle
    monkeypatch.setattr(spot, "load", lambda handle: loaded)
    (point,) = spot.encode_points(SpotJob(((handle, clips),), "mono", 0))
    fresh = loaded_toy(make())
    fresh.planned = handle
    monkeypatch.setattr(spot, "load", lambda handle: fresh)
    (row,) = spot.verify(VerifyJob((point,)))  # type: ignore[arg-type]
    return point, row  # type: ignore[return-value]


def test_a_codec_that_keeps_to_its_bits_passes_on_excerpts_of_two_clips(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...]
) -> None:
    point, row = checked(monkeypatch, clips, Sender)
    assert row == SpotCheck("toy", 2, passed=True)
    assert [e.decoded.num_samples for e in point.excerpts] == [8_000, 8_000]
    stochastic = replace(SPEC, stochastic=True)

    def noise(codec: Sender, encoded: Encoded, seed: int) -> Any:
        return np.random.default_rng(seed).normal(size=(1, encoded.num_samples))

    _, row = checked(monkeypatch, clips, lambda: Sender(stochastic, tweak=noise))
    assert row.passed
    point, row = checked(monkeypatch, clips, lambda: Sender(sent=short))
    assert row == SpotCheck("toy", 2, passed=True)
    assert {e.decoded.num_samples for e in point.excerpts} == {17_000, 17_001}


@pytest.mark.parametrize(
    ("sent", "tweak", "message"),
    [
        (empty, lambda c, e, s: c.memory, "decoding the same codes twice gave other audio"),
        (empty, lambda c, e, s: np.zeros((1, e.num_samples)) if c.memory is None else
         np.ones((1, e.num_samples)), "another process decoded what was written to other audio"),
        (None, lambda c, e, s: plain(e) + c.calls, "decoding the same codes twice gave other"),
        (None, lambda c, e, s: np.random.default_rng().normal(size=(1, e.num_samples)), "twice"),
        (None, lambda c, e, s: plain(e) * (s % 1000), "or randomness that is not declared"),
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
    ],
)  # fmt: skip
def test_what_is_hidden_from_the_bits_is_found(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...], sent: Any, tweak: Any, message: str
) -> None:
    _, row = checked(monkeypatch, clips, lambda: Sender(sent=sent, tweak=tweak))
    assert not row.passed
    assert row.reason.startswith("spot check: ")
    assert message in row.reason


def test_a_decoder_that_fails_elsewhere_or_the_second_time(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...]
) -> None:
    def once(codec: Sender, encoded: Encoded, seed: int) -> Any:
        if codec.calls > 4:
            raise ValueError("worn out")
        return plain(encoded)

    _, row = checked(monkeypatch, clips, lambda: Sender(tweak=once))
    assert "what it has decoded once it cannot again (worn out)" in row.reason

    made: list[Sender] = []

    def make() -> Sender:
        made.append(Sender(tweak=lambda c, e, s: plain(e) if c is made[1] else 1 / 0))
        return made[-1]

    _, row = checked(monkeypatch, clips, make)
    assert "another process cannot decode what was written" in row.reason
    assert "ZeroDivisionError" in row.reason


def test_what_lies_in_a_temporary_folder_is_out_of_sight(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...], tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def hide(codec: Sender, audio: Audio) -> Encoded:
        (Path(tempfile.gettempdir()) / "hidden").write_bytes(audio.samples.tobytes())
        return Encoded(audio.num_samples, 1, audio.rate_hz)

    def seek(codec: Sender, encoded: Encoded, seed: int) -> Any:
        data = (Path(tempfile.gettempdir()) / "hidden").read_bytes()
        return np.frombuffer(data, "<f4").reshape(1, -1)

    _, row = checked(monkeypatch, clips[:2], lambda: Sender(sent=hide, tweak=seek))
    assert "another process cannot decode" in row.reason
    assert tempfile.gettempdir() == str(tmp_path)


def test_codecs_that_fail_on_clips_are_left_to_their_rows(
    monkeypatch: pytest.MonkeyPatch, clips: tuple[Clip, ...]
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("a bug of the codec's")

    _, row = checked(monkeypatch, clips, lambda: Sender(sent=fail))
    assert row == SpotCheck("toy", 0, passed=True)
    _, row = checked(monkeypatch, clips, lambda: Sender(tweak=lambda c, e, s: np.ones((1, 3))))
    assert row == SpotCheck("toy", 0, passed=True)
    handle = PlannedCodec("toy", SPEC, None, "cpu")
    monkeypatch.setattr(spot, "load", fail)
    assert spot.encode_points(SpotJob(((handle, clips),), "mono", 0)) == [Point(handle)]

    def mistaken(handle: PlannedCodec) -> Any:
        raise WeightsMismatch("damaged")

    monkeypatch.setattr(spot, "load", mistaken)
    with pytest.raises(WeightsMismatch, match="damaged"):
        spot.encode_points(SpotJob(((handle, clips),), "mono", 0))


def test_on_a_gpu_the_rounding_of_sums_is_no_finding() -> None:
    here = PlannedCodec("toy", SPEC, None, "cpu")
    gpu = replace(here, device="cuda")
    first = Audio(np.full((1, 100), 0.5, np.float32), 16_000)
    near = Audio(first.samples * np.float32(1 + 1e-4), 16_000)
    far = Audio(first.samples * np.float32(1 + 1e-2), 16_000)
    assert "other audio (by up to 5e-05" in spot.difference(here, first, near)
    assert spot.difference(gpu, first, near) == ""
    assert "other audio (by up to 0.005" in spot.difference(gpu, first, far)
    longer = Audio(np.zeros((1, 101), np.float32), 16_000)
    assert "101 samples in place of 100" in spot.difference(gpu, first, longer)


def test_a_codec_that_cannot_be_loaded_fails_on_each_clip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(handle: PlannedCodec) -> Any:
        raise RuntimeError("a library is missing")

    monkeypatch.setattr(coding, "load", fail)
    clip = make_clip(tmp_path, "a", 1_000)
    job = CodingJob(PlannedCodec("toy", SPEC, None, "cpu"), (clip,), "mono", 0, tmp_path)
    ((row, _),) = code_clips(job)
    assert row.status == "failed"
    assert re.fullmatch(r"RuntimeError: a library is missing \(test_spot\.py:\d+\)", row.reason)
