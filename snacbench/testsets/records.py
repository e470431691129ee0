"""What was read or measured once, remembered: digests and headers of files, measures of clips."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from snacbench.audio.io import probe
from snacbench.errors import AudioError
from snacbench.files import sha256_of_file
from snacbench.progress import Progress, Silent
from snacbench.settings import cache_folder
from snacbench.types import Clip, Measures

_MEASURES_VERSION = 2  # part of the file's name: measures of another version are not found
# A file that changed this shortly before it was read may change again within the same tick of
# its file system's clock (2 s on FAT): such a record is not trusted the next time.
_TICK_NS = 2_000_000_000
_FELT_BYTES = 100_000_000  # about a third of a second


@dataclass(frozen=True)
class Reading:
    """How the files of a set are read.

    With `trust`, those whose size and time are as recorded are not read again. `keep` is whether
    records go to the cache; None: if reading the files takes long. `progress` is shown while files
    are read that are to be kept.
    """

    trust: bool = True
    keep: bool | None = None
    progress: Progress | None = None


AS_USUAL = Reading()


@dataclass(frozen=True)
class FileRecord:
    """What is known of a file; `path` is relative to the root of the index.

    `problem` says why it cannot be used, if it cannot, and `note` what to know of it if it can, as
    `snacbench.audio.io.Header` has it. `seen_ns` is when it was read.
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


def _rows(path: Path, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Every line of these columns in a file of JSON; one that was left half-written is none."""
    lines, wanted = list[bytes](), set(columns)
    with suppress(OSError):
        lines = path.read_bytes().splitlines()
    for line in lines:
        with suppress(ValueError):
            if isinstance(row := json.loads(line), dict) and row.keys() == wanted:
                yield row


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line at once, so that a process that is killed loses at most the one it was at."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            if size and os.pread(stream.fileno(), 1, size - 1) != b"\n":
                text = "\n" + text  # ends what a killed writer left open
            stream.write(text.encode())  # in one call: lines of two processes do not mix


class FileIndex:
    """The records of the files below a root, kept in the cache under a name."""

    def __init__(self, name: str, root: Path) -> None:
        self.root = root.resolve()
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()
        safe_name = re.sub(r"[^\w.-]", "_", name)[:80]
        self.path = cache_folder() / "indexes" / f"{safe_name}-{digest[:12]}.jsonl"

    @cached_property
    def known(self) -> dict[str, FileRecord]:
        """Every record there is by path, fresh or not."""
        columns = [field.name for field in fields(FileRecord)]
        return {row["path"]: FileRecord(**row) for row in _rows(self.path, columns)}

    def read(self, paths: Sequence[str], how: Reading) -> dict[str, FileRecord]:
        """A record of each path, from the cache or from the file itself.

        What is to be kept without trust begins a new index.
        """
        if how.keep and not how.trust:
            self.known.clear()
            with suppress(OSError):
                self.path.unlink()
        found: dict[str, FileRecord] = {}
        to_read: dict[str, int] = {}  # and their sizes
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
                to_read[path] = size_bytes
        keep = sum(to_read.values()) > _FELT_BYTES if how.keep is None else how.keep
        progress = (how.progress if keep or not how.trust else None) or Silent()
        if to_read:
            progress.begin("reading files", len(to_read))
        # Hashing leaves the interpreter to other threads; a network disk answers several at once.
        with ThreadPoolExecutor() as pool:
            for record in pool.map(partial(read_record, self.root), to_read):
                found[record.path] = record
                if keep and not record.problem:
                    self.known[record.path] = record
                    _append(self.path, asdict(record))
                progress.step()
        return found


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
    return FileRecord(relative, size_bytes, mtime_ns, seen_ns, digest, **asdict(header))


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


class MeasureCache:
    """Measures of the clips of any set.

    They are kept by what was measured (digest of the file, start, length), so that they hold
    wherever the file lies and whatever set it belongs to.
    """

    def __init__(self) -> None:
        self._path = cache_folder() / f"measures-v{_MEASURES_VERSION}.jsonl"
        rows = _rows(self._path, ["of", *(field.name for field in fields(Measures))])
        self._known = {tuple(row.pop("of")): Measures(**row) for row in rows}

    def get(self, clip: Clip) -> Measures | None:
        """What was measured on a clip, if it was."""
        return self._known.get((clip.sha256, clip.start, clip.num_samples))

    def put(self, clip: Clip, measures: Measures) -> None:
        """Remember what was measured on a clip."""
        key = clip.sha256, clip.start, clip.num_samples
        self._known[key] = measures
        _append(self._path, {"of": key, **asdict(measures)})


def printable(text: str) -> str:
    """Text that can be encoded, whatever bytes a file's name holds."""
    return text.encode("utf-8", "backslashreplace").decode()
