"""Published recognisers from the hub at a pinned revision, by the package ``transformers``.

For publication: anyone can fetch the same weights by the same name and commit.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snacbench.errors import MissingPackage, Undefined, UserError, WeightsUnavailable
from snacbench.types import Audio

_WHISPER_WINDOW_S = 30.0
_FILES = ["*.json", "*.txt", "model.safetensors"]
_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Published:
    """Where a recogniser lies on the hub; the commit cannot change what it names."""

    repository: str
    commit: str


PUBLISHED = {
    "whisper-large-v3": Published(
        "openai/whisper-large-v3", "06f233fe06e710322aca913c1bc4249a0d71fce1"
    ),
    "wav2vec2": Published(
        "facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156"
    ),
}


def make(kind: str, detail: str, device: str) -> Whisper | Wav2Vec2:
    """The recogniser of a name, its files fetched if they are not here.

    Raises
    ------
    UserError
        If something stands behind the name, or the device is none.
    MissingPackage
        If the package is not installed.
    WeightsUnavailable
        If the files are neither here nor to be had.
    """
    if detail or (device or "cpu") not in _DEVICES:
        raise UserError(
            f"--asr {kind} can be followed by @cpu or @cuda alone, found {detail or device!r}: "
            "its model is the published one"
        )
    if importlib.util.find_spec("transformers") is None:
        raise MissingPackage(
            f"--asr {kind} needs a package that is not installed; run pip install "
            "'.[transformers]' in snacbench's checkout"
        )
    published = PUBLISHED[kind]
    network = Whisper if kind.startswith("whisper") else Wav2Vec2
    return network(kind, published, _fetched(published), device or "cpu")


def _fetched(published: Published) -> Path:
    """The folder of a published model in the hub's own cache.

    Raises
    ------
    WeightsUnavailable
        If it is neither there nor to be had.
    """
    from huggingface_hub import snapshot_download

    offline = bool(os.environ.get("SNACBENCH_OFFLINE") or os.environ.get("HF_HUB_OFFLINE"))
    try:
        folder = snapshot_download(
            published.repository,
            revision=published.commit,
            allow_patterns=_FILES,
            local_files_only=offline,
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    except Exception as error:  # of the network, the disk, the hub's answer: a dozen classes
        raise WeightsUnavailable(
            f"{published.repository} at {published.commit[:12]} is not in the hub's cache and "
            f"cannot be fetched ({type(error).__name__}); fetch it where there is a network: hf "
            f"download {published.repository} --revision {published.commit}, or choose another "
            "recogniser with --asr"
        ) from error
    return Path(folder)


class _OfTheHub:
    """What published recognisers share: name, revision, device, and reading the files."""

    def __init__(self, name: str, published: Published, folder: Path, device: str) -> None:
        self.name, self._published = name, published
        self._folder, self._device = folder, device

    @property
    def revision(self) -> str:
        """The repository's commit, and what runs it."""
        return (
            f"{self._published.repository} at {self._published.commit}, transformers "
            f"{version('transformers')}, {self._device}"
        )

    def _read(self, kind: str) -> Any:
        """An object of a class of the library, by the class's name."""
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        return getattr(transformers, kind).from_pretrained(self._folder, local_files_only=True)

    def _ready(self, kind: str) -> Any:
        """A network of a class of the library, in float32, for inference."""
        return self._read(kind).float().to(self._device).eval()


class Whisper(_OfTheHub):
    """Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.

    Greedy search, in English, without timestamps, on the 30 s that the network takes at once.
    """

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz.

        Raises
        ------
        Undefined
            If it is longer than the network's window.
        """
        import torch

        if audio.duration_s > _WHISPER_WINDOW_S:
            raise Undefined(
                f"too long: whisper takes {_WHISPER_WINDOW_S:g} s at once, the signal lasts "
                f"{audio.duration_s:.3f} s; score it in segments"
            )
        heard = self._processor(
            audio.samples[0],
            sampling_rate=audio.rate_hz,
            return_tensors="pt",
            return_attention_mask=True,
        ).to(self._device)
        with torch.inference_mode():
            tokens = self._network.generate(
                **heard, language="en", task="transcribe", num_beams=1, do_sample=False
            )
        return str(self._processor.batch_decode(tokens, skip_special_tokens=True)[0])

    @cached_property
    def _network(self) -> Any:
        return self._ready("WhisperForConditionalGeneration")

    @cached_property
    def _processor(self) -> Any:
        return self._read("WhisperProcessor")


class Wav2Vec2(_OfTheHub):
    """Baevski, Zhou, Mohamed, Auli: "wav2vec 2.0", NeurIPS 2020; the likeliest letter each 20 ms.

    Without a language model, so that it spells what it hears.
    """

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""
        import torch

        heard = self._processor(
            audio.samples[0], sampling_rate=audio.rate_hz, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            letters = self._network(**heard).logits.argmax(dim=-1)
        return str(self._processor.batch_decode(letters)[0])

    @cached_property
    def _network(self) -> Any:
        return self._ready("Wav2Vec2ForCTC")

    @cached_property
    def _processor(self) -> Any:
        return self._read("Wav2Vec2Processor")
