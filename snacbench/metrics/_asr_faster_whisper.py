"""Whisper from a folder in CTranslate2's format, by the package ``faster-whisper``.

Any size, converted by anyone, without the network: the digest of its weights tells which it was.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snacbench.errors import MissingPackage, UserError
from snacbench.types import Audio

_WEIGHTS = "model.bin"
_BEAMS = 5


def make(kind: str, detail: str, device: str) -> FasterWhisper:
    """The recogniser of a folder.

    Raises
    ------
    UserError
        If no folder is named, or it holds no such model.
    MissingPackage
        If the package is not installed.
    """
    if not detail:
        raise UserError(
            f"--asr {kind} needs the folder of a model in CTranslate2's format; write {kind}:FOLDER"
        )
    folder = Path(detail).expanduser().resolve()
    if not (folder / _WEIGHTS).is_file():
        raise UserError(
            f"--asr {kind}:{detail}: there is no {_WEIGHTS} in it; name the folder of a whisper "
            "model in CTranslate2's format"
        )
    if importlib.util.find_spec("faster_whisper") is None:
        raise MissingPackage(
            "--asr faster-whisper needs a package that is not installed; run pip install "
            "'.[asr]' in snacbench's checkout"
        )
    return FasterWhisper(folder, device or "cpu")


class FasterWhisper:
    """A model of a folder, with a beam of 5 and nothing drawn at random."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device

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
