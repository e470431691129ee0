"""What codecs promise: the checks of their authors, and the spot check before each run."""

import re
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from snacbench.errors import CodecError, SnacbenchError, WeightsMismatch
from snacbench.request import Request
from snacbench.rows import SpotCheck
from snacbench.runner import contract, preparing
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.preparing import Point, PreparationJob, VerifyJob
from snacbench.types import Audio, Clip, CodecSpec, Encoded, Stream
from tests.support import failing_codecs
from tests.support.failing_codecs import TOY, Sender, loaded_toy, make_clip, samples_of

STREAM = Stream(Fraction(8_000), 256)
TOLD = {"nominal_kbps": 64.0, "licence": "MIT", "citation": "x"}
SPEC = CodecSpec("eight", "eight", "toys", 8_000, (1,), (STREAM,), **TOLD)


def coded(codec, audio):
    """Eight bits a sample."""
    codes = np.rint((audio.samples.clip(-1, 1) + 1) * 127.5).astype(np.int32)
    return Encoded(audio.num_samples, 1, audio.rate_hz, codes=(codes,))


def heard(encoded):
    return encoded.codes[0] / 127.5 - 1


EIGHT = {"spec": SPEC, "sent": coded, "tweak": lambda codec, encoded, seed: heard(encoded)}


@dataclass
class Batching(Sender):
    """In batches it codes every signal, but for what it is asked to spoil there."""

    shift: float = 0.0
    order: int = 1

    def padded_length(self, num_samples):
        return num_samples

    def encode_batch(self, signals):
        moved = (Audio(s.samples + np.float32(self.shift), s.rate_hz) for s in signals)
        return [self.encode(signal) for signal in moved]

    def decode_batch(self, encoded, *, seeds):
        both = zip(encoded, seeds, strict=True)
        return [self.decode(e, seed=seed) for e, seed in both][:: self.order]


def spoilt(change):
    """With codes that went through a function."""

    def sent(codec, audio):
        encoded = coded(codec, audio)
        return replace(encoded, codes=tuple(map(change, encoded.codes)))

    return {"sent": sent}


def force(codec, audio):
    whole = audio.samples.base
    assert whole is not None
    whole[0, 0] += 0.25
    return coded(codec, audio)


def length(codec):
    contract.check_length(codec, 319)


def spec(codec):
    contract.check_spec(codec.spec)


DECODING, CODES, WRITTEN = contract.check_decoding, contract.check_codes, contract.check_written
EXTREMES, DELAY, BATCHES = contract.check_extremes, contract.check_delay, contract.check_batches
NO_CODES = {"sent": lambda c, a: replace(coded(c, a), codes=())}


