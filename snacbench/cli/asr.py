"""The option ``--asr`` of the verbs that score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def asr_option(command: Command) -> Command:
    """Add ``--asr``: the speech recogniser under word and character error rates."""
    return click.option(
        "--asr",
        metavar="NAME",
        help="Speech recogniser under wer and cer: pocketsphinx, faster-whisper:FOLDER, "
        "whisper-large-v3[@cuda], wav2vec2[@cuda].",
    )(command)
