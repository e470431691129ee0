"""What is shown to whoever waits for a download."""

from __future__ import annotations

import logging
from typing import Protocol


class Progress(Protocol):
    """Shown to whoever waits for a download."""

    def begin(self, name: str, size_bytes: int | None, done_bytes: int) -> None:
        """A file begins to come, or goes on from where an earlier try ended."""

    def reached(self, done_bytes: int) -> None:
        """So much of the file is on this disk."""

    def note(self, text: str) -> None:
        """Something that a person may want to know: a wait, a copy that was passed over."""


class Silent:
    """Progress for callers that show none; what a person should know goes to the log."""

    def begin(self, name: str, size_bytes: int | None, done_bytes: int) -> None:
        """Show nothing."""

    def reached(self, done_bytes: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Log a warning."""
        logging.getLogger(__name__).warning("%s", text)
