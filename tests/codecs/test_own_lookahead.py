"""Look-ahead by arithmetic equals look-ahead by gradients, and is what published specs state."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch")
import torch

from snacbench.codecs._lookahead import blocks, convolutions, look_ahead_samples
from snacbench.codecs._neural import outline
from snacbench.codecs._seanet import layers_of
from snacbench.plugins import codec_models
from snacbench.weights import embedded
from tests.codecs.conftest import SNAC_SHAPES
from tests.codecs.own_models import tiny_dac, tiny_encodec
from tests.contract.test_published_sizes import DAC_SHAPES

MINI = {name: embedded.config(name)["model"] for name in ("snac-mini", "dac-mini")}


def stated(name: str) -> int:
    spec = codec_models()[name].points[-1]
    assert spec.latency_s
    assert spec.rate_hz
    return round(spec.latency_s * spec.rate_hz)


@pytest.mark.parametrize("name", [*SNAC_SHAPES, "snac-mini"])
def test_snac(name: str) -> None:
    from snac import SNAC

    model = outline(SNAC, {**SNAC_SHAPES, **MINI}[name], embedded.folder("snac-mini"))
    layers = [
        *convolutions(model.encoder), blocks(max(model.vq_strides)), *convolutions(model.decoder)
    ]  # fmt: skip
    block = int(model.hop_length) * math.lcm(model.vq_strides[0], model.attn_window_size or 1)
    assert look_ahead_samples(layers, block) == stated(name)


@pytest.mark.parametrize("name", [*DAC_SHAPES, "dac-mini"])
def test_dac(name: str) -> None:
    from dac import DAC

    model = outline(DAC, {**DAC_SHAPES, **MINI}[name], embedded.folder("dac-mini"))
    layers = [*convolutions(model.encoder), *convolutions(model.decoder)]
    assert look_ahead_samples(layers, int(model.hop_length)) == stated(name)


def by_gradient(model: Any, hop: int, frames: int) -> int:
    """The largest distance between an output of one frame and an input that it depends on."""
    model = model.double().eval()
    x = torch.randn(1, 1, hop * frames, dtype=torch.double).requires_grad_(True)
    out = model.decoder(model.encoder(x))[0, 0]
    found = []
    for place in range(hop * (frames // 2), hop * (frames // 2 + 1)):
        (gradient,) = torch.autograd.grad(out[place], x, retain_graph=True)
        found.append(int(gradient[0, 0].nonzero().max()) - place)
    return max(found)


def test_equals_gradients_of_a_dac_with_an_odd_stride() -> None:
    shape = {"encoder_rates": [2, 5], "decoder_rates": [5, 2], "decoder_dim": 16}
    model = tiny_dac(**shape)
    layers = [*convolutions(model.encoder), *convolutions(model.decoder)]
    assert look_ahead_samples(layers, 10) == by_gradient(model, 10, 160)


@pytest.mark.parametrize("causal", [False, True])
def test_equals_gradients_of_an_encodec(causal: bool) -> None:
    model = tiny_encodec(ratios=[3, 2], causal=causal, lstm=0)
    layers = [*layers_of(model.encoder), *layers_of(model.decoder)]
    assert look_ahead_samples(layers, 6) == by_gradient(model, 6, 60)


def test_a_causal_encodec_that_trims_on_the_left_looks_ahead() -> None:
    model = tiny_encodec(ratios=[3, 2], lstm=0, decoder={"trim_right_ratio": 0.0})
    layers = [*layers_of(model.encoder), *layers_of(model.decoder)]
    ahead = look_ahead_samples(layers, 6)
    assert ahead == by_gradient(model, 6, 60)
    assert ahead > 6
