"""What is shown to whoever waits: one protocol for runs, test sets and downloads."""

from typing import Any, Literal, Protocol

Unit = Literal["", "bytes"]


class Progress(Protocol):
    """Stages with their numbers of steps, which may overlap, and sentences in between."""

    def begin(self, stage: str, steps: int | None, *, done: int = 0, unit: Unit = "") -> None:
        """A stage of so many steps begins, or begins again; None: nobody knows how many."""

    def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
        """So many steps of a stage are done, `failed` of them in vain; of the last begun one."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """A sentence that a person should read."""


class Silent:
    """Progress for callers that show none."""

    def begin(self, *_: Any, **__: Any) -> None:
        """Show nothing."""

    step = note = begin


SILENT = Silent()


class Notes(Silent):
    """Keeps what a person should read in `texts`, for callers that show no progress."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        """Keep a sentence."""
        self.texts.append(f"warning: {text}" if warning else text)
