"""Files of bytes: written whole or not at all, read with a reason if they cannot be."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from snacbench.errors import BitstreamError, StoreError


def save(path: Path, data: bytes) -> None:
    """Write a file; it appears under its name once it is complete.

    Raises
    ------
    StoreError
        If the folder cannot be written or the disk is full.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # nothing to remove where the folder could not even be made
            partial.unlink()
        if error.errno == errno.ENOSPC:
            raise StoreError(
                f"the disk is full while writing {path}; free some space and go on"
            ) from error
        raise StoreError(
            f"cannot write {path} ({error.strerror}); check the folder and its permissions"
        ) from error


def load(path: Path) -> bytes:
    """A file's bytes.

    Raises
    ------
    BitstreamError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BitstreamError(f"{path} cannot be read: {error.strerror}") from error
