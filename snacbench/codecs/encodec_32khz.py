"""EnCodec at 32 kHz: MusicGen's music codec, published in the transformers library's format only.

Unlike the 24 kHz model it is not causal, and it was trained without quantiser dropout
(audiocraft's configuration ``encodec_large_nq4_s640``), so fewer than its 4 codebooks are
truncated.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from snacbench.codecs import _transformers as hub
from snacbench.types import CodecSpec, Stream

_RATE_HZ, _FRAME, _CODEBOOKS = 32_000, 640, 4
_BANDWIDTH_KBPS = 2.2
# How far ahead an output sample depends on the input, at the worst place within a frame, found
# by propagating gradients back through the model.
_LATENCY_SAMPLES = 5_427
# As in the hub's commit 4966e19, which corrected the first upload.
_SHA256 = "0e78f34d2ff3259f29bd51f7a99060151fe4ba5776fee216f58847f06082f1ca"

_BASE = CodecSpec(
    name="encodec-32khz",
    model="encodec-32khz",
    family="encodec",
    rate_hz=_RATE_HZ,
    channels=(1,),
    latency_s=_LATENCY_SAMPLES / _RATE_HZ,
    params_m=57.9,
    licence="CC-BY-NC-4.0 (as audiocraft's weights; the model card states none)",
    citation=(
        "Copet, Kreuk, Gat, Remez, Kant, Synnaeve, Adi, Défossez: Simple and Controllable Music "
        "Generation, NeurIPS 2023, arXiv:2306.05284"
    ),
)
_POINTS = hub.points(
    _BASE, Stream(Fraction(_RATE_HZ, _FRAME), 2_048), _CODEBOOKS, trained_from=_CODEBOOKS
)


def _quantise(model: Any, batch: Any, codebooks: int) -> Any:
    """The first codes of all: the model knows one bandwidth, and each codebook codes a rest."""
    segments = model.encode(batch, bandwidth=_BANDWIDTH_KBPS).audio_codes
    return segments[0][:, :codebooks]


def _synthesise(model: Any, codes: Any) -> Any:
    return model.decode(codes[None], [None]).audio_values


MODELS = (
    hub.model_of(
        "Encodec",
        _POINTS,
        hub.hub_source("facebook/encodec_32khz", _SHA256),
        (_quantise, _synthesise),
    ),
)
