"""What every discovered codec promises, whatever its family."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from snacbench.errors import CodecError, MissingPackage
from snacbench.models import CodecModel
from snacbench.plugins import codec_models
from snacbench.request import Request
from snacbench.runner import contract
from snacbench.runner.coding import CodingJob
from snacbench.runner.plan import PlannedCodec
from snacbench.selectors import select
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, Codec
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
CHECKS = (contract.check_decoding, contract.check_codes, contract.check_extremes,
          contract.check_written, contract.check_delay)  # fmt: skip


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
@pytest.mark.parametrize("samples", contract.LENGTHS)
@pytest.mark.parametrize("name", [m.points[0].name for m in RUNNABLE])
def test_length_channels_and_rate_come_back_exactly(name: str, samples: int) -> None:
    contract.check_length(loaded(name), samples)


def test_every_family_that_needs_no_download_is_tried() -> None:
    assert {m.family for m in RUNNABLE} >= {"snac", "dac", "encodec", "opus", "classic", "toys"}


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


@pytest.mark.parametrize("model", [m for m in RUNNABLE if m.nested], ids=lambda m: m.name)
def test_codes_of_every_point_are_cut_from_those_of_the_highest(model: CodecModel) -> None:
    weights = locate(model, WeightsPolicy("embedded"))
    for point in model.points:
        contract.check_nested(PlannedCodec(model.name, point, weights))


def test_a_clip_that_is_encoded_once_has_the_rows_of_each_point_alone(tmp_path: Path) -> None:
    model = codec_models()["dac-mini"]
    weights = locate(model, WeightsPolicy("embedded"))
    points = [PlannedCodec(model.name, p, weights) for p in model.points[8:2:-2]]
    clips = NAMED_SETS["quick"].build().clips[:2]

    def rows(*those: PlannedCodec) -> list[object]:
        job = CodingJob(those, clips, Request(keep_codes=True), tmp_path)
        how = {"encode_s": None, "decode_s": None, "batch": None}
        return [replace(row, **how) if hasattr(row, "batch") else row for row in job.run()]

    alone = [row for point in points for row in rows(point)]
    assert len(alone) == len(points) * len(clips) * (1 + len(points[0].spec.streams)) - 2 * 2 * 3
    assert sorted(map(repr, rows(*points))) == sorted(map(repr, alone))
    halves = [job.points for job in CodingJob((points[0],), clips, Request(), tmp_path).apart()]
    assert halves == [(points[0],)] * 2


def test_codes_that_are_not_nested_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = codec_models()["snac-mini"]
    weights = locate(model, WeightsPolicy("embedded"))
    planned = PlannedCodec(model.name, model.points[0], weights)
    codec = contract.load(planned).codec

    def louder(self, audio):
        scaled = Audio(audio.samples * len(self.spec.streams) / 9, audio.rate_hz)
        return self.encode_batch([scaled])[0]

    monkeypatch.setattr(type(codec), "encode", louder)
    with pytest.raises(CodecError, match="leave nested=True out"):
        contract.check_nested(planned)
