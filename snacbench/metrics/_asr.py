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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from snacbench.errors import MissingPackage, Undefined, UserError, WeightsUnavailable, did_you_mean
from snacbench.later import np
from snacbench.settings import ASR_VARIABLE, asr_selector
from snacbench.types import Audio

RATE_HZ = 16_000
CHOICES = "pocketsphinx, faster-whisper:FOLDER, whisper-large-v3, wav2vec2"

# A clip's reference and its decodes, each heard once for all metrics of words.
_TEXTS_KEPT = 256
_WEIGHTS = "model.bin"


class Recogniser(Protocol):
    """What turns English speech into text, the same text for the same samples.

    To make one is cheap: the model is read at the first signal, because the process that plans a
    run makes one only to ask what tells it from any other: `name` and `revision`.
    """

    name: str
    revision: str

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""


def recogniser(selector: str = "", *, offline: bool = False) -> Recogniser:
    """The recogniser of a selector; of an empty one, whichever the user has set.

    Published models are fetched, if they are not here and unless `offline`. Raises `UserError` if
    none is set, none is of that name, its package is missing, or its model cannot be had.
    """
    chosen = selector or asr_selector()
    if not chosen:
        raise UserError(
            f"word and character error rates need a recogniser; name one with --asr: {CHOICES} "
            f"(or set {ASR_VARIABLE})"
        )
    return _opened(chosen, offline)


@functools.cache
def _opened(selector: str, offline: bool) -> Recogniser:
    name, _, detail = selector.partition(":")
    kind, _, device = name.partition("@")
    if kind not in MAKERS:
        raise UserError(
            f"--asr {selector}: no such recogniser; {did_you_mean(kind, MAKERS)}, written as "
            f"one of {CHOICES}"
        )
    made: Recogniser = MAKERS[kind](kind, detail, device, offline)
    return made


def heard_in(audio: Audio, selector: str = "", *, offline: bool = False) -> str:
    """What a recogniser hears in a mono signal at 16 kHz; nothing in silence.

    Recognisers make up words for digital silence, so that they are not asked about it.
    """
    if all(np.all(samples == samples[0]) for samples in audio.samples):
        return ""
    return _heard(audio.samples.tobytes(), selector or asr_selector(), offline)


@functools.lru_cache(maxsize=_TEXTS_KEPT)
def _heard(samples: bytes, selector: str, offline: bool) -> str:
    audio = Audio(np.frombuffer(samples, np.float32)[np.newaxis], RATE_HZ)
    return recogniser(selector, offline=offline).transcribe(audio)


def _check_package(package: str, kind: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingPackage(
            f"--asr {kind} needs a package that is not installed; run pip install "
            f"'.[{extra}]' in snacbench's checkout"
        )


class PocketSphinx:
    """A small recogniser whose English model lies in its wheel; every fourth word is wrong.

    For trying things out: what it says of a codec is not what a listener or a current one hears.
    """

    name = "pocketsphinx"

    def __init__(self, kind: str, detail: str, device: str, _offline: bool) -> None:
        if detail or device:
            raise UserError(
                f"--asr {kind} takes nothing more, found {detail or device!r}: its model lies in "
                "its package, and it runs on the CPU"
            )
        _check_package("pocketsphinx", kind, "asr")
        self.revision = f"package {version('pocketsphinx')} with its own en-us model"

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz."""
        # What the decoder learnt of the last signal's level would change what it hears in this one.
        self._decoder.reinit_feat()
        full_scale = np.clip(audio.samples[0], -1.0, 1.0) * 32_767
        self._decoder.start_utt()
        self._decoder.process_raw(np.rint(full_scale).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""

    @cached_property
    def _decoder(self) -> Any:
        from pocketsphinx import Decoder

        return Decoder(samprate=RATE_HZ, cmn="batch", loglevel="FATAL")


class FasterWhisper:
    """Whisper from a folder in CTranslate2's format: a beam of 5, nothing drawn at random."""

    def __init__(self, kind: str, detail: str, device: str, _offline: bool) -> None:
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
        # Nobody but the folder's name knows which size of model it is.
        self.name = f"faster-whisper {self._folder.name}"

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
            beam_size=5,
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
class _Published:
    """A model of the hub at a pinned commit, and what it takes at once."""

    repository: str
    commit: str
    most_s: float = float("inf")
    options: Mapping[str, Any] = field(default_factory=dict)


PUBLISHED = {
    # Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022. Greedy
    # search, in English, without timestamps.
    "whisper-large-v3": _Published(
        "openai/whisper-large-v3",
        "06f233fe06e710322aca913c1bc4249a0d71fce1",
        30.0,
        {"language": "en", "task": "transcribe", "num_beams": 1, "do_sample": False},
    ),
    # Baevski, Zhou, Mohamed, Auli: "wav2vec 2.0", NeurIPS 2020. The likeliest letter each 20 ms,
    # without a language model, so that it spells what it hears.
    "wav2vec2": _Published(
        "facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156"
    ),
}


class OfTheHub:
    """Published recognisers, run by the package ``transformers``.

    For publication: anyone can fetch the same weights by the same name and commit.
    """

    def __init__(self, kind: str, detail: str, device: str, offline: bool) -> None:
        if detail or device not in ("", "cpu", "cuda"):
            raise UserError(
                f"--asr {kind} can be followed by @cpu or @cuda alone, found {detail or device!r}: "
                "its model is the published one"
            )
        _check_package("transformers", kind, "transformers")
        from huggingface_hub import snapshot_download

        self.name, self._device, self._model = kind, device or "cpu", PUBLISHED[kind]
        repository, commit = self._model.repository, self._model.commit
        never_ask = os.environ.get("SNACBENCH_OFFLINE") or os.environ.get("HF_HUB_OFFLINE")
        try:
            self._folder = snapshot_download(  # in the hub's own cache
                repository,
                revision=commit,
                allow_patterns=["*.json", "*.txt", "model.safetensors"],
                local_files_only=offline or bool(never_ask),
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
        except Exception as error:  # of the network, the disk, the hub's answer: a dozen classes
            raise WeightsUnavailable(
                f"{repository} at {commit[:12]} is not in the hub's cache and cannot be fetched "
                f"({type(error).__name__}); fetch it where there is a network: hf download "
                f"{repository} --revision {commit}, or choose another recogniser with --asr"
            ) from error
        library = f"transformers {version('transformers')}"
        self.revision = f"{repository} at {commit}, {library}, {self._device}"

    def transcribe(self, audio: Audio) -> str:
        """What is said in a mono signal at 16 kHz; `Undefined` of more than the model takes."""
        if audio.duration_s > self._model.most_s:
            raise Undefined(
                f"too long: {self.name} takes {self._model.most_s:g} s at once, the signal lasts "
                f"{audio.duration_s:.3f} s; score it in segments"
            )
        heard = {"raw": audio.samples[0], "sampling_rate": audio.rate_hz}
        options = {"generate_kwargs": dict(self._model.options)} if self._model.options else {}
        return str(self._pipeline(heard, **options)["text"])

    @cached_property
    def _pipeline(self) -> Any:
        import torch
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        return transformers.pipeline(
            "automatic-speech-recognition", self._folder, device=self._device, dtype=torch.float32
        )


# From kind, what stands behind it, device, and whether it must not be fetched, to a recogniser.
MAKERS: dict[str, Any] = {
    "pocketsphinx": PocketSphinx,
    "faster-whisper": FasterWhisper,
    **dict.fromkeys(PUBLISHED, OfTheHub),
}
