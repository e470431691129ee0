"""The exceptions of snacbench: `UserError` (exit code 2), `ClipError` and `Undefined` (rows).

Whatever is raised outside this tree is our bug and ends with exit code 3.
"""

import difflib
from collections.abc import Iterable


class SnacbenchError(Exception):
    """Root of every exception that snacbench raises on purpose."""


class UserError(SnacbenchError):
    """The request cannot be carried out as it stands; the message says what to change."""


class UnknownName(UserError):
    """There is no codec, metric or test set of that name."""


class UnknownPoint(UserError):
    """The codec has no operating point near that rate or depth."""


class WeightsUnavailable(UserError):
    """Model weights are neither on this machine nor reachable."""


class WeightsMismatch(UserError):
    """A weights file differs from its pinned digest or does not fit the model."""


class DownloadError(UserError):
    """A file cannot be fetched; `status` is the server's, if it was the one to refuse."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CannotKeep(DownloadError):
    """A fetched file cannot be written where it should go: no room, or no permission."""


class DigestMismatch(DownloadError):
    """A fetched file has another digest or size than it must have."""


class MissingPackage(UserError):
    """A package or program that this request needs is not installed, or does not load."""


class TestSetError(UserError):
    """A test set is empty or its manifest cannot be understood."""

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


class BitstreamError(UserError):
    """A coded file is foreign, damaged, of another version, or of weights that are not here."""


class StoreError(UserError):
    """A run folder is taken, read-only, full or foreign."""


class ClipError(SnacbenchError):
    """One clip cannot be processed; the run goes on and keeps the reason in a ``failed`` row."""


class AudioError(ClipError):
    """Audio is unreadable, empty, not finite, or of the wrong shape."""


class CodecError(ClipError):
    """A codec refused a clip or broke its contract (length, rate, finiteness)."""


class Undefined(SnacbenchError):
    """A metric has no value for this pair; the message is the reason in an ``undefined`` row."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of an error message: near matches, else everything there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