@pytest.mark.parametrize(("check", "broken", "message"), [
    (DECODING, {"tweak": lambda c, e, s: heard(e) + c.calls / 99}, "gave other audio"),
    (DECODING, {"tweak": lambda c, e, s: heard(e) + s / 99}, "declare stochastic"),
    (DECODING, {"spec": replace(SPEC, stochastic=True)}, "leave stochastic"),
    (CODES, NO_CODES, "0 code arrays for 1"),
    (CODES, {**NO_CODES, "spec": replace(SPEC, streams=(), nominal_kbps=None)}, "no bits were"),
    (CODES, spoilt(lambda c: c.astype(np.int64)), "int64, expected int32"),
    (CODES, spoilt(lambda c: c[:, :100]), "has the shape (1, 100)"),
    (CODES, {"spec": replace(SPEC, nominal_kbps=32.0)}, "64 kbps were spent on 2 s, and it"),
    (EXTREMES, {"tweak": lambda c, e, s: heard(e) / 0.0}, "NaN or infinite"),
    (WRITTEN, {"sent": force}, "encode changes its input"),
    (WRITTEN, {"sent": lambda c, a: replace(coded(c, a), side_info=bytes([c.calls]))}, "second"),
    (WRITTEN, spoilt(lambda c: c + 200), "codebook"),
    (WRITTEN, {"tweak": lambda c, e, s: heard(e) + c.calls / 99}, "read again decodes to other"),
    (DELAY, {"tweak": lambda c, e, s: np.roll(heard(e), 80)}, "comes 10.0 ms late"),
    (length, {"sent": lambda c, a: replace(coded(c, a), num_samples=318)}, "is 318 for a"),
    (length, {"tweak": lambda c, e, s: heard(e)[:, :-1]}, "returned (1, 318, 8000)"),
    (spec, {"spec": replace(SPEC, licence="")}, "it states no licence"),
    (spec, {"spec": replace(SPEC, nominal_kbps=None)}, "states no nominal_kbps"),
    (spec, {"spec": replace(SPEC, nominal_kbps=60.0)}, "is 60 and its streams make 64"),
    (spec, {"spec": replace(SPEC, settings={"folder": {1: 2}})}, "not the same once written"),
    (BATCHES, {"order": -1}, "in a batch is not what it is alone within 60 dB"),
    (BATCHES, {"shift": 0.1}, "codes of a signal in a batch are those"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_broken_promise_is_named(check, broken, message):
    make = Batching if check is BATCHES else Sender
    check(make(**EIGHT))  # a codec that keeps it
    with pytest.raises(SnacbenchError, match=re.escape(message)):
        check(make(**EIGHT | broken))


def test_a_codec_that_cannot_be_loaded(monkeypatch):
    def failing(error):
        for module in (contract, preparing):
            monkeypatch.setattr(module, "load", Mock(side_effect=error))

    failing(ImportError("a library is missing"))
    (finding,) = contract.check_codec(PlannedCodec("eight", SPEC))
    assert (finding.check, finding.reason) == ("loading", "ImportError: a library is missing")
    spot = PreparationJob(Request(), spots=((TOY, ()),))
    assert spot.run() == [Point(TOY)]
    failing(WeightsMismatch("damaged"))
    for use in (lambda: list(contract.check_codec(TOY)), spot.run):
        with pytest.raises(WeightsMismatch, match="damaged"):
            use()
    with pytest.raises(CodecError, match="lacks spec, encode or decode"):
        contract.check_length(type("No", (), {"spec": SPEC})(), 319)


@pytest.fixture
def checked(monkeypatch, tmp_path):
    """What the first process hands on, and the row that the second one makes of it."""
    whole = [make_clip(tmp_path, name, 17_000 + i) for i, name in enumerate("abc")]
    clips = (Clip("gone", tmp_path / "gone.wav", "", 16_000, 1, 17_000), *whole)

    def of(make, first=4):
        planned = replace(TOY, spec=make().spec)
        loaded = loaded_toy(make(), planned=planned)
        monkeypatch.setattr(preparing, "load", lambda planned: loaded)
        (point,) = PreparationJob(Request(), spots=((planned, clips[:first]),)).run()
        fresh = loaded_toy(make(), planned=planned)
        monkeypatch.setattr(preparing, "load", lambda planned: fresh)
        (row,) = VerifyJob((point,)).run()
        return point, row

    return of


def empty(codec, audio):
    codec.memory = audio.samples
    return Encoded(audio.num_samples, audio.channels, audio.rate_hz)


def zeros(codec, encoded, seed):
    return np.zeros((1, encoded.num_samples))


def test_a_codec_that_keeps_to_its_bits_passes_on_excerpts_of_two_clips(checked):
    point, row = checked(Sender)
    assert row == SpotCheck("toy", 2, passed=True)
    assert [e.decoded.num_samples for e in point.excerpts] == [8_000, 8_000]

    def noise(codec, encoded, seed):
        return np.random.default_rng(seed).normal(size=(1, encoded.num_samples))

    stochastic = replace(failing_codecs.SPEC, stochastic=True)
    assert checked(lambda: Sender(stochastic, tweak=noise))[1].passed

    def short(codec, audio):
        if audio.num_samples < 16_000:
            raise CodecError("takes a second or more")
        return Encoded(audio.num_samples, 1, audio.rate_hz, packets=(audio.samples.tobytes(),))

    point, row = checked(lambda: Sender(sent=short))
    assert row == SpotCheck("toy", 2, passed=True)
    assert {e.decoded.num_samples for e in point.excerpts} == {17_000, 17_001}


@pytest.mark.parametrize(("sent", "tweak", "message"), [
    (empty, lambda c, e, s: c.memory, "decoding the same codes twice gave other audio"),
    (empty, lambda c, e, s: np.full((1, e.num_samples), float(c.memory is None)),
     "another process decoded what was written to other audio"),
    (None, lambda c, e, s: samples_of(e) + c.calls, "decoding the same codes twice gave other"),
    (None, lambda c, e, s: np.random.default_rng().normal(size=(1, e.num_samples)), "twice"),
    (None, lambda c, e, s: samples_of(e) * (s % 1000), "randomness that is not declared"),
    (lambda c, a: Encoded(a.num_samples, 1, a.rate_hz, packets=(b"%d" % c.calls,)), zeros,
     "encoding the same signal twice gave other bits"),
    (lambda c, a: Encoded(a.num_samples, 1, a.rate_hz, codes=(np.array([[-1]], np.int32),)),
     zeros, "what it encodes cannot be written down"),
    (None, lambda c, e, s: samples_of(e) if c.calls < 5 else 1 / 0, "once it cannot again"),
])  # fmt: skip
def test_what_is_hidden_from_the_bits_is_found(checked, sent, tweak, message):
    _, row = checked(lambda: Sender(sent=sent, tweak=tweak))
    assert not row.passed
    assert message in row.reason


def test_what_lies_in_temporary_folders_is_out_of_sight(monkeypatch, checked, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def hide(codec, audio):
        (Path(tempfile.gettempdir()) / "hidden").write_bytes(audio.samples.tobytes())
        return Encoded(audio.num_samples, 1, audio.rate_hz)

    def seek(codec, encoded, seed):
        data = (Path(tempfile.gettempdir()) / "hidden").read_bytes()
        return np.frombuffer(data, "<f4").reshape(1, -1)

    _, row = checked(lambda: Sender(sent=hide, tweak=seek), first=2)
    assert "another process cannot decode what was written" in row.reason
    assert "FileNotFoundError" in row.reason
    assert tempfile.gettempdir() == str(tmp_path)


def test_codecs_that_fail_on_clips_are_left_to_their_rows(checked):
    for broken in ({"sent": lambda c, a: 1 / 0}, {"tweak": lambda c, e, s: np.ones((1, 3))}):
        assert checked(lambda broken=broken: Sender(**broken))[1] == SpotCheck("toy", 0, True)


def test_on_a_gpu_the_rounding_of_sums_is_no_finding():
    gpu, first = replace(TOY, device="cuda"), np.full((1, 100), 0.5, np.float32)
    for codec, second, said in (
        (TOY, first * np.float32(1 + 1e-4), "other audio (by up to 5e-05"),
        (gpu, first * np.float32(1 + 1e-4), ""),
        (gpu, first * np.float32(1 + 1e-2), "other audio (by up to 0.005"),
        (gpu, np.zeros((1, 101), np.float32), "101 samples in place of 100"),
    ):
        found = preparing.difference(codec, Audio(first, 16_000), Audio(second, 16_000))
        assert said in found
        assert bool(found) == bool(said)
