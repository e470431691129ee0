"""The lock file: digests of published weights as they were first seen, enforced ever after.

It is JSON that a person can read, compare and commit; a group that works with the same weights
points ``SNACBENCH_WEIGHTS_LOCK`` at a common one::

    {"version": 1,
     "models": {"snac-32khz": {"pytorch_model.bin": {
         "sha256": "...", "size_bytes": 218000000, "origin": "https://huggingface.co/...",
         "commit": "...", "first_seen_utc": "2025-03-01T12:00:00+00:00"}}}}
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snacbench.errors import UserError, WeightsMismatch
from snacbench.settings import state_folder


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


Entries = Mapping[str, LockedFile]


class _Lock(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    models: dict[str, dict[str, LockedFile]] = {}


def lock_path() -> Path:
    """Where the lock file is: ``$SNACBENCH_WEIGHTS_LOCK``, else in the user's state folder."""
    named = os.environ.get("SNACBENCH_WEIGHTS_LOCK")
    return Path(named).expanduser() if named else state_folder() / "weights.lock"


def locked_files(model: str) -> Entries:
    """What is recorded of a model's files; empty if nothing is.

    Raises
    ------
    UserError
        If the lock file cannot be read.
    """
    return _read().models.get(model, {})


def record(model: str, files: Entries) -> None:
    """Add files that are seen for the first time; what is recorded already is never changed.

    Raises
    ------
    WeightsMismatch
        If another process has just recorded something else.
    UserError
        If the lock file cannot be written.
    """
    with _rewriting() as lock:
        entries = lock.models.setdefault(model, {})
        for name, file in files.items():
            before = entries.setdefault(name, file)
            if before.sha256 != file.sha256:
                raise WeightsMismatch(
                    f"{name} of {model} has sha256 {file.sha256}, and another process has just "
                    f"recorded {before.sha256} in {lock_path()}; run 'snacbench weights verify'"
                )


def replace(model: str, files: Entries) -> None:
    """Forget what is recorded of a model, and record these files instead.

    Raises
    ------
    UserError
        If the lock file cannot be written.
    """
    with _rewriting() as lock:
        lock.models.pop(model, None)
        if files:
            lock.models[model] = dict(files)


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


@contextmanager
def _rewriting() -> Iterator[_Lock]:
    """The lock file's content, written back in one step; other processes wait meanwhile."""
    path = lock_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the file itself, which every writer replaces by another.
        with path.with_name(f".{path.name}.busy").open("ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            lock = _read()
            yield lock
            _write(path, lock)
    except OSError as error:
        raise UserError(
            f"cannot record digests of weights in {path} ({error.strerror}); set "
            "SNACBENCH_WEIGHTS_LOCK to a file that you may write"
        ) from error


def _write(path: Path, lock: _Lock) -> None:
    ordered = {name: dict(sorted(files.items())) for name, files in sorted(lock.models.items())}
    content = lock.model_copy(update={"models": ordered}).model_dump(mode="json")
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
