"""Speech recognition under word error rates: which recogniser, and what it heard in a signal.

A recogniser is chosen by name with ``--asr`` (or ``$SNACBENCH_ASR``, or ``asr`` in the
configuration file). None is chosen for the user: word error rates of two recognisers are two
different quantities, and the weakest one would otherwise be everybody's default.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Mapping
from typing import Protocol

from snacbench.errors import UserError, did_you_mean
from snacbench.metrics import _guards
from snacbench.settings import ASR_VARIABLE, asr_selector
from snacbench.types import Audio

RATE_HZ = 16_000
CHOICES = "pocketsphinx, faster-whisper:FOLDER, whisper-large-v3, wav2vec2"

_MODULES = {
    "pocketsphinx": "snacbench.metrics._asr_pocketsphinx",
    "faster-whisper": "snacbench.metrics._asr_faster_whisper",
    "whisper-large-v3": "snacbench.metrics._asr_transformers",
    "wav2vec2": "snacbench.metrics._asr_transformers",
}
# A clip's reference and its decodes, each heard once for all metrics of words.
_TEXTS_KEPT = 256


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
def open_recogniser(selector: str) -> Recogniser:
    """The recogniser of a selector; published models are fetched, if they are not here.

    Raises
    ------
    UserError
        If there is none of that name, its package is missing, or its model cannot be had.
    """
    name, _, detail = selector.partition(":")
    kind, _, device = name.partition("@")
    if kind not in _MODULES:
        raise UserError(
            f"--asr {selector}: no such recogniser; {did_you_mean(kind, _MODULES)}, written as "
            f"one of {CHOICES}"
        )
    found: Recogniser = importlib.import_module(_MODULES[kind]).make(kind, detail, device)
    return found


def recogniser(asr: str = "") -> Recogniser:
    """The recogniser that was chosen: by its selector, else by the user's setting.

    Raises
    ------
    UserError
        If none was, or it cannot be had.
    """
    selector = asr or asr_selector()
    if not selector:
        raise UserError(
            f"word and character error rates need a recogniser; name one with --asr: {CHOICES} "
            f"(or set {ASR_VARIABLE})"
        )
    return open_recogniser(selector)


def check(asr: str = "") -> None:
    """Refuse what `recogniser` does."""
    recogniser(asr)


def facts(asr: str = "") -> Mapping[str, str]:
    """The recogniser in words, for the record of a run."""
    chosen = recogniser(asr)
    return {"asr": f"{chosen.name}, {chosen.revision}"}


def heard_in(audio: Audio, asr: str = "") -> str:
    """What the chosen recogniser hears in a mono signal at 16 kHz; nothing in silence.

    Recognisers make up words for digital silence, so that they are not asked about it.
    """
    if _guards.is_silent(audio):
        return ""
    return _heard(_Signal(audio), asr or asr_selector())


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
