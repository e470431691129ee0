"""Fused weight norm and the in-place Snake give the very bits of the packages' modules."""

from __future__ import annotations

from typing import Any

import pytest

from snacbench.codecs import _neural as neural
from snacbench.errors import CodecError, UserError
from tests.support.codec_models import filled, narrow_snac

torch = pytest.importorskip("torch")


def narrow_models() -> dict[str, Any]:
    from dac import DAC
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer
    from snac import SNAC

    torch.manual_seed(0)
    shape = {"channels": 1, "dimension": 16, "n_filters": 4, "norm": "weight_norm", "causal": True}
    return {
        "snac": filled(SNAC(**narrow_snac("snac-24khz"))),
        "dac": filled(DAC(encoder_dim=8, decoder_dim=64, n_codebooks=3)),
        "encodec": filled(
            EncodecModel(
                SEANetEncoder(**shape),
                SEANetDecoder(**shape),
                ResidualVectorQuantizer(dimension=16, n_q=2, bins=1024),
                [1.5],
                24_000,
                1,
            )
        ),
    }


@pytest.mark.parametrize("family", ["snac", "dac", "encodec"])
def test_prepared_model_is_bit_identical(family: str) -> None:
    original, other = narrow_models()[family], narrow_models()[family]
    other.load_state_dict(original.state_dict())
    prepared = neural.prepare_for_inference(other, "cpu")
    x = 0.3 * torch.randn(1, 1, 4096, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        latent = original.encoder(x)
        assert torch.equal(latent, prepared.encoder(x))
        torch.manual_seed(3)  # SNAC's decoder draws noise
        expected = original.decoder(latent)
        torch.manual_seed(3)
        assert torch.equal(expected, prepared.decoder(latent))
    assert float(expected.abs().max()) > 0


def test_weight_norm_is_gone_and_fused_weights_move_with_the_model() -> None:
    for model in narrow_models().values():
        prepared = neural.prepare_for_inference(model, "cpu")
        names = [name for name, _ in prepared.named_parameters()]
        assert not [n for n in names if n.endswith(("weight_g", "weight_v", "original0"))]
        moved = prepared.to(torch.float64)
        assert all(p.dtype == torch.float64 for p in moved.parameters())


def test_inplace_snake_leaves_its_input_alone() -> None:
    from dac.nn.layers import Snake1d

    holder = torch.nn.Sequential(Snake1d(4))
    holder[0].alpha.data = torch.rand(1, 4, 1) + 0.5
    x = torch.randn(2, 4, 100)
    kept, expected = x.clone(), holder(x)
    neural.use_inplace_snake(holder)
    assert torch.equal(holder(x), expected)
    assert torch.equal(x, kept)


def test_nan_from_a_decoder_is_an_error() -> None:
    with pytest.raises(CodecError, match="NaN or infinite"):
        neural.to_audio(torch.tensor([[[0.0, float("nan")]]]), 24_000, 2)


def test_output_is_cut_or_extended_to_the_exact_length() -> None:
    batch = torch.ones(1, 1, 5)
    assert neural.to_audio(batch, 24_000, 3).samples.tolist() == [[1, 1, 1]]
    assert neural.to_audio(batch, 24_000, 7).samples.tolist() == [[1, 1, 1, 1, 1, 0, 0]]


def test_cuda_is_refused_where_there_is_none() -> None:
    if torch.cuda.is_available():
        assert neural.ready_device("cuda").type == "cuda"
    else:
        with pytest.raises(UserError, match="finds no CUDA device"):
            neural.ready_device("cuda")


def test_reduced_precision_is_off() -> None:
    neural.ready_device("cpu")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
