"""What every discovered codec promises, whatever its family."""

from __future__ import annotations

import pytest

from snacbench.errors import MissingPackage
from snacbench.models import CodecModel
from snacbench.plugins import codec_models
from snacbench.runner import contract
from snacbench.selectors import select
from snacbench.types import Codec, CodecSpec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy


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


@pytest.mark.parametrize(
    ("case", "samples"), LENGTH_CASES, ids=[f"{spec.name} {n}" for (_, spec), n in LENGTH_CASES]
)
def test_length_channels_and_rate_come_back_exactly(
    case: tuple[CodecModel, CodecSpec], samples: int
) -> None:
    contract.check_length(loaded(*case), samples)


def test_decoding_depends_on_codes_and_seed_alone(codec: Codec) -> None:
    contract.check_decoding(codec)


def test_encoding_is_deterministic_and_leaves_the_input_alone(codec: Codec) -> None:
    contract.check_encoding(codec)


def test_codes_fit_the_spec_and_bits_are_counted(codec: Codec) -> None:
    contract.check_codes(codec)


def test_silence_and_full_scale_are_coded_without_a_trap(codec: Codec) -> None:
    contract.check_extremes(codec)


def test_what_is_encoded_can_be_written_and_read(codec: Codec) -> None:
    contract.check_written(codec)


def test_no_delay_is_left(codec: Codec) -> None:
    contract.check_delay(codec)


def test_every_model_is_tried_at_every_length_and_every_point_at_one() -> None:
    tried = {(model.name, n) for (model, _), n in LENGTH_CASES}
    assert tried == {(model.name, n) for model in RUNNABLE for n in LENGTHS}
    assert {spec.name for (_, spec), n in LENGTH_CASES if n == AWKWARD} == set(IDS)


@pytest.mark.parametrize("model", codec_models().values(), ids=codec_models())
def test_specs_are_printable_and_consistent(model: CodecModel) -> None:
    for spec in model.points:
        contract.check_spec(spec)
        (_, selected), *others = select(spec.name)
        assert selected == spec or len(others) > 0, spec.name


def test_no_two_operating_points_share_a_name() -> None:
    names = [s.name for m in codec_models().values() for s in m.points]
    assert len(names) == len(set(names))
