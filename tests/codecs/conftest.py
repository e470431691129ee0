"""Small random models of the official classes, and loaded embedded ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from snacbench.selectors import select
from snacbench.types import Codec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy

SNAC_SHAPES: dict[str, dict[str, Any]] = {
    "snac-24khz": {
        "sampling_rate": 24_000, "encoder_dim": 48, "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": 1024, "decoder_rates": [8, 8, 4, 2], "attn_window_size": None,
        "codebook_size": 4096, "codebook_dim": 8, "vq_strides": [4, 2, 1],
        "noise": True, "depthwise": True,
    },
    "snac-32khz": {
        "sampling_rate": 32_000, "encoder_dim": 64, "encoder_rates": [2, 3, 8, 8],
        "decoder_dim": 1536, "decoder_rates": [8, 8, 3, 2], "attn_window_size": 32,
        "codebook_size": 4096, "codebook_dim": 8, "vq_strides": [8, 4, 2, 1],
        "noise": True, "depthwise": True,
    },
}  # fmt: skip
SNAC_SHAPES["snac-44khz"] = {**SNAC_SHAPES["snac-32khz"], "sampling_rate": 44_100}


def narrow_snac(name: str) -> dict[str, Any]:
    """The published model's rates and strides at an eighth of its width."""
    # Attention heads are 64 wide, so the 32 and 44 kHz models cannot be narrower than this.
    encoder_dim, decoder_dim = (6, 128) if name == "snac-24khz" else (8, 128)
    return {**SNAC_SHAPES[name], "encoder_dim": encoder_dim, "decoder_dim": decoder_dim}


def filled(model: Any, seed: int = 0) -> Any:
    """Random weights that matter: no all-zero codebooks, biases or unit Snakes."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("embed", "codebook.weight")):
            tensor.data = torch.randn(tensor.shape, generator=generator)
        elif name.endswith("inited"):
            tensor.data = torch.ones_like(tensor)
        elif name.endswith(("alpha", "bias")):
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.data = (0.5 + noise) if name.endswith("alpha") else 0.02 * (noise - 0.5)
    return model.eval()


@pytest.fixture(scope="session")
def loaded() -> Callable[[str], Codec]:
    """``loaded("dac-mini@2q")``: a codec with embedded weights or none, loaded once."""
    cache: dict[str, Codec] = {}

    def load(selector: str) -> Codec:
        if selector not in cache:
            ((model, spec),) = select(selector)
            cache[selector] = model.load(spec, locate(model, WeightsPolicy("embedded")), "cpu")
        return cache[selector]

    return load
