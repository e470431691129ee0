"""The checks of a codec's author, on codecs that break one promise each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from snacbench.errors import CodecError, SnacbenchError, WeightsMismatch
from snacbench.runner import contract
from snacbench.runner.plan import PlannedCodec
from snacbench.types import Audio, Codec, CodecSpec, Encoded, Stream

STREAM = Stream(Fraction(8_000), 256)
SPEC = CodecSpec(
    "eight", "eight", "toys", 8_000, (1,), (STREAM,), nominal_kbps=64.0, licence="MIT", citation="x"
)


@dataclass
class Eight:
    """Eight bits a sample; what it encodes and decodes goes through functions that may spoil it."""

    spec: CodecSpec = SPEC
    spoil: Callable[[Eight, Encoded], Encoded] = lambda codec, encoded: encoded
    impair: Callable[[Eight, Any, int], Any] = lambda codec, samples, seed: samples
    before: Callable[[Audio], None] = lambda audio: None
    calls: int = 0

    def encode(self, audio: Audio) -> Encoded:
        self.calls += 1
        self.before(audio)
        codes = np.rint((audio.samples.clip(-1, 1) + 1) * 127.5).astype(np.int32)
        return self.spoil(self, Encoded(audio.num_samples, 1, audio.rate_hz, codes=(codes,)))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        self.calls += 1
        samples = self.impair(self, encoded.codes[0] / 127.5 - 1, seed)
        return Audio(np.array(samples, np.float32), encoded.rate_hz)


def codes(change: Callable[[Any], Any]) -> dict[str, Any]:
    return {"spoil": lambda codec, e: replace(e, codes=tuple(change(c) for c in e.codes))}


def force(audio: Audio) -> None:
    whole = audio.samples.base
    assert whole is not None
    whole[0, 0] = 0.25


CHECKS = (
    contract.check_decoding,
    contract.check_encoding,
    contract.check_codes,
    contract.check_extremes,
    contract.check_written,
    contract.check_delay,
)


def test_a_codec_that_keeps_its_promises() -> None:
    codec = Eight()
    contract.check_spec(codec.spec)
    for num_samples in contract.LENGTHS:
        contract.check_length(codec, num_samples)
    for check in CHECKS:
        check(codec)


@pytest.mark.parametrize(
    ("check", "broken", "message"),
    [
        (contract.check_decoding, {"impair": lambda c, x, s: x + c.calls / 99}, "gave other audio"),
        (contract.check_decoding, {"impair": lambda c, x, s: x + s / 99}, "declare stochastic"),
        (contract.check_decoding, {"spec": replace(SPEC, stochastic=True)}, "leave stochastic"),
        (contract.check_encoding, {"before": force}, "encode changes its input"),
        (
            contract.check_encoding,
            {"spoil": lambda c, e: replace(e, side_info=bytes([c.calls]))},
            "to something else the second time",
        ),
        (contract.check_codes, {"spoil": lambda c, e: replace(e, codes=())}, "0 code arrays for 1"),
        (
            contract.check_codes,
            {
                "spec": replace(SPEC, streams=(), nominal_kbps=None),
                "spoil": lambda c, e: replace(e, codes=()),
            },
            "no bits were counted",
        ),
        (contract.check_codes, codes(lambda c: c.astype(np.int64)), "int64, expected int32"),
        (contract.check_codes, codes(lambda c: c[:, :100]), "has the shape (1, 100)"),
        (contract.check_codes, codes(lambda c: c + 200), "outside its codebook of 256"),
        (
            contract.check_codes,
            {"spec": replace(SPEC, nominal_kbps=32.0)},
            "64 kbps were spent on 2 s, and it states 32",
        ),
        (contract.check_extremes, {"impair": lambda c, x, s: x / 0.0}, "NaN or infinite"),
        (contract.check_written, codes(lambda c: c + 200), "codebook"),
        (
            contract.check_written,
            {"impair": lambda c, x, s: x + c.calls / 99},
            "read again decodes to other audio",
        ),
        (contract.check_delay, {"impair": lambda c, x, s: np.roll(x, 80)}, "comes 10.0 ms late"),
        (contract.check_delay, {"impair": lambda c, x, s: np.roll(x, -80)}, "10.0 ms early"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_broken_promise_is_named(
    check: Callable[[Codec], None], broken: dict[str, Any], message: str
) -> None:
    with pytest.raises(SnacbenchError) as caught:
        check(Eight(**broken))
    assert message in str(caught.value)


class Batching(Eight):
    """In batches it codes every signal, but for what it is asked to spoil there."""

    wrong_codes = False
    wrong_audio = False

    def padded_length(self, num_samples: int) -> int:
        return num_samples

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        shift = 0.1 if self.wrong_codes else 0.0
        return [self.encode(Audio(s.samples + np.float32(shift), s.rate_hz)) for s in signals]

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        first = [self.decode(e, seed=seed) for e, seed in zip(encoded, seeds, strict=True)]
        return first[::-1] if self.wrong_audio else first


def test_batches_that_are_not_as_alone() -> None:
    contract.check_batches(Eight())
    codec = Batching()
    contract.check_batches(codec)
    codec.wrong_audio = True
    with pytest.raises(CodecError, match="in a batch is not what it is alone within 60 dB"):
        contract.check_batches(codec)
    codec.wrong_codes = True
    with pytest.raises(CodecError, match="codes of a signal in a batch are those"):
        contract.check_batches(codec)


def test_a_codec_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: PlannedCodec) -> Any:
        raise ImportError("a library is missing")

    def mistaken(handle: PlannedCodec) -> Any:
        raise WeightsMismatch("damaged")

    handle = PlannedCodec("eight", SPEC, None, "cpu")
    monkeypatch.setattr(contract, "load", fail)
    (finding,) = contract.check_codec(handle)
    assert (finding.check, finding.reason) == ("loading", "ImportError: a library is missing")
    monkeypatch.setattr(contract, "load", mistaken)
    with pytest.raises(WeightsMismatch, match="damaged"):
        list(contract.check_codec(handle))


def test_lengths_that_do_not_come_back() -> None:
    short = Eight(spoil=lambda codec, e: replace(e, num_samples=e.num_samples - 1))
    with pytest.raises(CodecError, match="num_samples is 318 for a signal of 319"):
        contract.check_length(short, 319)
    cut = Eight(impair=lambda codec, x, seed: x[:, :-1])
    with pytest.raises(CodecError, match=r"returned \(1, 318, 8000\)"):
        contract.check_length(cut, 319)
    with pytest.raises(CodecError, match="lacks spec, encode or decode"):
        contract.check_length(type("No", (), {"spec": SPEC})(), 319)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"licence": ""}, "it states no licence"),
        ({"nominal_kbps": None}, "states no nominal_kbps"),
        ({"nominal_kbps": 60.0}, "nominal_kbps is 60 and its streams make 64"),
        ({"demonstration": True}, "names that end in -mini"),
        ({"settings": {"folder": {1: 2}}}, "not the same once written"),
    ],
)
def test_a_specification_that_is_wrong(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        contract.check_spec(replace(SPEC, **changed))
