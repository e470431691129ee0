"""What reading a file told: its digest and its header, remembered while size and time stay.

Hashing a corpus takes minutes to hours, so that each file is read once: its record goes to an
index in the cache as soon as it is known, and an indexing that was killed goes on where it
stopped. The folders themselves are never written to; they are often read-only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from snacbench.audio.io import probe, sha256_of_file
from snacbench.errors import AudioError
from snacbench.settings import cache_folder
from snacbench.testsets.jsonlines import JsonLines

_SCHEMA = 1
_MAX_THREADS = 32
# A file that changed this shortly before it was read may change again within the same tick of
# its file system's clock (2 s on FAT): such a record is not trusted the next time.
_TICK_NS = 2_000_000_000

_FELT_BYTES = 100_000_000  # about a third of a second

Item = TypeVar("Item")
Result = TypeVar("Result")


class Progress(Protocol):
    """Shown to whoever waits: a stage begins with a number of steps, then each is reported."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage of so many steps begins."""

    def step(self) -> None:
        """One step of the stage is done."""


@dataclass(frozen=True)
class Reading:
    """How the files of a set are read.

    Attributes
    ----------
    trust : bool
        Files whose size and time are as recorded are not read again; False: read every file.
    keep : bool or None
        Whether records go to the cache; None: if reading the files takes long.
    progress : Progress or None
        Shown while files are read that are to be kept.
    """

    trust: bool = True
    keep: bool | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class FileRecord:
    """What is known of a file: `problem` says why it cannot be used, if it cannot.

    `note` is what to know of it if it can, as `snacbench.audio.io.Header` has it.
    `path` is relative to the root of the index, `seen_ns` when the file was read.
    """

    path: str
    size_bytes: int = 0
    mtime_ns: int = 0
    seen_ns: int = 0
    sha256: str = ""
    rate_hz: int = 0
    channels: int = 0
    num_samples: int = 0
    note: str = ""
    problem: str = ""

    def holds(self, size_bytes: int, mtime_ns: int) -> bool:
        """Whether a file of this size and time can be taken for the one that was read."""
        settled = abs(self.seen_ns - mtime_ns) > _TICK_NS
        return settled and (self.size_bytes, self.mtime_ns) == (size_bytes, mtime_ns)


_FIELDS = {field.name: field.type for field in dataclasses.fields(FileRecord)}


class FileIndex:
    """The records of the files below a root, kept in the cache under a name.

    Parameters
    ----------
    name : str
        Corpus or folder, for whoever looks into the cache.
    root : Path
    """

    def __init__(self, name: str, root: Path) -> None:
        self.root = root.resolve()
        self._lines = JsonLines(
            index_folder() / f"{_safe(name)}-{_digest(str(self.root))}.jsonl",
            {"index": _SCHEMA, "name": name, "root": printable(str(self.root))},
        )
        self._known: dict[str, FileRecord] | None = None

    @property
    def path(self) -> Path:
        """Where the records are kept."""
        return self._lines.path

    @property
    def problem(self) -> str:
        """Why records could not be kept; empty if they could."""
        return self._lines.problem

    def notes(self) -> list[str]:
        """The same as a sentence without a stop; none if they could."""
        return [f"the index is not kept: {self.problem}"] if self.problem else []

    @property
    def known(self) -> dict[str, FileRecord]:
        """Every record there is by path, fresh or not."""
        if self._known is None:
            self._known = dict(_records(self._lines))
        return self._known

    def read(self, paths: Sequence[str], how: Reading) -> dict[str, FileRecord]:
        """A record of each path, from the cache or from the file itself."""
        found: dict[str, FileRecord] = {}
        to_read: list[str] = []
        for path in dict.fromkeys(paths):
            record = self.known.get(path) if how.trust else None
            if record and record.holds(*_size_and_time(self.root / path)):
                found[path] = record
            else:
                to_read.append(path)
        keep = _worth_keeping(self.root, to_read) if how.keep is None else how.keep
        progress = how.progress if to_read and (keep or not how.trust) else None
        if progress:
            progress.begin("reading files", len(to_read))
        with self._lines:
            for record in in_threads(partial(read_record, self.root), to_read):
                found[record.path] = record
                if keep and not record.problem:
                    self.known[record.path] = record
                    self._lines.append(dataclasses.asdict(record))
                if progress:
                    progress.step()
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the records of files that are gone."""
        with self._lines:
            for path in paths:
                self.known.pop(path, None)
                self._lines.append({"path": path, "gone": True})


def read_record(root: Path, relative: str) -> FileRecord:
    """Read a file's header and hash its bytes; what goes wrong is the record's `problem`."""
    path = root / relative
    size_bytes, mtime_ns = _size_and_time(path)
    seen_ns = time.time_ns()
    try:
        _check_name(path)
        header = probe(path)
        digest = sha256_of_file(path)
    except (AudioError, OSError) as error:
        return FileRecord(relative, problem=str(error))
    return FileRecord(relative, size_bytes, mtime_ns, seen_ns, digest, **dataclasses.asdict(header))


def index_folder() -> Path:
    """Where indexes are kept."""
    return cache_folder() / "indexes"


def indexed_roots() -> Iterator[tuple[str, Path, int]]:
    """Name, root and number of files of every index in the cache."""
    for path in sorted(index_folder().glob("*.jsonl")):
        lines = JsonLines(path, {})
        header = next(iter(lines), {})
        if header.get("index") == _SCHEMA:
            yield str(header["name"]), Path(str(header["root"])), len(dict(_records(lines)))


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], *, threads: int | None = None
) -> Iterator[Result]:
    """Results as they come, in no fixed order; an exception or Ctrl-C drops what has not begun.

    Reading and hashing leave the interpreter to other threads, and a network disk answers several
    requests at once: more threads than cores.
    """
    count = threads or min(_MAX_THREADS, 2 * len(os.sched_getaffinity(0)))
    executor = ThreadPoolExecutor(max(1, min(count, len(items))))
    try:
        futures: list[Future[Result]] = [executor.submit(work, item) for item in items]
        for future in as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)


def _records(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, FileRecord]]:
    """The last word on each path."""
    latest = {str(row["path"]): row for row in lines if "path" in row}
    for path, row in latest.items():
        if set(row) == set(_FIELDS):
            yield path, FileRecord(**row)


def _worth_keeping(root: Path, paths: Iterable[str]) -> bool:
    """Whether files are so large together that hashing them again would be felt."""
    total = 0
    for path in paths:
        total += max(0, _size_and_time(root / path)[0])
        if total > _FELT_BYTES:
            return True
    return False


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _check_name(path: Path) -> None:
    """Rows and digests are UTF-8: a name that is not cannot be written into them."""
    if str(path) != printable(str(path)):
        raise AudioError(f"{printable(str(path))} has a name that is not UTF-8; rename the file")


def printable(text: str) -> str:
    """Text that can be encoded, whatever bytes a file's name holds."""
    return text.encode("utf-8", "backslashreplace").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)[:80]
