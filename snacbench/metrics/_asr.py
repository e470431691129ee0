"""Speech recognition under word error rates: which recogniser, and what it heard in a signal.

A recogniser is chosen by name with ``--asr`` (or ``$SNACBENCH_ASR``, or ``asr`` in the
configuration file). None is chosen for the user: word error rates of two recognisers are two
different quantities, and the weakest one would otherwise be everybody's default.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from snacbench.errors import (
    MissingPackage,
    Undefined,
    UserError,
    WeightsUnavailable,
    did_you_mean,
)
from snacbench.metrics import _guards
from snacbench.settings import ASR_VARIABLE, asr_selector
from snacbench.types import Audio

RATE_HZ = 16_000
CHOICES = "pocketsphinx, faster-whisper:FOLDER, whisper-large-v3, wav2vec2"

# A clip's reference and its decodes, each heard once for all metrics of words.
_TEXTS_KEPT = 256
_FULL_SCALE = 32_767
_WEIGHTS, _BEAMS = "model.bin", 5
_WHISPER_WINDOW_S = 30.0
_FILES = ["*.json", "*.txt", "model.safetensors"]
_DEVICES = ("cpu", "cuda")


class Recogniser(Protocol):
    """What turns English speech into text, the same text for the same samples.

    To make one is cheap: the model is read at the first signal, because the process that plans a
    run makes a recogniser only to ask its name.
    """

    @property
    def name(self) -> str:
        """What it is called in the record of a run."""

    @property
    def revision(self) -> str:
        """What tells its model from any other."""

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""


@functools.cache
def open_recogniser(selector: str, *, offline: bool = False) -> Recogniser:
    """The recogniser of a selector; published models are fetched, if they are not here.

    If `offline`, nothing is asked of the network.

    Raises
    ------
    UserError
        If there is none of that name, its package is missing, or its model cannot be had.
    """
    name, _, detail = selector.partition(":")
    kind, _, device = name.partition("@")
    if kind not in MAKERS:
        raise UserError(
            f"--asr {selector}: no such recogniser; {did_you_mean(kind, MAKERS)}, written as "
            f"one of {CHOICES}"
        )
    if offline and kind in PUBLISHED:
        return MAKERS[kind](kind, detail, device, offline=True)
    return MAKERS[kind](kind, detail, device)


def recogniser(selector: str = "", *, offline: bool = False) -> Recogniser:
    """The recogniser of a selector; of an empty one, whichever the user has set.

    If `offline`, nothing is asked of the network.

    Raises
    ------
    UserError
        If none is, or it cannot be had.
    """
    chosen = selector or asr_selector()
    if not chosen:
        raise UserError(
            f"word and character error rates need a recogniser; name one with --asr: {CHOICES} "
            f"(or set {ASR_VARIABLE})"
        )
    return open_recogniser(chosen, offline=offline)


def facts(selector: str = "") -> Mapping[str, str]:
    """The recogniser in words, for the record of a run."""
    chosen = recogniser(selector)
    return {"asr": f"{chosen.name}, {chosen.revision}"}


def heard_in(audio: Audio, selector: str = "") -> str:
    """What a recogniser hears in a mono signal at 16 kHz; nothing in silence.

    Recognisers make up words for digital silence, so that they are not asked about it.
    """
    if _guards.is_silent(audio):
        return ""
    return _heard(_Signal(audio), selector or asr_selector())


class _Signal:
    """A signal that equals every other of the same samples."""

    def __init__(self, audio: Audio) -> None:
        self.audio = audio
        self._digest = hashlib.sha256(audio.samples.tobytes()).digest()

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Signal) and self._digest == other._digest


@functools.lru_cache(maxsize=_TEXTS_KEPT)
def _heard(signal: _Signal, selector: str) -> str:
    return open_recogniser(selector).transcribe(signal.audio)


def _check_package(package: str, kind: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingPackage(
            f"--asr {kind} needs a package that is not installed; run pip install "
            f"'.[{extra}]' in snacbench's checkout"
        )


class PocketSphinx:
    """A small recogniser of 2000s' quality whose English model lies in its wheel.

    It needs no network and no folder, and hears every fourth word wrong in clean speech. It is for
    trying things out; what it says of a codec is not what a listener or a current recogniser hears.
    """

    name = "pocketsphinx"

    def __init__(self, kind: str, detail: str, device: str) -> None:
        if detail or device:
            raise UserError(
                f"--asr {kind} takes nothing more, found {detail or device!r}: its model lies in "
                "its package, and it runs on the CPU"
            )
        _check_package("pocketsphinx", kind, "asr")

    @property
    def revision(self) -> str:
        """The package's version: the model comes with it."""
        return f"package {version('pocketsphinx')} with its own en-us model"

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""
        # What the decoder learnt of the last signal's level would change what it hears in this one.
        self._decoder.reinit_feat()
        full_scale = np.clip(audio.samples[0], -1.0, 1.0) * _FULL_SCALE
        self._decoder.start_utt()
        self._decoder.process_raw(np.rint(full_scale).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""

    @cached_property
    def _decoder(self) -> Any:
        from pocketsphinx import Decoder

        return Decoder(samprate=16_000, cmn="batch", loglevel="FATAL")


class FasterWhisper:
    """Whisper from a folder in CTranslate2's format, with a beam of 5 and nothing drawn at random.

    Any size, converted by anyone, without the network: the digest of its weights tells which it
    was.
    """

    def __init__(self, kind: str, detail: str, device: str) -> None:
        if not detail:
            raise UserError(
                f"--asr {kind} needs the folder of a model in CTranslate2's format; write "
                f"{kind}:FOLDER"
            )
        self._folder, self._device = Path(detail).expanduser().resolve(), device or "cpu"
        if not (self._folder / _WEIGHTS).is_file():
            raise UserError(
                f"--asr {kind}:{detail}: there is no {_WEIGHTS} in it; name the folder of a "
                "whisper model in CTranslate2's format"
            )
        _check_package("faster_whisper", kind, "asr")

    @property
    def name(self) -> str:
        """The folder's name: nobody else knows which size of model it is."""
        return f"faster-whisper {self._folder.name}"

    @cached_property
    def revision(self) -> str:
        """The package's version and the digest of the weights."""
        with (self._folder / _WEIGHTS).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return f"package {version('faster-whisper')}, {_WEIGHTS} sha256 {digest[:16]}"

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""
        # Temperature 0 alone: the package would otherwise try again with random draws.
        segments, _ = self._model.transcribe(
            audio.samples[0],
            language="en",
            beam_size=_BEAMS,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)

    @cached_property
    def _model(self) -> Any:
        from faster_whisper import WhisperModel

        return WhisperModel(
            str(self._folder),
            device=self._device,
            compute_type="float32",
            cpu_threads=1,
            local_files_only=True,
        )


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


def _fetched(published: Published, *, offline: bool) -> Path:
    """The folder of a published model in the hub's own cache.

    Raises
    ------
    WeightsUnavailable
        If it is neither there nor to be had.
    """
    from huggingface_hub import snapshot_download

    here_alone = offline or bool(
        os.environ.get("SNACBENCH_OFFLINE") or os.environ.get("HF_HUB_OFFLINE")
    )
    try:
        folder = snapshot_download(
            published.repository,
            revision=published.commit,
            allow_patterns=_FILES,
            local_files_only=here_alone,
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
    """Published recognisers from the hub at a pinned revision, by the package ``transformers``.

    For publication: anyone can fetch the same weights by the same name and commit.
    """

    def __init__(self, kind: str, detail: str, device: str, *, offline: bool = False) -> None:
        if detail or (device or "cpu") not in _DEVICES:
            raise UserError(
                f"--asr {kind} can be followed by @cpu or @cuda alone, found {detail or device!r}: "
                "its model is the published one"
            )
        _check_package("transformers", kind, "transformers")
        self.name, self._published = kind, PUBLISHED[kind]
        self._folder, self._device = _fetched(self._published, offline=offline), device or "cpu"

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


MAKERS: dict[str, Callable[..., Recogniser]] = {
    "pocketsphinx": PocketSphinx,
    "faster-whisper": FasterWhisper,
    "whisper-large-v3": Whisper,
    "wav2vec2": Wav2Vec2,
}
"""From a name, what stands behind it, and a device, to its recogniser."""
