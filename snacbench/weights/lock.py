"""What a weights file must be: its digest, pinned in this package or recorded at first use."""

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snacbench.errors import UserError, WeightsMismatch
from snacbench.files import lock as locked
from snacbench.files import write_text
from snacbench.models import HasWeights, HostedFile
from snacbench.settings import state_folder
from snacbench.types import PinnedBy
from snacbench.weights.policy import SHA256_DIGITS


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


def record(model: str, files: Mapping[str, LockedFile]) -> None:
    """Add files that are seen for the first time; what is recorded already is not changed."""
    path = lock_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the file itself, which every writer replaces by another.
        with locked(path.with_name(f".{path.name}.busy")):
            found = _read()
            entries = found.models.setdefault(model, {})
            for name, file in files.items():
                before = entries.setdefault(name, file)
                if before.sha256 != file.sha256:
                    raise WeightsMismatch(
                        f"{name} of {model} has sha256 {file.sha256}, and another process has just "
                        f"recorded {before.sha256} in {path}; run 'snacbench weights verify'"
                    )
            found.models = {m: dict(sorted(e.items())) for m, e in sorted(found.models.items())}
            write_text(path, found.model_dump_json(indent=1) + "\n", sync=True)
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

    file: HostedFile
    pinned: str
    entry: LockedFile | None

    @property
    def sha256(self) -> str:
        """All digits that are known: those recorded include those pinned."""
        return self.entry.sha256 if self.entry else self.pinned

    @property
    def by(self) -> PinnedBy | None:
        """Where the digest is known from; None if it is not."""
        return "package" if self.pinned else "lock" if self.entry else None

    def fits(self, digest: str) -> bool:
        """Whether a file of this digest is what it must be, as far as that is known."""
        recorded = self.entry is None or self.entry.sha256 == digest
        return recorded and digest.startswith(self.pinned)

    @property
    def says(self) -> str:
        """Who says so, and what to do if the publisher has changed it: the end of a sentence."""
        if self.entry and len(self.pinned) < SHA256_DIGITS:
            return (
                f" (recorded in {lock_path()} on {self.entry.first_seen_utc}; if the publisher "
                "really changed it, remove that record and the file, and fetch again)"
            )
        return " (pinned in this package)" if self.pinned else ""


def known_files(model: HasWeights) -> list[Known]:
    """What is known of each file of a model.

    Raises `WeightsMismatch` if the lock file contradicts this package.
    """
    if model.source is None:
        return []
    found, locked_of = [], locked_files(model.name)
    for file in model.source.files:
        pinned, entry = file.sha256.lower(), locked_of.get(file.name)
        if entry and not entry.sha256.startswith(pinned):
            raise WeightsMismatch(
                f"{lock_path()} records sha256 {entry.sha256} for {file.name} of {model.name}, and "
                f"this package pins {pinned}; remove that record"
            )
        found.append(Known(file, pinned, entry))
    return found
