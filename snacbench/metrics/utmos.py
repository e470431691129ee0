"""UTMOS: predicted naturalness of speech, from one signal alone.

The strong learner of Saeki et al.: "UTMOS: UTokyo-SaruLab System for VoiceMOS Challenge 2022",
Interspeech 2022, without its phoneme encoder: wav2vec 2.0 Base on the waveform as it is, beside
each of its frames the same embeddings of a data domain and a judge, a bidirectional LSTM and two
layers that give each frame a score, of which the mean counts. The weights are those that papers
use: tarepan/SpeechMOS made them of the authors' checkpoint, and keeps one domain and one judge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from snacbench.metrics._learned import Compare, Files, learned
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio, MetricSpec

# A choice of ours: listeners rated whole sentences. A frame of wav2vec 2.0 takes 25 ms.
MIN_DURATION_S = 1.0

UTMOS = MetricSpec(
    name="utmos",
    unit="MOS",
    better="higher",
    range=(-math.inf, math.inf),  # 1 to 5 are rated, and nothing limits what is predicted
    rate_hz=16_000,
    domains=("speech",),
    any_length=True,
    default=False,
    citation="Saeki et al.: UTMOS (strong learner), Interspeech 2022",
    requires=("torch", "torchaudio"),
)

_FILE = "utmos22_strong_step7459_v1.pt"
# As four evaluation programs of other people pin it, one of them by the hub's record of a copy.
_SHA256 = "38aa51ab79e2a4e09a1449758a4b37e9cbb2e8235a49662a732d33a9ba1e9bff"
MODEL = MetricModel(
    "utmos22-strong",
    WeightsSource(
        "github",
        "tarepan/SpeechMOS",
        (HostedFile(_FILE, f"tarepan/SpeechMOS/releases/download/v1.0.0/{_FILE}", _SHA256),),
        revision="v1.0.0",
    ),
    licence="MIT",
    requires=UTMOS.requires,
)
MODELS = (MODEL,)


@dataclass(frozen=True)
class Sizes:
    """Widths of the network, by default those of the published one."""

    convolutions: int = 512
    frames: int = 768
    feed_forward: int = 3072
    heads: int = 12
    layers: int = 12
    embedding: int = 128  # of the domain, and of the judge
    lstm: int = 512  # in each direction
    projection: int = 2048


PUBLISHED = Sizes()
_STRIDES = ((10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2)  # widths and strides in samples
# What fairseq calls the parts of wav2vec 2.0, and what torchaudio does; first come, first served.
_NAMES = {
    "encoder.pos_conv.0.": "encoder.transformer.pos_conv_embed.conv.",
    "conv_layers.0.2.": "conv_layers.0.layer_norm.",
    ".0.weight": ".conv.weight",
    "encoder.layer_norm.": "encoder.transformer.layer_norm.",
    "encoder.layers.": "encoder.transformer.layers.",
    "self_attn_layer_norm.": "layer_norm.",
    "self_attn.": "attention.",
    "fc1.": "feed_forward.intermediate_dense.",
    "fc2.": "feed_forward.output_dense.",
    "post_extract_proj.": "encoder.feature_projection.projection.",
}
_OF_TRAINING = "wav2vec2.mask_emb"


def build(sizes: Sizes = PUBLISHED) -> Any:
    """The network without its weights, as a module of the parts that the published file names."""
    import torch
    from torch import nn
    from torchaudio.models import wav2vec2_model

    context = sizes.frames + 2 * sizes.embedding
    with torch.device("meta"):
        return nn.ModuleDict(
            {
                "wav2vec2": wav2vec2_model(
                    extractor_mode="group_norm",
                    extractor_conv_layer_config=[(sizes.convolutions, *s) for s in _STRIDES],
                    extractor_conv_bias=False,
                    encoder_embed_dim=sizes.frames,
                    encoder_projection_dropout=0.0,
                    encoder_pos_conv_kernel=128,
                    encoder_pos_conv_groups=16,
                    encoder_num_layers=sizes.layers,
                    encoder_num_heads=sizes.heads,
                    encoder_attention_dropout=0.0,
                    encoder_ff_interm_features=sizes.feed_forward,
                    encoder_ff_interm_dropout=0.0,
                    encoder_dropout=0.0,
                    encoder_layer_norm_first=False,
                    encoder_layer_drop=0.0,
                    aux_num_out=None,
                ),
                "blstm": nn.LSTM(context, sizes.lstm, batch_first=True, bidirectional=True),
                "projection": nn.Sequential(
                    nn.Linear(2 * sizes.lstm, sizes.projection),
                    nn.ReLU(),
                    nn.Linear(sizes.projection, 1),
                ),
                "embeddings": nn.ParameterDict(
                    {
                        name: nn.Parameter(torch.empty(1, sizes.embedding))
                        for name in ("domain_emb", "judge_emb")
                    }
                ),
            }
        ).eval()


def load(files: Files, sizes: Sizes = PUBLISHED) -> Any:
    """The network with the weights of the published file."""
    import torch

    state = torch.load(files[_FILE], map_location="cpu", weights_only=True)
    network = build(sizes)
    used = {ours(name): tensor.float() for name, tensor in state.items() if name != _OF_TRAINING}
    network.load_state_dict(used, assign=True)
    return network


def ours(name: str) -> str:
    """What a tensor of the published file is called here."""
    if name.endswith("_emb"):
        return f"embeddings.{name}"
    part, _, inner = name.partition(".")
    if part != "wav2vec2":
        return name
    if inner.startswith("layer_norm."):
        return f"wav2vec2.encoder.feature_projection.{inner}"
    for theirs, own in _NAMES.items():
        inner = inner.replace(theirs, own)
    return f"wav2vec2.{inner}"


def naturalness(network: Any, audio: Audio) -> float:
    """Predicted mean opinion score of a mono signal at 16 kHz; higher is better."""
    import torch

    with torch.inference_mode():
        frames, _ = network["wav2vec2"](torch.from_numpy(audio.samples.copy()))
        beside = torch.cat([*network["embeddings"].values()], dim=1)
        beside = beside.expand(1, frames.shape[1], -1)
        hidden, _ = network["blstm"](torch.cat([frames, beside], dim=2))
        return float(network["projection"](hidden).mean()) * 2 + 3


def _of_degraded(network: Any, _reference: Audio) -> Compare:
    return lambda degraded: naturalness(network, degraded)


def _of_reference(network: Any, reference: Audio) -> Compare:
    value = naturalness(network, reference)
    return lambda _degraded: value


METRICS = (
    learned(UTMOS, MODEL, load, _of_degraded, min_degraded_s=MIN_DURATION_S),
    learned(
        replace(UTMOS, name="utmos_reference"),
        MODEL,
        load,
        _of_reference,
        min_s=MIN_DURATION_S,
        silence_has_score=True,  # of the degraded signal, which is not heard
    ),
)
