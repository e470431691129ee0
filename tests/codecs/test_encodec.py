"""EnCodec: bandwidths, overlapping segments, scales as side information."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from snacbench.codecs import encodec as adapter
from snacbench.codecs._checkpoint import load_tensors
from snacbench.codecs._neural import prepare_for_inference, ready_device
from snacbench.plugins import codec_models
from snacbench.rate.bits import bits_of
from snacbench.selectors import select
from snacbench.types import Codec
from snacbench.weights import embedded
from tests.conftest import broadband
from tests.support.codec_models import filled

torch = pytest.importorskip("torch")


def narrow_48khz(bandwidth: str) -> adapter.EncodecCodec:
    """The 48 kHz model's segments, scales and group norm at a sixteenth of its width."""
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    torch.manual_seed(0)
    shape = {"channels": 2, "norm": "time_group_norm", "causal": False, "n_filters": 4}
    model = EncodecModel(
        SEANetEncoder(dimension=8, **shape),
        SEANetDecoder(dimension=8, **shape),
        ResidualVectorQuantizer(dimension=8, n_q=16, bins=1024),
        [3.0, 6.0, 12.0, 24.0],
        48_000,
        2,
        normalize=True,
        segment=1.0,
    )
    ((_, spec),) = select(f"encodec-48khz@{bandwidth}")
    ready = prepare_for_inference(filled(model), "cpu")
    return adapter.EncodecCodec(spec, ready, ready_device("cpu"))


@pytest.mark.parametrize(
    ("name", "kbps", "codebooks"),
    [
        ("encodec-24khz", [1.5, 3, 6, 12, 24], [2, 4, 8, 16, 32]),
        ("encodec-48khz", [3, 6, 12, 24], [2, 4, 8, 16]),
    ],
)
def test_bandwidths_and_codebooks(name: str, kbps: list[float], codebooks: list[int]) -> None:
    points = codec_models()[name].points
    assert [p.nominal_kbps for p in points] == kbps
    assert [len(p.streams) for p in points] == codebooks


@pytest.mark.parametrize("samples", [1, 47_519, 47_520, 47_521, 48_000, 100_000])
def test_segments_and_scales_round_trip_as_in_the_package(samples: int) -> None:
    codec = narrow_48khz("6")
    full = broadband(2.2, 48_000, channels=2)
    audio = type(full)(full.samples[:, :samples], 48_000)
    encoded = codec.encode(audio)
    with torch.inference_mode():
        expected = codec.model(torch.from_numpy(np.array(audio.samples))[None])[0].numpy()
    assert np.array_equal(codec.decode(encoded, seed=0).samples, expected)
    segments = -(-samples // 47_520)
    assert len(encoded.side_info) == 4 * segments


def test_true_rate_of_the_48_khz_model_is_nominal_over_0_99_plus_scales() -> None:
    codec = narrow_48khz("3")
    seconds = 47_520 * 20 / 48_000
    encoded = codec.encode(broadband(seconds, 48_000, channels=2))
    bits = bits_of(encoded, codec.spec)
    assert bits.codes / seconds / 1000 == pytest.approx(3 / 0.99, rel=2e-3)
    assert bits.side_info / seconds / 1000 == pytest.approx(0.032, abs=2e-3)
    assert codec.spec.tokens_per_s == pytest.approx(2 * 150 / 0.99)


def test_bandwidth_is_set_for_every_encode(loaded: Callable[[str], Codec]) -> None:
    low: Any = loaded("encodec-mini@1.5")
    high = type(low)(loaded("encodec-mini@12").spec, low.model, low.device)
    audio = broadband(0.5, 24_000)
    assert len(high.encode(audio).codes) == 16
    assert len(low.encode(audio).codes) == 2


def mini_of_the_package() -> Any:
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    config = embedded.config("encodec-mini")["model"]
    return EncodecModel(
        SEANetEncoder(**config["encoder"]),
        SEANetDecoder(**config["encoder"]),
        ResidualVectorQuantizer(**config["quantizer"]),
        config["target_bandwidths"],
        24_000,
        1,
    )


def test_equals_the_package(loaded: Callable[[str], Codec]) -> None:
    codec = loaded("encodec-mini@6")
    package = mini_of_the_package()
    package.load_state_dict(load_tensors(embedded.folder("encodec-mini") / "model.safetensors"))
    package.eval().set_target_bandwidth(6.0)
    audio = broadband(1.0, 24_000)
    with torch.inference_mode():
        expected = package(torch.from_numpy(np.array(audio.samples))[None])[0].numpy()
    assert np.array_equal(codec.decode(codec.encode(audio), seed=0).samples, expected)
