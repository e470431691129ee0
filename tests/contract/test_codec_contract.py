"""What every discovered codec promises, whatever its family."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from snacbench.errors import MissingPackage
from snacbench.models import CodecModel
from snacbench.plugins import codec_models
from snacbench.runner import contract
from snacbench.selectors import select
from snacbench.types import Codec
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
# The lowest and the highest operating point of each model.
NAMES = [name for m in RUNNABLE for name in dict.fromkeys((m.points[0].name, m.points[-1].name))]
# Shorter than a frame, about a frame, many frames and a rest; 24,000 samples even at 8 kHz.
LENGTHS = (1, 319, 320, 321, 24_000)
CHECKS = (
    contract.check_decoding,
    contract.check_codes,
    contract.check_extremes,
    contract.check_written,
    contract.check_delay,
)


@cache
def loaded(name: str) -> Codec:
    model = next(m for m in RUNNABLE if name in [p.name for p in m.points])
    spec = next(p for p in model.points if p.name == name)
    return model.load(spec, locate(model, WeightsPolicy("embedded")), "cpu")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_codec_keeps_its_promises(name: str, check: Callable[[Codec], object]) -> None:
    check(loaded(name))


# Lengths go through what all points of a model share.
@pytest.mark.parametrize("samples", LENGTHS)
@pytest.mark.parametrize("name", [m.points[0].name for m in RUNNABLE])
def test_length_channels_and_rate_come_back_exactly(name: str, samples: int) -> None:
    contract.check_length(loaded(name), samples)


def test_every_family_that_needs_no_download_is_tried() -> None:
    families = {m.family for m in RUNNABLE}
    assert families >= {"snac", "dac", "encodec", "opus", "classic", "toys"}


@pytest.mark.parametrize("model", codec_models().values(), ids=codec_models())
def test_specs_are_printable_and_consistent(model: CodecModel) -> None:
    for spec in model.points:
        contract.check_spec(spec)
        assert spec.demonstration == spec.model.endswith("-mini")
        (_, selected), *others = select(spec.name)
        assert selected == spec or len(others) > 0, spec.name


def test_no_two_operating_points_share_a_name() -> None:
    names = [s.name for m in codec_models().values() for s in m.points]
    assert len(names) == len(set(names))
