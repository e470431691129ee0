"""What PyTorch codecs share: the very bits of the packages' modules, batches, devices, latency."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from snacbench.codecs import _neural as neural  # noqa: E402
from snacbench.errors import CodecError, UserError  # noqa: E402
from snacbench.plugins import codec_models  # noqa: E402
from snacbench.selectors import select  # noqa: E402
from snacbench.types import Audio, Encoded  # noqa: E402
from snacbench.weights import embedded  # noqa: E402
from snacbench.weights.locate import locate  # noqa: E402
from snacbench.weights.policy import WeightsPolicy  # noqa: E402
from tests.conftest import broadband, si_sdr_db  # noqa: E402
from tests.support.codec_models import (  # noqa: E402
    DAC_SHAPES,
    SNAC_SHAPES,
    opened,
    segmented_encodec,
    tiny_dac,
    tiny_encodec,
    tiny_snac,
    with_config,
)

MINIS = ["snac-mini", "dac-mini@9q", "encodec-mini@6"]
DAC_44KHZ = {"encoder_rates": [2, 4, 8, 8], "decoder_rates": [8, 8, 4, 2]}


@pytest.mark.parametrize("make", [tiny_snac, tiny_dac, tiny_encodec])
def test_a_prepared_network_is_bit_identical_and_moves(make):
    original, other = make(), make()
    prepared = neural.prepare_for_inference(other, "cpu")
    x = 0.3 * torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(1))
    kept = x.clone()
    with torch.inference_mode():
        latent = original.encoder(x)
        assert torch.equal(latent, prepared.encoder(x))
        torch.manual_seed(3)  # SNAC's decoder draws noise
        expected = original.decoder(latent)
        torch.manual_seed(3)
        assert torch.equal(expected, prepared.decoder(latent))
    assert float(expected.abs().max()) > 0
    assert torch.equal(x, kept)
    names = [name for name, _ in prepared.named_parameters()]
    assert not [n for n in names if n.endswith(("weight_g", "weight_v", "original0"))]
    assert {p.dtype for p in prepared.to(torch.float64).parameters()} == {torch.float64}


def test_output_has_the_exact_length_and_is_finite(loaded):
    codec = loaded("dac-mini@9q")
    whole = codec.encode(broadband(0.1, 24_000))
    for samples in (7, 2_400, 2_500):  # the network itself returns 2,552
        one = Encoded(samples, 1, 24_000, whole.codes)
        assert codec.decode(one, seed=0).num_samples == samples
    assert not codec.decode(Encoded(3_000, 1, 24_000, whole.codes), seed=0).samples[:, 2_600:].any()

    class Broken(type(codec)):
        def synthesise(self, *arguments: Any) -> Any:
            return torch.tensor([[[0.0, float("nan")]]])

    with pytest.raises(CodecError, match="NaN or infinite"):
        Broken(codec.spec, codec.model, codec.device).decode(whole, seed=0)


def test_devices():
    neural.ready_device("cpu")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    if torch.cuda.is_available():
        assert neural.ready_device("cuda").type == "cuda"
    else:
        with pytest.raises(UserError, match="finds no CUDA device"):
            neural.ready_device("cuda")


def signals_for(codec, cuts):
    """Different sounds, each a few samples short of the same padded length."""
    rate_hz, channels = codec.spec.rate_hz, max(codec.spec.channels)
    whole = codec.padded_length(rate_hz // 2)
    equal = codec.padded_length(whole - 1) != whole  # lengths must then be equal to the sample
    made = []
    for seed, cut in enumerate(cuts):
        audio = broadband(whole / rate_hz, rate_hz, channels=channels, seed=seed)
        made.append(audio if equal else Audio(audio.samples[:, : whole - cut], rate_hz))
    return made


def assert_as_alone(codec, signals):
    seeds = [3, 14, 15]
    assert len({codec.padded_length(s.num_samples) for s in signals}) == 1
    together = codec.encode_batch(signals)
    decoded = codec.decode_batch(together, seeds=seeds)
    for signal, encoded, output, seed in zip(signals, together, decoded, seeds, strict=True):
        alone = codec.encode(signal)
        assert encoded.num_samples == alone.num_samples == output.num_samples
        assert all(np.array_equal(a, b) for a, b in zip(encoded.codes, alone.codes, strict=True))
        scales = (np.frombuffer(one.side_info, "<f4") for one in (encoded, alone))
        assert np.allclose(*scales, rtol=1e-5)
        expected = codec.decode(alone, seed=seed)
        assert np.abs(output.samples - expected.samples).max() < 1e-5
    return list(together)


@pytest.mark.parametrize("name", MINIS)
def test_a_batch_of_unlike_lengths_is_as_each_alone(loaded, name):
    codec = loaded(name)
    assert_as_alone(codec, signals_for(codec, [0, 1, 30]))


def test_the_noise_of_a_decoder_is_each_signals_own(loaded):
    codec = loaded("snac-mini")
    (one,) = codec.encode_batch(signals_for(codec, [0]))
    before = torch.get_rng_state()
    same, other, again = codec.decode_batch([one] * 3, seeds=[1, 2, 1])
    assert np.array_equal(same.samples, again.samples)
    assert not np.array_equal(same.samples, other.samples)
    assert torch.equal(before, torch.get_rng_state())


def test_segments_and_scales_stay_with_their_signal(tmp_path):
    path = with_config(tmp_path / "mine.th", *segmented_encodec())
    signals = [broadband(1.3, 8_000, channels=2, seed=seed) for seed in range(3)]
    quieter = [Audio(s.samples / np.float32(4**i), 8_000) for i, s in enumerate(signals)]
    together = assert_as_alone(opened(f"encodec:{path}"), quieter)
    assert [len(e.side_info) for e in together] == [12, 12, 12]


@pytest.mark.gpu
@pytest.mark.parametrize("name", MINIS)
def test_batches_on_a_gpu_are_as_alone_and_as_on_a_cpu_but_for_rounding(loaded, name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    ((model, spec),) = select(name)
    codec = model.load(spec, locate(model, WeightsPolicy("embedded")), "cuda")
    signals = signals_for(codec, [0, 1, 30])
    together = codec.encode_batch(signals)
    for signal, encoded in zip(signals, together, strict=True):
        for alone in (codec, loaded(name)):
            pairs = list(zip(encoded.codes, alone.encode(signal).codes, strict=True))
            equal = sum(int((a == b).sum()) for a, b in pairs)
            assert equal > 0.95 * sum(a.size for a, _ in pairs)
    outputs = codec.decode_batch(together, seeds=[1, 2, 3])
    for encoded, seed, output in zip(together, [1, 2, 3], outputs, strict=True):
        assert si_sdr_db(codec.decode(encoded, seed=seed), output) > 60


@pytest.mark.parametrize(
    "name", ["snac-24khz", "snac-32khz", "snac-mini", "dac-44khz", "dac-24khz"]
)
def test_latency_is_how_far_the_network_looks_ahead(name):
    """The last input that an output depends on, at the worst place: found by sending NaN in."""
    spec = codec_models()[name].points[-1]
    expected = round((spec.latency_s or 0) * (spec.rate_hz or 0))
    if name.startswith("snac"):
        shape = SNAC_SHAPES.get(name) or embedded.config(name)["model"]
        model = tiny_snac(**{**shape, "encoder_dim": 4, "decoder_dim": 64})
        stride = model.vq_strides[0]
        block = int(model.hop_length) * math.lcm(stride, model.attn_window_size or 1)
    else:
        narrow = {"encoder_dim": 4, "decoder_dim": 64, "n_codebooks": 1}
        model = tiny_dac(**{**DAC_44KHZ, **DAC_SHAPES[name], **narrow})
        block, stride = int(model.hop_length), 1
    low = (expected // block + 1) * block
    silence = torch.zeros(1, 1, 2 * low + block)

    def ahead(place):
        """How far before an input the first output lies that depends on it."""
        x = silence.clone()
        x[..., place] = math.nan
        latent = model.encoder(x)
        latent = torch.nn.functional.avg_pool1d(latent, stride).repeat_interleave(stride, -1)
        return place - int(model.decoder(latent)[0, 0].isnan().nonzero()[0])

    # Within a block it rises by one with every input, up to the last one that a code looks at.
    high = low + block
    with torch.inference_mode():
        least = ahead(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ahead(middle) > least else (low, middle)
        assert ahead(low) == expected
