"""What is known of a file before it is looked at: a digest pinned here, or one recorded earlier."""

from __future__ import annotations

from dataclasses import dataclass

from snacbench.errors import WeightsMismatch
from snacbench.models import HostedFile
from snacbench.types import PinnedBy
from snacbench.weights.lock import LockedFile, lock_path

_SHA256_DIGITS = 64


def is_complete(sha256: str) -> bool:
    """Whether a digest has all its digits, rather than those that fit into a file's name."""
    return len(sha256) == _SHA256_DIGITS


@dataclass(frozen=True)
class Known:
    """The digest that a file must have, from the package or the lock file; empty if unknown."""

    model: str
    pinned: str = ""
    entry: LockedFile | None = None

    @property
    def sha256(self) -> str:
        """All digits that are known: those recorded include those pinned."""
        return self.entry.sha256 if self.entry else self.pinned

    @property
    def by(self) -> PinnedBy | None:
        """Where the digest is known from; None if it is not."""
        return "package" if self.pinned else "lock" if self.entry else None

    @property
    def says(self) -> str:
        """Who says so, for the end of a sentence."""
        if self.entry and not is_complete(self.pinned):
            return f" (recorded in {lock_path()} on {self.entry.first_seen_utc})"
        return " (pinned in this package)" if self.pinned else ""

    @property
    def ground(self) -> str:
        """By what the digest is known, in a table's cell."""
        if is_complete(self.pinned):
            return "pinned"
        if self.entry:
            return f"recorded {self.entry.first_seen_utc}"
        return "pinned in part" if self.pinned else "no digest known"

    @property
    def way_out(self) -> str:
        """What to do if the publisher has changed the file; nothing, if the package pins it."""
        if not self.entry or is_complete(self.pinned):
            return ""
        return (
            "; if the publisher really changed it, accept the new one by 'snacbench weights "
            f"verify --accept {self.model}' and fetch again"
        )

    def fits(self, digest: str) -> bool:
        """Whether a file of this digest is what it must be, as far as that is known."""
        recorded = self.entry is None or self.entry.sha256 == digest
        return recorded and digest.startswith(self.pinned)

    def differs(self, digest: str) -> str:
        """What is wrong with a file of this digest."""
        return f"has sha256 {digest}, expected {self.sha256}{self.says}"


def known_digest(model: str, file: HostedFile, entry: LockedFile | None) -> Known:
    """What is known of a file.

    Raises
    ------
    WeightsMismatch
        If package and lock file contradict each other.
    """
    pinned = file.sha256.lower()
    if entry and not entry.sha256.startswith(pinned):
        raise WeightsMismatch(
            f"{lock_path()} records sha256 {entry.sha256} for {file.name} of {model}, and this "
            f"package pins {pinned}; run 'snacbench weights verify --accept {model}'"
        )
    return Known(model, pinned, entry)
