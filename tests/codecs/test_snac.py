"""SNAC: lengths, rates, seeds, truncation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.codecs import snac as adapter
from snacbench.codecs._checkpoint import load_tensors
from snacbench.codecs._neural import prepare_for_inference, ready_device
from snacbench.errors import WeightsMismatch
from snacbench.models import LocatedWeights
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec, WeightsInfo
from tests.conftest import broadband
from tests.support.codec_models import filled, narrow_snac

torch = pytest.importorskip("torch")


def narrow_codec(name: str) -> adapter.SnacCodec:
    from snac import SNAC

    torch.manual_seed(0)
    model = prepare_for_inference(filled(SNAC(**narrow_snac(name))), "cpu")
    adapter._use_seeded_noise(model)
    return adapter.SnacCodec(select(name)[0][1], model, ready_device("cpu"))


@pytest.mark.parametrize(
    ("name", "kbps", "by_level"),
    [
        ("snac-24khz", 0.984, [0.141, 0.281, 0.563]),
        ("snac-32khz", 1.875, [0.125, 0.25, 0.5, 1.0]),
        ("snac-44khz", 2.584, [0.172, 0.345, 0.689, 1.378]),
    ],
)
def test_nominal_rates_are_the_published_ones(
    name: str, kbps: float, by_level: list[float]
) -> None:
    ((_, spec),) = select(name)
    assert spec.nominal_kbps == pytest.approx(kbps, abs=5e-4)
    levels = [float(stream.bit_per_s) / 1000 for stream in spec.streams]
    assert levels == pytest.approx(by_level, abs=5e-4)


def test_code_lengths_of_one_second_at_32_khz() -> None:
    encoded = narrow_codec("snac-32khz").encode(broadband(1.0, 32_000))
    assert [codes.shape for codes in encoded.codes] == [(1, 12), (1, 24), (1, 48), (1, 96)]


@pytest.mark.parametrize(
    ("name", "kbps"), [("snac-24khz", 1.008), ("snac-32khz", 2.160), ("snac-44khz", 2.880)]
)
def test_padding_is_paid_for_on_a_clip_of_two_seconds(name: str, kbps: float) -> None:
    codec = narrow_codec(name)
    encoded = codec.encode(broadband(2.0, codec.spec.rate_hz or 0))
    assert bits_of(encoded, codec.spec).total / 2000 == pytest.approx(kbps, abs=5e-4)


def test_decode_equals_the_package_under_the_same_seed(loaded: Callable[[str], Codec]) -> None:
    from snac import SNAC

    codec: Any = loaded("snac-mini")
    config = json.loads(Path(_mini_files()["config.json"]).read_text("utf-8"))
    package = SNAC(**config["model"])
    package.load_state_dict(load_tensors(_mini_files()["model.safetensors"]))
    package.eval()
    audio = broadband(1.3, 24_000)
    encoded = codec.encode(audio)
    with torch.inference_mode():
        codes = package.encode(torch.from_numpy(np.array(audio.samples))[None])
        torch.manual_seed(11)
        expected = package.decode(codes)[0, :, : audio.num_samples]
    assert all(
        np.array_equal(ours, theirs.numpy())
        for ours, theirs in zip(encoded.codes, codes, strict=True)
    )
    assert np.array_equal(codec.decode(encoded, seed=11).samples, expected.numpy())


def _mini_files() -> dict[str, Path]:
    from snacbench.weights import embedded

    folder = embedded.folder("snac-mini")
    return {name: folder / name for name in ("config.json", "model.safetensors")}


def test_seeding_does_not_touch_the_global_generator(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("snac-mini")
    encoded = codec.encode(broadband(0.5, 24_000))
    before = torch.get_rng_state()
    codec.decode(encoded, seed=4)
    assert torch.equal(before, torch.get_rng_state())


def test_fewer_levels_decode_and_are_marked_truncated() -> None:
    full = narrow_codec("snac-24khz")
    audio = broadband(1.0, 24_000)
    encoded = full.encode(audio)
    for levels in (1, 2):
        ((_, spec),) = select(f"snac-24khz@{levels}q")
        assert spec.truncated
        assert spec.name != "snac-24khz"
        truncated = replace(full, spec=spec)
        cut = truncated.encode(audio)
        assert len(cut.codes) == levels
        assert all(np.array_equal(a, b) for a, b in zip(cut.codes, encoded.codes, strict=False))
        assert truncated.decode(cut, seed=0).num_samples == audio.num_samples


def test_truncated_points_stay_out_of_defaults() -> None:
    for model in codec_models().values():
        if model.family == "snac":
            assert not [p for p in model.points if p.truncated and p.name in model.default]


def test_a_configuration_of_another_model_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(narrow_snac("snac-32khz")))
    model, spec = select("snac-24khz")[0]
    weights = LocatedWeights({"config.json": config}, WeightsInfo("folder"))
    with pytest.raises(WeightsMismatch, match=r"describes 32000 Hz.*which is not snac-24khz"):
        model.load(spec, weights, "cpu")
