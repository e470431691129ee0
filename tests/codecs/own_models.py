"""Tiny models of the packages' own classes, and opening what they saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from snacbench.selectors import select
from snacbench.types import Audio, Codec, CodecSpec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.codecs.conftest import filled, narrow_snac

DAC_SHAPE: dict[str, Any] = {
    "encoder_dim": 4, "encoder_rates": [2, 4, 5, 8], "decoder_dim": 32,
    "decoder_rates": [8, 5, 4, 2], "n_codebooks": 4, "sample_rate": 24_000,
}  # fmt: skip


def tiny_dac(seed: int = 0, **changes: Any) -> Any:
    from dac import DAC

    torch.manual_seed(seed)
    return filled(DAC(**{**DAC_SHAPE, **changes}), seed)


def tiny_snac(seed: int = 0, **changes: Any) -> Any:
    from snac import SNAC

    torch.manual_seed(seed)
    return filled(SNAC(**{**narrow_snac("snac-24khz"), **changes}), seed)


def tiny_encodec(
    seed: int = 0,
    *,
    channels: int = 1,
    n_q: int = 4,
    rate_hz: int = 24_000,
    bandwidths: tuple[float, ...] = (1.5, 3.0),
    decoder: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    **shape: Any,
) -> Any:
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    torch.manual_seed(seed)
    shape = {"dimension": 16, "n_filters": 4, "causal": True, **shape, "channels": channels}
    return filled(
        EncodecModel(
            SEANetEncoder(**shape),
            SEANetDecoder(**shape, **(decoder or {})),
            ResidualVectorQuantizer(dimension=shape["dimension"], n_q=n_q, bins=64),
            list(bandwidths),
            rate_hz,
            channels,
            **(model or {}),
        ),
        seed,
    )


def spec_of(selector: str) -> CodecSpec:
    ((_, spec),) = select(selector)
    return spec


def opened(selector: str) -> Codec:
    """A model at a path, loaded as a run's worker loads it."""
    ((model, spec),) = select(selector)
    return model.load(spec, locate(model, WeightsPolicy("auto")), "cpu")


def notes_of(spec: CodecSpec) -> str:
    return "; ".join(spec.settings.get("notes", ()))


def batch_of(audio: Audio) -> torch.Tensor:
    return torch.from_numpy(np.array(audio.samples))[None]


def state_file(path: Path, state: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path
