"""Several signals at once come out as each alone; on a GPU where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from snacbench.codecs._neural import Batched
from snacbench.types import Audio, Codec
from tests.conftest import broadband, si_sdr_db
from tests.support.codec_models import filled

MINIS = ["snac-mini", "dac-mini@9q", "encodec-mini@6"]

torch = pytest.importorskip("torch")


def signals_for(codec: Any, cuts: list[int]) -> list[Audio]:
    """Different sounds, each a few samples short of the same padded length."""
    rate_hz, channels = codec.spec.rate_hz, max(codec.spec.channels)
    whole = codec.padded_length(rate_hz // 2)
    equal = codec.padded_length(whole - 1) != whole  # lengths must then be equal to the sample
    made = []
    for seed, cut in enumerate(cuts):
        audio = broadband(whole / rate_hz, rate_hz, channels=channels, seed=seed)
        made.append(audio if equal else Audio(audio.samples[:, : whole - cut], rate_hz))
    return made


def assert_as_alone(codec: Any, signals: list[Audio]) -> None:
    seeds = [3, 14, 15]
    assert len({codec.padded_length(s.num_samples) for s in signals}) == 1
    together = codec.encode_batch(signals)
    decoded = codec.decode_batch(together, seeds=seeds)
    for signal, encoded, output, seed in zip(signals, together, decoded, seeds, strict=True):
        alone = codec.encode(signal)
        assert encoded.num_samples == alone.num_samples == output.num_samples
        assert all(np.array_equal(a, b) for a, b in zip(encoded.codes, alone.codes, strict=True))
        expected = codec.decode(alone, seed=seed)
        assert np.abs(output.samples - expected.samples).max() < 1e-5


@pytest.mark.parametrize("name", MINIS)
def test_a_batch_of_unlike_lengths_is_as_each_alone(
    loaded: Callable[[str], Codec], name: str
) -> None:
    codec: Any = loaded(name)
    assert_as_alone(codec, signals_for(codec, [0, 1, 30]))


def test_the_noise_of_a_decoder_is_each_signals_own(loaded: Callable[[str], Codec]) -> None:
    codec: Any = loaded("snac-mini")
    (one,) = codec.encode_batch(signals_for(codec, [0]))
    same, other, again = codec.decode_batch([one] * 3, seeds=[1, 2, 1])
    assert np.array_equal(same.samples, again.samples)
    assert not np.array_equal(same.samples, other.samples)


def test_segments_and_scales_stay_with_their_signal() -> None:
    from encodec import EncodecModel

    from snacbench.codecs.encodec import EncodecCodec
    from snacbench.selectors import select

    ((_, spec),) = select("encodec-48khz@6")
    torch.manual_seed(0)
    model = filled(EncodecModel.encodec_model_48khz(pretrained=False))
    codec = EncodecCodec(spec, model, torch.device("cpu"))
    signals = [broadband(1.3, 48_000, channels=2, seed=seed) for seed in range(3)]
    quieter = [Audio(s.samples / np.float32(4**i), 48_000) for i, s in enumerate(signals)]
    assert_as_alone(codec, quieter)
    encoded = codec.encode_batch(quieter)
    assert [len(e.side_info) for e in encoded] == [8, 8, 8]
    for one, alone in zip(encoded, map(codec.encode, quieter), strict=True):
        scales = np.frombuffer(one.side_info, "<f4")
        assert scales == pytest.approx(np.frombuffer(alone.side_info, "<f4"), rel=1e-5)


def test_a_codec_says_how_it_batches() -> None:
    with pytest.raises(NotImplementedError):
        Batched().encode_batch([])
    with pytest.raises(NotImplementedError):
        Batched().decode_batch([], seeds=[])
    assert Batched().padded_length(1234) == 1234


@pytest.mark.gpu
@pytest.mark.parametrize("name", MINIS)
def test_codes_on_cpu_and_gpu(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Reports the agreement; rounding may turn a few codes, never most of them."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from snacbench.request import Request
    from snacbench.runner.calibrate import agreements
    from snacbench.runner.plan import make_plan, with_weights

    request = Request(codecs=name, weights=("embedded",), limit=1, device="cuda")
    (row,) = agreements(with_weights(make_plan(request)))
    with capsys.disabled():
        snr = "equal audio" if row.snr_db is None else f"{row.snr_db:.1f} dB"
        sys.stdout.write(f"\n{row.codec}: {row.equal} of {row.tokens} codes equal, {snr}\n")
    assert row.share is not None
    assert row.share > 0.95


@pytest.mark.gpu
@pytest.mark.parametrize("name", MINIS)
def test_batches_on_a_gpu_are_as_alone_but_for_rounding(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from snacbench.selectors import select
    from snacbench.weights.locate import locate
    from snacbench.weights.policy import WeightsPolicy

    ((model, spec),) = select(name)
    codec: Any = model.load(spec, locate(model, WeightsPolicy("embedded")), "cuda")
    signals = signals_for(codec, [0, 1, 30])
    together = codec.encode_batch(signals)
    for signal, encoded in zip(signals, together, strict=True):
        alone = codec.encode(signal)
        pairs = list(zip(encoded.codes, alone.codes, strict=True))
        equal = sum(int((a == b).sum()) for a, b in pairs)
        assert equal > 0.95 * sum(a.size for a, _ in pairs)
    outputs = codec.decode_batch(together, seeds=[1, 2, 3])
    for encoded, seed, output in zip(together, [1, 2, 3], outputs, strict=True):
        assert si_sdr_db(codec.decode(encoded, seed=seed), output) > 60
