"""The published models at full size, with random weights in the published file formats.

What weights mean cannot be tested without them; shapes, rates, lengths, parameter counts and
equality with the packages can. Gigabytes and minutes: run with ``-m published``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snacbench.models import CodecModel
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import broadband
from tests.support.codec_models import DAC_SHAPES, SNAC_SHAPES, write_published

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.published


@pytest.fixture(
    params=[*SNAC_SHAPES, *DAC_SHAPES, "encodec-24khz", "encodec-48khz"], scope="module"
)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CodecModel, Codec, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    package = write_published(request.param, folder)
    model, spec = select(request.param)[0]
    codec = model.load(spec, locate(model, WeightsPolicy(folder)), "cpu")
    return model, codec, package


def test_length_rate_and_determinism(published: tuple[CodecModel, Codec, Any]) -> None:
    _, codec, _ = published
    audio = broadband(1.013, codec.spec.rate_hz or 0, channels=max(codec.spec.channels))
    encoded = codec.encode(audio)
    decoded = codec.decode(encoded, seed=3)
    assert decoded.samples.shape == audio.samples.shape
    assert np.array_equal(decoded.samples, codec.decode(encoded, seed=3).samples)
    kbps = bits_of(encoded, codec.spec).total / audio.duration_s / 1000
    assert codec.spec.nominal_kbps is not None
    assert codec.spec.nominal_kbps <= kbps < 1.4 * codec.spec.nominal_kbps


def test_codes_and_audio_equal_the_package(published: tuple[CodecModel, Codec, Any]) -> None:
    model, codec, package = published
    audio = broadband(0.7, codec.spec.rate_hz or 0, channels=max(codec.spec.channels))
    batch = torch.from_numpy(np.array(audio.samples))[None]
    encoded = codec.encode(audio)
    with torch.inference_mode():
        if model.family == "encodec":
            package.set_target_bandwidth(codec.spec.settings["bandwidth_kbps"])
            expected = package(batch)
            codes = torch.cat([c for c, _ in package.encode(batch)], -1)[0]
        elif model.family == "dac":
            padded = package.preprocess(batch, codec.spec.rate_hz)
            codes = package.encode(padded)[1][0]
            expected = package.decode(package.quantizer.from_codes(codes[None])[0])
        else:
            levels = package.encode(batch)
            codes = torch.cat(levels, dim=-1)
            torch.manual_seed(5)
            expected = package.decode(levels)
    axis = 1 if model.family == "snac" else 0
    assert np.array_equal(np.concatenate(encoded.codes, axis=axis), codes.numpy())
    ours = codec.decode(encoded, seed=5).samples
    n = min(expected.shape[-1], audio.num_samples)
    assert np.array_equal(ours[:, :n], expected[0, :, :n].numpy())


def test_parameter_counts(published: tuple[CodecModel, Codec, Any]) -> None:
    _, codec, package = published
    counted = sum(p.numel() for p in package.parameters())
    counted += sum(b.numel() for name, b in package.named_buffers() if name.endswith("embed"))
    if codec.spec.params_m is not None:
        assert counted / 1e6 == pytest.approx(codec.spec.params_m, abs=0.06)


def test_seconds_of_two_at_the_published_sizes() -> None:
    """Padding of SNAC's blocks on a clip of 2 s, in samples: 85, 384 and 279 ms blocks."""
    for name, blocks in (("snac-24khz", 2048), ("snac-32khz", 12_288), ("snac-44khz", 12_288)):
        shape = SNAC_SHAPES[name]
        hop = int(np.prod(shape["encoder_rates"]))
        window = shape["attn_window_size"] or 1
        assert hop * np.lcm(shape["vq_strides"][0], window) == blocks
