"""What was read or measured once, remembered: digests and headers of files, measures of clips.

Hashing a corpus takes minutes to hours, so that each file is read once: its record goes to an
index in the cache as soon as it is known, and an indexing that was killed goes on where it
stopped. The folders themselves are never written to; they are often read-only. Nothing in the
cache is ever needed: one that cannot be written costs time, no result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Protocol, TypeVar

from snacbench.audio.io import probe
from snacbench.errors import AudioError
from snacbench.files import sha256_of_file
from snacbench.settings import cache_folder
from snacbench.types import Clip, Measures

_SCHEMA = 1
_MEASURES_VERSION = 2  # part of the files' names: measures of another version are not found
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


class JsonLines:
    """An append-only file of JSON objects, one a line, open for appending in a ``with`` block.

    Each line is written at once, so that a process that is killed loses at most the one it was at.

    Attributes
    ----------
    problem : str
        Why the file could not be written; empty as long as it can.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.problem = path, ""
        self._header = header
        self._stream: FileIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every complete line; one that a killed writer left half-written is passed over."""
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line; a file that cannot be written is given up once and for all."""
        with self._lock:
            if self.problem:
                return
            try:
                if self._stream is None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self._stream = FileIO(self.path, "a+")
                    size = self._stream.seek(0, os.SEEK_END)
                    if size == 0:
                        self._stream.write(_line(self._header))
                    elif os.pread(self._stream.fileno(), 1, size - 1) != b"\n":
                        self._stream.write(b"\n")  # ends what a killed writer left open
                self._stream.write(_line(row))  # in one call: lines of two processes do not mix
            except OSError as error:
                self.problem = f"{self.path} cannot be written ({error.strerror or error})"


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


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
        digest = hashlib.sha256(str(self.root).encode("utf-8", "surrogateescape")).hexdigest()
        self._lines = JsonLines(
            cache_folder() / "indexes" / f"{_safe(name)}-{digest[:12]}.jsonl",
            {"index": _SCHEMA, "name": name, "root": printable(str(self.root))},
        )
        self._known: dict[str, FileRecord] | None = None

    @property
    def path(self) -> Path:
        """Where the records are kept."""
        return self._lines.path

    def notes(self) -> list[str]:
        """Why records could not be kept, as a sentence without a stop; none if they could."""
        problem = self._lines.problem
        return [f"the index is not kept: {problem}"] if problem else []

    @property
    def known(self) -> dict[str, FileRecord]:
        """Every record there is by path, fresh or not."""
        if self._known is None:
            self._known = _records(self._lines)
        return self._known

    def read(self, paths: Sequence[str], how: Reading) -> dict[str, FileRecord]:
        """A record of each path, from the cache or from the file itself."""
        found: dict[str, FileRecord] = {}
        to_read: list[str] = []
        bytes_to_read = 0
        for path in dict.fromkeys(paths):
            record = self.known.get(path) if how.trust else None
            size_bytes, mtime_ns = _size_and_time(self.root / path)
            if (
                record
                and (record.size_bytes, record.mtime_ns) == (size_bytes, mtime_ns)
                and abs(record.seen_ns - mtime_ns) > _TICK_NS
            ):
                found[path] = record
            else:
                to_read.append(path)
                bytes_to_read += max(0, size_bytes)
        keep = bytes_to_read > _FELT_BYTES if how.keep is None else how.keep
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
    if str(path) != (shown := printable(str(path))):  # rows and digests are UTF-8
        problem = f"{shown} has a name that is not UTF-8; rename the file"
        return FileRecord(relative, problem=problem)
    try:
        header, digest = probe(path), sha256_of_file(path)
    except (AudioError, OSError) as error:
        return FileRecord(relative, problem=str(error))
    return FileRecord(relative, size_bytes, mtime_ns, seen_ns, digest, **dataclasses.asdict(header))


def indexed_roots() -> Iterator[tuple[str, Path, int]]:
    """Name, root and number of files of every index in the cache."""
    for path in sorted((cache_folder() / "indexes").glob("*.jsonl")):
        lines = JsonLines(path, {})
        header = next(iter(lines), {})
        if header.get("index") == _SCHEMA:
            yield str(header["name"]), Path(str(header["root"])), len(_records(lines))


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


def printable(text: str) -> str:
    """Text that can be encoded, whatever bytes a file's name holds."""
    return text.encode("utf-8", "backslashreplace").decode()


def _records(lines: Iterable[dict[str, Any]]) -> dict[str, FileRecord]:
    """The last word on each path."""
    latest = {str(row["path"]): row for row in lines if "path" in row}
    fields = {field.name for field in dataclasses.fields(FileRecord)}
    return {path: FileRecord(**row) for path, row in latest.items() if set(row) == fields}


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)[:80]


# ------------------------------------------------------------------------------------ measures

_Key = tuple[str, int, int]


class MeasureCache:
    """Measures of the clips of any set, one file per corpus; use it in a ``with`` block.

    They are kept by what was measured (digest of the file, start, length), so that they hold
    wherever the file lies and whatever set it belongs to.
    """

    def __init__(self) -> None:
        self._files: dict[str, JsonLines] = {}
        self._known: dict[str, dict[_Key, Measures]] = {}
        self._open = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> MeasureCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def get(self, clip: Clip) -> Measures | None:
        """What was measured on a clip, if it was."""
        return self._of(clip)[1].get((clip.sha256, clip.start, clip.num_samples))

    def put(self, clip: Clip, measures: Measures) -> None:
        """Remember what was measured on a clip."""
        file, known = self._of(clip)
        key = clip.sha256, clip.start, clip.num_samples
        known[key] = measures
        file.append({"of": key, **dataclasses.asdict(measures)})

    def _of(self, clip: Clip) -> tuple[JsonLines, dict[_Key, Measures]]:
        corpus = clip.id.partition("/")[0]
        with self._lock:
            if corpus not in self._known:
                name = f"{_safe(corpus)}-v{_MEASURES_VERSION}.jsonl"
                header = {"measures": _MEASURES_VERSION, "corpus": corpus}
                lines = JsonLines(cache_folder() / "measures" / name, header)
                self._files[corpus] = self._open.enter_context(lines)
                fields = {field.name for field in dataclasses.fields(Measures)}
                self._known[corpus] = {}
                for row in lines:
                    of = row.pop("of", None)
                    if set(row) == fields and isinstance(of, list) and len(of) == 3:
                        key = str(of[0]), int(of[1]), int(of[2])
                        self._known[corpus][key] = Measures(**row)
            return self._files[corpus], self._known[corpus]
