"""The part of a file that has come so far, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from snacbench.download.progress import Progress


@dataclass(frozen=True)
class Partial:
    """What has come so far, and the tag of the version that it is a part of."""

    path: Path
    stream: BinaryIO

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return os.fstat(self.stream.fileno()).st_size

    @property
    def tag(self) -> str:
        """ETag or date by which the server names the version; empty if it gave none."""
        return self._tag_path.read_text("utf-8") if self._tag_path.exists() else ""

    @property
    def _tag_path(self) -> Path:
        return self.path.with_suffix(".tag.partial")

    def begin(self, tag: str = "") -> None:
        """Forget what came; what comes now is of this version."""
        self.stream.truncate(0)
        self._tag_path.unlink(missing_ok=True)
        if tag:
            self._tag_path.write_text(tag, "utf-8")

    def append(self, block: bytes) -> None:
        """Add what came; it outlives this process."""
        self.stream.write(block)
        self.stream.flush()

    def place(self, target: Path) -> None:
        """Make it the target, in one step, and wait until that is on disk."""
        os.fsync(self.stream.fileno())
        self.path.replace(target)
        self._tag_path.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove_if_empty(self) -> None:
        """Leave no trace of a fetch that brought nothing."""
        if self.size == 0 and _is_still(self.path, self.stream):
            self.path.unlink()
            self._tag_path.unlink(missing_ok=True)


@contextmanager
def claimed(target: Path, shown: Progress) -> Iterator[Partial]:
    """The partial file of a target, this process's alone for as long as it is open."""
    path = target.with_name(f".{target.name}.partial")
    while True:
        with path.open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                shown.note(f"waiting for another process that fetches {target.name}")
                fcntl.flock(stream, fcntl.LOCK_EX)
            # Whoever held it has since renamed or removed the file that this lock is on.
            if not _is_still(path, stream):
                continue
            partial = Partial(path, stream)
            try:
                yield partial
            finally:
                with suppress(OSError):
                    partial.remove_if_empty()
            return


def _is_still(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
