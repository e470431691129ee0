"""PocketSphinx: a small recogniser of 2000s' quality whose English model lies in its wheel.

It needs no network and no folder, and hears every fourth word wrong in clean speech. It is for
trying things out; what it says of a codec is not what a listener or a current recogniser hears.
"""

from __future__ import annotations

import importlib.util
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from snacbench.errors import MissingPackage, UserError
from snacbench.types import Audio

_FULL_SCALE = 32_767


def make(kind: str, detail: str, device: str) -> PocketSphinx:
    """The recogniser, if its package is installed.

    Raises
    ------
    UserError
        If a model or a device is named: it has one of each.
    MissingPackage
        If the package is not installed.
    """
    if detail or device:
        raise UserError(
            f"--asr {kind} takes nothing more, found {detail or device!r}: its model lies in its "
            "package, and it runs on the CPU"
        )
    if importlib.util.find_spec("pocketsphinx") is None:
        raise MissingPackage(
            "--asr pocketsphinx needs a package that is not installed; run pip install "
            "'.[asr]' in snacbench's checkout"
        )
    return PocketSphinx()


class PocketSphinx:
    """The package's default English model and its default search."""

    name = "pocketsphinx"

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
