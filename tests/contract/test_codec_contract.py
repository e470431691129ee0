"""What every discovered codec promises, whatever its family."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from snacbench.errors import MissingPackage
from snacbench.models import CodecModel
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.store.rows import from_json, to_jsonable
from snacbench.types import Audio, Codec, CodecSpec, nominal_kbps_of
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband


def is_runnable(model: CodecModel) -> bool:
    """Whether nothing needs to be downloaded; outside codecs only where they are installed."""
    if not model.source or model.source.host != "own":
        return not model.source or model.source.host == "embedded"
    try:
        return bool(model.versions())
    except MissingPackage:
        return False


RUNNABLE = [m for m in codec_models().values() if is_runnable(m)]
_codecs: dict[str, Codec] = {}


def points(model: CodecModel) -> list[CodecSpec]:
    """Lowest, default and highest operating points of a model."""
    chosen = [model.points[0], model.points[-1]]
    chosen += [p for p in model.points if p.name in model.default]
    return list({p.name: p for p in chosen}.values())


CASES = [(model, spec) for model in RUNNABLE for spec in points(model)]
IDS = [spec.name for _, spec in CASES]
# Shorter than a frame, about a frame, many frames and a rest; 24,000 samples even at 8 kHz.
LENGTHS = (1, 10, 319, 320, 321, 4_801, 24_000)
AWKWARD = 321
# Lengths go through what all points of a model share: all of them at one point, one at every point.
LENGTH_CASES = [
    (case, samples)
    for case in CASES
    for samples in LENGTHS
    if samples == AWKWARD or case[1].name == case[0].default[0]
]


def loaded(model: CodecModel, spec: CodecSpec) -> Codec:
    if spec.name not in _codecs:
        _codecs[spec.name] = model.load(spec, locate(model, WeightsPolicy("embedded")), "cpu")
    return _codecs[spec.name]


@pytest.fixture(params=CASES, ids=IDS)
def codec(request: pytest.FixtureRequest) -> Codec:
    return loaded(*request.param)


def signal(codec: Codec, seconds: float, *, seed: int = 0) -> Audio:
    channels = max(codec.spec.channels or (1,))
    return broadband(seconds, codec.spec.rate_hz or 44_100, channels=channels, seed=seed)


@pytest.mark.parametrize(
    ("case", "samples"), LENGTH_CASES, ids=[f"{spec.name} {n}" for (_, spec), n in LENGTH_CASES]
)
def test_length_channels_and_rate_come_back_exactly(
    case: tuple[CodecModel, CodecSpec], samples: int
) -> None:
    codec = loaded(*case)
    full = signal(codec, 3.0)
    audio = Audio(full.samples[:, :samples], full.rate_hz)
    encoded = codec.encode(audio)
    decoded = codec.decode(encoded, seed=1)
    assert isinstance(codec, Codec)
    assert encoded.num_samples == samples
    assert decoded.samples.shape == audio.samples.shape
    assert decoded.rate_hz == audio.rate_hz


def test_decoding_depends_on_codes_and_seed_alone(codec: Codec) -> None:
    audio = signal(codec, 0.7)
    encoded = codec.encode(audio)
    first = codec.decode(encoded, seed=5)
    codec.decode(codec.encode(signal(codec, 0.4, seed=9)), seed=77)  # leaves no trace
    again = codec.decode(encoded, seed=5)
    other = codec.decode(encoded, seed=6)
    assert np.array_equal(first.samples, again.samples)
    assert codec.spec.stochastic != np.array_equal(first.samples, other.samples)


def test_encoding_is_deterministic_and_leaves_the_input_alone(codec: Codec) -> None:
    audio = signal(codec, 0.5)
    before = hashlib.sha256(audio.samples.tobytes()).digest()
    one, two = codec.encode(audio), codec.encode(audio)
    assert hashlib.sha256(audio.samples.tobytes()).digest() == before
    assert one.packets == two.packets
    assert one.side_info == two.side_info
    assert all(np.array_equal(a, b) for a, b in zip(one.codes, two.codes, strict=True))


def test_codes_fit_the_spec_and_bits_are_counted(codec: Codec) -> None:
    spec = codec.spec
    audio = signal(codec, 2.0)
    encoded = codec.encode(audio)
    bits = bits_of(encoded, spec)
    assert bits.total > 0
    assert all(codes.dtype == np.int32 for codes in encoded.codes)
    for codes, stream in zip(encoded.codes, spec.streams, strict=True):
        expected = float(stream.frame_rate_hz) * audio.duration_s
        assert expected <= codes.shape[1] <= expected + 8
    if spec.streams:
        actual_kbps = bits.total / audio.duration_s / 1000
        assert spec.nominal_kbps is not None
        assert spec.nominal_kbps <= actual_kbps + 1e-9
        assert actual_kbps <= 1.2 * spec.nominal_kbps


def test_silence_and_full_scale_are_coded_without_a_trap(codec: Codec) -> None:
    rate_hz = codec.spec.rate_hz or 44_100
    channels = max(codec.spec.channels or (1,))
    for value in (0.0, 1.0, -1.0):
        audio = Audio(np.full((channels, rate_hz // 2), value, np.float32), rate_hz)
        decoded = codec.decode(codec.encode(audio), seed=0)
        assert np.isfinite(decoded.samples).all()


def test_every_model_is_tried_at_every_length_and_every_point_at_one() -> None:
    tried = {(model.name, n) for (model, _), n in LENGTH_CASES}
    assert tried == {(model.name, n) for model in RUNNABLE for n in LENGTHS}
    assert {spec.name for (_, spec), n in LENGTH_CASES if n == AWKWARD} == set(IDS)


@pytest.mark.parametrize("model", codec_models().values(), ids=codec_models())
def test_specs_are_printable_and_consistent(model: CodecModel) -> None:
    for spec in model.points:
        line = json.dumps(to_jsonable(spec))
        assert from_json(line, CodecSpec, origin="test") == spec
        assert spec.licence, spec.name
        assert spec.citation, spec.name
        if spec.streams and spec.family != "encodec":
            assert spec.nominal_kbps == pytest.approx(nominal_kbps_of(spec.streams)), spec.name
        assert spec.demonstration == spec.model.endswith("-mini"), spec.name
        (_, selected), *others = select(spec.name)
        assert selected == spec or len(others) > 0, spec.name


def test_no_two_operating_points_share_a_name() -> None:
    names = [s.name for m in codec_models().values() for s in m.points]
    assert len(names) == len(set(names))
