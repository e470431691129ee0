"""A run folder on disk: created once, locked while in use, appended to line by line.

A process that is killed leaves at most one incomplete last line in each file. Readers skip it;
the next writer removes it. Everything before it is a complete row, already on disk.
"""

import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate, chain, count, islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TypeVar

from snacbench import rows
from snacbench.errors import StoreError
from snacbench.files import atomic, lock, writing
from snacbench.request import request_of_schema_1
from snacbench.store.jsonl import from_json, line_of, read_blocks, to_jsonable
from snacbench.types import Clip

SCHEMA_VERSION = 2  # 1 kept the request as plain values, named recipe
RUN_FILE = "run.json"
_LOCK_FILE = ".lock"
_DECODED_FOLDER = "decoded"
_CODES_FOLDER = "codes"
EMBEDDINGS_FOLDER = "embeddings"
_ROWS_AT_ONCE = 1000
_MAX_NAME_BYTES = 200  # of 255: leaves room for a suffix, and for a half-written file's name

Row = TypeVar("Row")


ROW_FILES: dict[type, str] = {
    Clip: "clips.jsonl",
    rows.Calibration: "calibrations.jsonl",
    rows.Agreement: "agreements.jsonl",
    rows.SpotCheck: "spot_checks.jsonl",
    rows.ClipMeasures: "measures.jsonl",
    rows.Coded: "coded.jsonl",
    rows.CodeHistogram: "histograms.jsonl",
    rows.CodedBytes: "coded_bytes.jsonl",
    rows.Speed: "speeds.jsonl",
    rows.Cost: "costs.jsonl",
    rows.Delay: "delays.jsonl",
    rows.Score: "scores.jsonl",
    rows.Embedded: "embedded.jsonl",
    rows.ListenerScore: "listening.jsonl",
    rows.ListeningSummary: "listening_summaries.jsonl",
}


