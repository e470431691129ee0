"""Speaker similarity: the cosine of the angle between the vectors of two voices.

    SIM(x, y) = e(x) . e(y) / ( |e(x)| |e(y)| )

with e one of four networks that were taught to tell speakers apart: four metrics, whose values have
nothing to do with one another. The whole signal goes in; x and y need not be of one length.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from snacbench.later import np, torch
from snacbench.metrics._guards import VOICE
from snacbench.metrics._learned import Files, learned
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.types import Audio, Metric

MIN_DURATION_S = 0.5  # the widest of the networks pools what it sees in 15 frames of 20 ms


def cosine(x: "torch.Tensor", y: "torch.Tensor") -> float:
    """Cosine of the angle between two vectors, from -1 to 1; higher is more alike."""
    x, y = x.double(), y.double()
    return float(np.clip(float(x @ y / (x.norm() * y.norm())), -1.0, 1.0))


def _prepare(
    embed: "Callable[[Audio], torch.Tensor]", reference: Audio
) -> Callable[[Audio], float]:
    of_reference = embed(reference)
    return lambda degraded: cosine(of_reference, embed(degraded))


def _metric(network: str, model: MetricModel, citation: str) -> Metric:
    name = f"speaker_sim_{network}"
    spec = replace(VOICE, name=name, range=(-1.0, 1.0), citation=citation, requires=model.requires)

    def load(files: Files) -> Any:
        networks = import_module("snacbench.metrics._speaker_networks")  # which imports torch
        return getattr(networks, network)(files)

    s = MIN_DURATION_S
    return learned(spec, model, load, _prepare, min_s=s, min_degraded_s=s)


def _of_the_hub(  # noqa: PLR0913, PLR0917 - a row of a table
    name: str, licence: str, requires: tuple[str, ...], repository: str, revision: str, sha256: str,
    *files: str,
) -> MetricModel:  # fmt: skip
    hosted = tuple(HostedFile(file, file, sha256) for file in files)
    return MetricModel(name, WeightsSource("hub", repository, hosted, revision), licence, requires)


# Published on a drive from which only persons can download (microsoft/UniSpeech,
# downstreams/speaker_verification, "WavLM large" with "Fix pre-train: No"). This is a copy: of the
# drive's file, as of ECAPA's below, several programs of other people pin the same digest.
WAVLM_LARGE = _of_the_hub(
    "wavlm-large-sv", "CC-BY-SA-3.0", ("torch", "torchaudio"),
    "bezzam/wavlm_large_finetune_seed_tts_eval", "main",
    "51f07e3b94d9e0262a6a675ef5a087be3dd09e8c62e9d886827f44f82fe7f94b",
    "wavlm_large_finetune.pth",
)  # fmt: skip
WAVLM_BASE_PLUS = _of_the_hub(
    "wavlm-base-plus-sv", "CC-BY-SA-3.0", ("torch", "transformers"),
    "microsoft/wavlm-base-plus-sv", "feb593a6c23c1cc3d9510425c29b0a14d2b07b1e", "",
    "config.json", "preprocessor_config.json", "pytorch_model.bin",
)  # fmt: skip
ECAPA = _of_the_hub(
    "spkrec-ecapa-voxceleb", "Apache-2.0", ("torch",),
    "speechbrain/spkrec-ecapa-voxceleb", "0f99f2d0ebe89ac095bcc5903c4dd8f72b367286",
    "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2",
    "embedding_model.ckpt",
)  # fmt: skip
# The package itself wants a compiler and an outdated ``typing``: its wheel is but a weights file.
_WHEEL = "Resemblyzer-0.1.4-py3-none-any.whl"
_IN_PYPI = "packages/d9/b5/d897d5de5b2123a1ad5d32e8e007d83f76582f5c32c60992577263bd7c7e"
_SHA256 = "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
_HOSTED = HostedFile(_WHEEL, f"{_IN_PYPI}/{_WHEEL}", _SHA256)
RESEMBLYZER = MetricModel(
    "resemblyzer", WeightsSource("pypi", "resemblyzer", (_HOSTED,), "0.1.4"), "Apache-2.0",
    ("torch", "librosa", "webrtcvad"),
)  # fmt: skip

MODELS = (WAVLM_LARGE, WAVLM_BASE_PLUS, ECAPA, RESEMBLYZER)
_CITED = {
    "wavlm_large": "Chen et al.: arXiv 2110.05777, 2022; as microsoft/UniSpeech computes it",
    "wavlm_base_plus": "Chen et al.: WavLM, IEEE JSTSP 2022; as transformers computes it",
    "ecapa": "Desplanques et al.: ECAPA-TDNN, Interspeech 2020; as speechbrain computes it",
    "resemblyzer": "Wan et al.: GE2E loss, ICASSP 2018; as resemblyzer computes it",
}
METRICS = tuple(_metric(n, model, _CITED[n]) for n, model in zip(_CITED, MODELS, strict=True))
