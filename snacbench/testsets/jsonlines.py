"""Append-only files of JSON lines in the cache: what was read once need not be read again.

A line is written as soon as its fact is known, so that a process that is killed loses at most the
line it was at. Nothing here is ever needed: a cache that cannot be written costs time, no result.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any


class JsonLines:
    """A file of JSON objects, one a line, open for appending inside a ``with`` block.

    Parameters
    ----------
    path : Path
        Made at the first append, with its folders.
    header : mapping
        First line of a new file: what the file is.

    Attributes
    ----------
    problem : str
        Why the file could not be written; empty as long as it can.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.problem = ""
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
                self._stream = self._stream or self._open()
                self._stream.write(_line(row))  # in one call: lines of two processes do not mix
            except OSError as error:
                self.problem = f"{self.path} cannot be written ({error.strerror or error})"

    def _open(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = FileIO(self.path, "a+")
        size = stream.seek(0, os.SEEK_END)
        if size == 0:
            stream.write(_line(self._header))
        elif os.pread(stream.fileno(), 1, size - 1) != b"\n":
            stream.write(b"\n")  # ends the line that a killed writer left open
        return stream


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