def new_folder(parent: Path, suffix: str = "") -> Path:
    """A new folder for a run that names none, called after the time: of this run alone."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S") + suffix
    with explained(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):  # several runs may start within one second
            folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
    return folder


@dataclass(frozen=True)
class RunFolder:
    """Reads and appends rows; `create` and `open` check that the folder is what it should be."""

    path: Path

    @classmethod
    def create(cls, path: Path, run: rows.Run, clips: Sequence[Clip]) -> "RunFolder":
        """Start a run in a new or empty folder: its provenance and its clips come first."""
        if (path / RUN_FILE).exists():
            raise StoreError(
                f"{path} already holds a run; go on with it by --resume {path}, or choose "
                "another folder with -o"
            )
        with explained(path):
            if path.is_dir() and any(p.name != _LOCK_FILE for p in path.iterdir()):
                raise StoreError(f"{path} is not empty; choose a new or empty folder with -o")
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path)
            folder.append(clips)
            # Last, and atomically: a folder with run.json is a complete start of a run.
            folder.rewrite_run(run)
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """Open an existing run."""
        folder = cls(path)
        if not (path / RUN_FILE).is_file():
            raise StoreError(f"{path} holds no run: there is no {RUN_FILE} in it")
        _ = folder.run
        return folder

    @property
    def run(self) -> rows.Run:
        """How the run was made.

        Raises StoreError if that was written by a later version of snacbench, or is no such record.
        """
        path = self.path / RUN_FILE
        text: bytes | str = path.read_bytes()
        with suppress(ValueError, KeyError, TypeError):  # said below
            told = json.loads(text)
            if (found := told["schema_version"]) not in range(1, SCHEMA_VERSION + 1):
                raise StoreError(
                    f"{path.parent} was written with schema version {found}, this snacbench reads "
                    f"{SCHEMA_VERSION} and below; use the version named in its {RUN_FILE}"
                )
            if "recipe" in told:
                told["request"] = request_of_schema_1(told.pop("recipe"))
                text = json.dumps({**told, "schema_version": SCHEMA_VERSION})
        return from_json(text, rows.Run, origin=str(path))

    def rewrite_run(self, run: rows.Run) -> None:
        """Put another provenance in the place of the run's; old or new, never half of it."""
        self.write_text(RUN_FILE, json.dumps(to_jsonable(run), indent=1, ensure_ascii=False) + "\n")

    def decoded_path(self, clip: str, codec: str) -> Path:
        """Where the decoded audio of a clip lies: one folder per codec."""
        return self.path / _DECODED_FOLDER / _file_name(codec) / (_file_name(clip) + ".flac")

    def codes_path(self, clip: str, codec: str) -> Path:
        """Where the codes of a clip lie, if they are kept: beside the decoded audio."""
        return self.path / _CODES_FOLDER / _file_name(codec) / (_file_name(clip) + ".sncb")

    @property
    def has_decoded(self) -> bool:
        """Whether decoded audio of any clip may lie here."""
        return (self.path / _DECODED_FOLDER).is_dir()

    def append(self, rows: Iterable[object]) -> list[int]:
        """Append rows to their files and wait until they are on disk.

        Returns where each row begins in its file, in bytes, as `read_at` takes it.
        """
        places: list[int] = []
        remaining = iter(rows)
        while block := list(islice(remaining, _ROWS_AT_ONCE)):
            lines: dict[str, list[bytes]] = {}
            for row in block:
                lines.setdefault(ROW_FILES[type(row)], []).append(line_of(row))
            began: dict[str, Iterator[int]] = {}
            with explained(self.path):
                for name, encoded in lines.items():  # in the order in which the rows came
                    with (self.path / name).open("ab") as stream:
                        began[name] = accumulate(map(len, encoded), initial=stream.tell())
                        stream.write(b"".join(encoded))
                        stream.flush()
                        os.fsync(stream.fileno())
            places += [next(began[ROW_FILES[type(row)]]) for row in block]
        return places

    def read(self, row_type: type[Row]) -> Iterator[Row]:
        """Every complete row of a kind, in the order in which they were appended."""
        return (row for _, rows in self.read_blocks(row_type) for row in rows)

    def read_placed(self, row_type: type[Row]) -> Iterator[tuple[int, Row]]:
        """Every complete row of a kind as `read` gives it, with the byte at which it begins."""
        for places, found in self.read_blocks(row_type):
            yield from zip(places, found, strict=True)

    def read_blocks(self, row_type: type[Row]) -> Iterator[tuple[list[int], list[Row]]]:
        """Every complete row of a kind as `read` gives it, many at once, and where they begin."""
        return read_blocks(self.path / ROW_FILES[row_type], row_type)

    def read_at(self, row_type: type[Row], places: Iterable[int]) -> list[Row]:
        """The rows that begin at these bytes of their file."""
        path = self.path / ROW_FILES[row_type]
        rows = []
        with path.open("rb") as stream:
            for place in places:
                stream.seek(place)
                rows.append(from_json(stream.readline(), row_type, origin=f"{path}, byte {place}"))
        return rows

    def replace(
        self, row_type: type[Row], rows: Iterable[Row] = (), *, of: Callable[[Row], bool]
    ) -> list[Row]:
        """Put rows in place of those of their kind that `of` tells, whole or not at all.

        Returns the rows that gave way. To be called by who holds the lock.
        """
        new, taken = list(map(line_of, rows)), [row for row in self.read(row_type) if of(row)]
        if new or taken:
            kept = (line_of(row) for row in self.read(row_type) if not of(row))
            self._write(ROW_FILES[row_type], chain(kept, new))
        return taken

    def take_out(self, row_type: type[Row], *, of: Callable[[Row], bool]) -> list[Row]:
        """Remove the rows of a kind that `of` tells, as `replace` does; returns them."""
        return self.replace(row_type, of=of)

    def write_text(self, name: str, text: str) -> None:
        """Write a small file whole or not at all."""
        self._write(name, [text.encode()])

    def _write(self, name: str, parts: Iterable[bytes]) -> None:
        whole = atomic(self.path / name, sync=True)
        with explained(self.path), whole as partial, partial.open("wb") as stream:
            stream.writelines(parts)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second writer, and mend what a killed one left behind."""
        with ExitStack() as held:
            with explained(self.path):
                try:
                    held.enter_context(lock(self.path / _LOCK_FILE, wait=False))
                except BlockingIOError as error:
                    text = f"another snacbench is writing to {self.path}; wait for it to end"
                    raise StoreError(text) from error
                for name in ROW_FILES.values():
                    _drop_incomplete_line(self.path / name)
                for folder in (_DECODED_FOLDER, _CODES_FOLDER, EMBEDDINGS_FOLDER):
                    for partial in self.path.glob(f"{folder}/**/.*.partial"):
                        partial.unlink(missing_ok=True)
            yield  # outside `explained`: errors of the work under the lock are not the folder's


def _drop_incomplete_line(path: Path) -> None:
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as stream:
            with mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
                complete, size = content.rfind(b"\n") + 1, len(content)
            if complete < size:
                stream.truncate(complete)


def _file_name(name: str) -> str:
    """A name as a path: ids keep their folders, characters that file systems dislike go."""
    # A part that had to change ends in a digest of what it was, so that no two ids share a file.
    parts = []
    for part in name.split("/"):
        safe = re.sub(r"[^\w.@+=-]", "_", part)
        if safe != part or not part.strip(".") or len(part.encode()) > _MAX_NAME_BYTES:
            kept = safe.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
            safe = f"{kept}~{hashlib.sha256(part.encode()).hexdigest()[:8]}"
        parts.append(safe)
    return "/".join(parts)


def explained(path: Path) -> AbstractContextManager[None]:
    """What the system says of a run's folder that cannot be written, as a `StoreError`."""
    return writing(
        f"to {path}", "free some space and go on with --resume, or choose another folder with -o"
    )
