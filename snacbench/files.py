"""Files that appear whole or not at all, locks that processes take turns at, and digests.

What is being written has the name ``.NAME.RANDOM.partial`` beside its target: a process that is
killed leaves nothing under the target's name, and no two writers, of threads or of machines, share
a file.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from snacbench.errors import StoreError


@contextmanager
def atomic(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A path to write a file or a folder to; it takes the target's name when the block ends.

    If the block raises, what was written is removed and the target stays as it was. A folder takes
    the place of an older one. The folders above the target are made. With `sync` a file is on the
    disk before it is renamed, so that it outlives a loss of power. Raises `OSError`.
    """
    path = path.absolute()  # as "." has no name
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if sync and partial.is_file():
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
        if partial.is_dir() and path.is_dir():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):  # nothing to remove where the folder could not even be made
            partial.unlink()


@contextmanager
def writing(
    what: str, advice: str = "choose another folder, or check its permissions and free some space"
) -> Iterator[None]:
    """While something is written: that it cannot be is a `StoreError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write {what} ({error.strerror or error}); {advice}") from error


def write_bytes(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Write a file, whole or not at all; see `atomic`."""
    with atomic(path, sync=sync) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str, *, sync: bool = False) -> None:
    """Write a file of UTF-8, whole or not at all, with the ends of lines as they are."""
    write_bytes(path, text.encode(), sync=sync)


@contextmanager
def lock(
    path: Path, *, wait: bool = True, on_wait: Callable[[], None] | None = None
) -> Iterator[BinaryIO]:
    """Hold a file, open for appending, against other processes for as long as the block lasts.

    The file is made if it is not there, and is not removed. It may be what the block renames or
    removes: whoever waited then takes the new one. Where another process holds it, `on_wait` is
    called once before waiting, or, without `wait`, `BlockingIOError` raised.
    """
    while True:
        with path.open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise
                if on_wait:
                    on_wait()
                fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                still_there = os.path.samestat(path.stat(), os.fstat(stream.fileno()))
            except FileNotFoundError:
                still_there = False
            if still_there:
                yield stream
                return


def sha256_of_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
