"""UTMOS: predicted naturalness of speech, from one signal alone.

The strong learner of Saeki et al.: "UTMOS: UTokyo-SaruLab System for VoiceMOS Challenge 2022",
Interspeech 2022, without its phoneme encoder: wav2vec 2.0 Base on the waveform as it is, beside
each of its frames the same embeddings of a data domain and a judge, a bidirectional LSTM and two
layers that give each frame a score, of which the mean counts. The weights are those that papers
use: tarepan/SpeechMOS made them of the authors' checkpoint, and keeps one domain and one judge.
"""

import math
from dataclasses import replace
from functools import partial
from typing import Any

from snacbench.later import torch
from snacbench.metrics._guards import VOICE
from snacbench.metrics._learned import Compare, Files, learned, tensor_names
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio

# A choice of ours: listeners rated whole sentences. A frame of wav2vec 2.0 takes 25 ms.
MIN_DURATION_S = 1.0

UTMOS = replace(
    VOICE, name="utmos", unit="MOS",
    range=(-math.inf, math.inf),  # 1 to 5 are rated, and nothing limits what is predicted
    citation="Saeki et al.: UTMOS (strong learner), Interspeech 2022",
    requires=("torch", "torchaudio"),
)  # fmt: skip

_FILE = "utmos22_strong_step7459_v1.pt"
# As four evaluation programs of other people pin it, one of them by the hub's record of a copy.
_SHA256 = "38aa51ab79e2a4e09a1449758a4b37e9cbb2e8235a49662a732d33a9ba1e9bff"
_HOSTED = HostedFile(_FILE, f"tarepan/SpeechMOS/releases/download/v1.0.0/{_FILE}", _SHA256)
MODEL = MetricModel(
    "utmos22-strong", WeightsSource("github", "tarepan/SpeechMOS", (_HOSTED,), revision="v1.0.0"),
    licence="MIT", requires=UTMOS.requires,
)  # fmt: skip
MODELS = (MODEL,)


def build(wav2vec2: Any = None, widths: tuple[int, int, int, int] = (768, 128, 512, 2048)) -> Any:
    """The published network without its weights, or one of other widths around another base."""
    from torch import nn
    from torchaudio.models import wav2vec2_base

    frames, embedding, hidden, projection = widths
    with torch.device("meta"):
        both = ("domain_emb", "judge_emb")
        parts = {
            "wav2vec2": wav2vec2_base() if wav2vec2 is None else wav2vec2,
            "embeddings": nn.ParameterDict({n: torch.empty(1, embedding) for n in both}),
            "blstm": nn.LSTM(frames + 2 * embedding, hidden, batch_first=True, bidirectional=True),
            "projection": nn.Sequential(
                nn.Linear(2 * hidden, projection), nn.ReLU(), nn.Linear(projection, 1)
            ),
        }
    return nn.ModuleDict(parts).eval()


def load(files: Files, network: Any = None) -> Any:
    """The network with the weights of the published file."""
    state = torch.load(files[_FILE], map_location="cpu", weights_only=True)
    network = build() if network is None else network
    state.pop("wav2vec2.mask_emb", None)  # of its training
    network.load_state_dict({ours(name): x.float() for name, x in state.items()}, assign=True)
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
    for theirs, own in tensor_names("wav2vec2"):
        inner = inner.replace(theirs, own)
    return f"wav2vec2.{inner}"


def naturalness(network: Any, audio: Audio) -> float:
    """Predicted mean opinion score of a mono signal at 16 kHz; higher is better."""
    with torch.inference_mode():
        frames, _ = network["wav2vec2"](torch.from_numpy(audio.samples.copy()))
        beside = torch.cat([*network["embeddings"].values()], dim=1)
        beside = beside.expand(1, frames.shape[1], -1)
        hidden, _ = network["blstm"](torch.cat([frames, beside], dim=2))
        return float(network["projection"](hidden).mean()) * 2 + 3


def _of_reference(network: Any, reference: Audio) -> Compare:
    value = naturalness(network, reference)
    return lambda _degraded: value


METRICS = (
    learned(
        UTMOS, MODEL, load, lambda network, _reference: partial(naturalness, network),
        min_degraded_s=MIN_DURATION_S,
    ),
    learned(
        replace(UTMOS, name="utmos_reference"), MODEL, load, _of_reference, min_s=MIN_DURATION_S,
        silence_has_score=True,  # of the degraded signal, which is not heard
    ),
)  # fmt: skip
