"""Mimi: a causal codec with transformers around its quantisers (Défossez et al. 2024).

The first codebook carries semantic tokens, distilled from WavLM; the others are a residual
quantiser of their own, so that any number of them may be left away from the end.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from snacbench.codecs import _transformers as hub
from snacbench.types import CodecSpec, Stream

_RATE_HZ, _FRAME, _CODEBOOKS = 24_000, 1_920, 32
# What the paper evaluates (section 3.3: 8 codebooks, 1.1 kbps) and Moshi speaks with.
_DEFAULT_CODEBOOKS = 8
# Quantiser dropout trained smaller depths, but the authors speak of 8, 16 and 32 codebooks only
# (kyutai-labs/moshi, issues 122, 144 and 189), so fewer than 8 are nothing they stand by.
_FEWEST_CODEBOOKS = 8

_BASE = CodecSpec(
    name="mimi",
    model="mimi",
    family="mimi",
    rate_hz=_RATE_HZ,
    channels=(1,),
    latency_s=_FRAME / _RATE_HZ,  # causal: one frame of 80 ms, as the authors' README states
    params_m=96.1,
    licence="CC-BY-4.0",
    citation=(
        "Défossez, Mazaré, Orsini, Royer, Pérez, Jégou, Grave, Zeghidour: Moshi: a speech-text "
        "foundation model for real-time dialogue, 2024, arXiv:2410.00037"
    ),
)
_POINTS = hub.points(
    _BASE,
    Stream(Fraction(_RATE_HZ, _FRAME), 2_048),
    _CODEBOOKS,
    trained_from=_FEWEST_CODEBOOKS,
)


def _quantise(model: Any, batch: Any, codebooks: int) -> Any:
    return model.encode(batch, num_quantizers=codebooks).audio_codes


def _synthesise(model: Any, codes: Any) -> Any:
    return model.decode(codes).audio_values


MODELS = (
    hub.model_of(
        "Mimi",
        _POINTS,
        hub.hub_source("kyutai/mimi"),
        (_quantise, _synthesise),
        default=_POINTS[_DEFAULT_CODEBOOKS - 1],
    ),
)
