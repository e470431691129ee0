"""What a weights file must be: its digest, pinned in this package or recorded at first use.

The lock file holds digests of published weights as they were first seen, enforced ever after. It
is JSON that a person can read, compare and commit; a group that works with the same weights points
``SNACBENCH_WEIGHTS_LOCK`` at a common one.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snacbench.errors import UserError, WeightsMismatch
from snacbench.files import lock as locked
from snacbench.files import write_text
from snacbench.models import HostedFile
from snacbench.settings import state_folder
from snacbench.types import PinnedBy

SHA256_DIGITS = 64


class LockedFile(BaseModel):
    """One file as it was first seen; `commit` is the hub's, or empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int
    origin: str
    commit: str = ""
    first_seen_utc: str = Field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )


class _Lock(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    models: dict[str, dict[str, LockedFile]] = {}


def lock_path() -> Path:
    """Where the lock file is: ``$SNACBENCH_WEIGHTS_LOCK``, else in the user's state folder."""
    named = os.environ.get("SNACBENCH_WEIGHTS_LOCK")
    return Path(named).expanduser() if named else state_folder() / "weights.lock"


def locked_files(model: str) -> Mapping[str, LockedFile]:
    """What is recorded of a model's files; empty if nothing is."""
    return _read().models.get(model, {})


def record(model: str, files: Mapping[str, LockedFile], *, anew: bool = False) -> None:
    """Add files that are seen for the first time; what is recorded already is not changed.

    If `anew`, what is recorded of the model is forgotten first.
    """
    path = lock_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the file itself, which every writer replaces by another.
        with locked(path.with_name(f".{path.name}.busy")):
            found = _read()
            if anew:
                found.models.pop(model, None)
            entries = found.models.setdefault(model, {})
            for name, file in files.items():
                before = entries.setdefault(name, file)
                if before.sha256 != file.sha256:
                    raise WeightsMismatch(
                        f"{name} of {model} has sha256 {file.sha256}, and another process has just "
                        f"recorded {before.sha256} in {path}; run 'snacbench weights verify'"
                    )
            kept = {m: dict(sorted(e.items())) for m, e in sorted(found.models.items()) if e}
            content = _Lock(models=kept).model_dump(mode="json")
            write_text(path, json.dumps(content, indent=1) + "\n", sync=True)
    except OSError as error:
        raise UserError(
            f"cannot record digests of weights in {path} ({error.strerror}); set "
            "SNACBENCH_WEIGHTS_LOCK to a file that you may write"
        ) from error


def _read() -> _Lock:
    path = lock_path()
    try:
        return _Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _Lock()
    except OSError as error:
        raise UserError(f"cannot read the lock file {path} ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path} is not a lock file of weights ({place}: {first['msg']}); restore it, or "
            "delete it so that digests are recorded anew"
        ) from error


@dataclass(frozen=True)
class Known:
    """The digest that a file must have: the digits pinned here, and the record of an earlier use.

    `pinned` may be the leading digits that fit into a file's name, or empty.
    """

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
    def ground(self) -> Literal["pinned", "pinned in part", "locked", "unknown"]:
        """By what the digest is known, in a table's cell."""
        if len(self.pinned) == SHA256_DIGITS:
            return "pinned"
        return "locked" if self.entry else "pinned in part" if self.pinned else "unknown"

    def fits(self, digest: str) -> bool:
        """Whether a file of this digest is what it must be, as far as that is known."""
        recorded = self.entry is None or self.entry.sha256 == digest
        return recorded and digest.startswith(self.pinned)

    @property
    def says(self) -> str:
        """Who says so, for the end of a sentence."""
        if self.entry and self.ground == "locked":
            return f" (recorded in {lock_path()} on {self.entry.first_seen_utc})"
        return " (pinned in this package)" if self.pinned else ""

    @property
    def way_out(self) -> str:
        """What to do if the publisher has changed the file; nothing, if the package pins it."""
        if self.ground != "locked":
            return ""
        return (
            "; if the publisher really changed it, accept the new one by 'snacbench weights "
            f"verify --accept {self.model}' and fetch again"
        )


def known_digest(model: str, file: HostedFile, entry: LockedFile | None) -> Known:
    """What is known of a file."""
    pinned = file.sha256.lower()
    if entry and not entry.sha256.startswith(pinned):
        raise WeightsMismatch(
            f"{lock_path()} records sha256 {entry.sha256} for {file.name} of {model}, and this "
            f"package pins {pinned}; run 'snacbench weights verify --accept {model}'"
        )
    return Known(model, pinned, entry)
