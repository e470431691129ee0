"""The scores of a run, read in blocks: they are most of its rows.

A block is checked as one JSON array, in half the time that its lines would take one by one, and
goes on as columns of numbers. What a line must be, and what is said of a wrong one, is the store's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from snacbench.rows import Score
from snacbench.store.folder import ROW_FILES, RunFolder
from snacbench.store.rows import from_json
from snacbench.tables.columns import ScoreRows

_LINES_AT_ONCE = 5_000
_block_reader: TypeAdapter[list[Score]] = TypeAdapter(list[Score])


@dataclass
class _Growing:
    """The rows of one codec and metric, in the order in which they were written."""

    clip: array[int] = field(default_factory=lambda: array("q"))
    ok: bytearray = field(default_factory=bytearray)
    undefined: bytearray = field(default_factory=bytearray)
    value: array[float] = field(default_factory=lambda: array("d"))


def read_scores(folder: RunFolder, numbers: dict[str, int]) -> Iterator[tuple[str, str, ScoreRows]]:
    """All scores of a run as codec, metric and columns.

    Parameters
    ----------
    numbers : dict of str to int
        Number of each clip; clips not in it are added.

    Raises
    ------
    StoreError
        If a line other than an incomplete last one is no score.
    """
    found: dict[tuple[str, str], _Growing] = {}
    for block in _blocks(folder.path / ROW_FILES[Score]):
        for row in block:
            key = (row.codec, row.metric)
            rows = found.get(key)
            if rows is None:
                rows = found[key] = _Growing()
            ok = row.status == "ok" and row.value is not None
            rows.clip.append(numbers.setdefault(row.clip, len(numbers)))
            rows.ok.append(ok)
            rows.undefined.append(row.status == "undefined")
            rows.value.append(row.value if ok and row.value is not None else np.nan)
    for (codec, metric), rows in found.items():
        yield codec, metric, _columns(rows)


def _columns(rows: _Growing) -> ScoreRows:
    return ScoreRows(
        np.frombuffer(rows.clip, np.int64),
        np.frombuffer(rows.ok, np.bool_),
        np.frombuffer(rows.undefined, np.bool_),
        np.frombuffer(rows.value, np.float64),
    )


def _blocks(path: Path) -> Iterator[list[Score]]:
    if not path.exists():
        return
    before = 0
    with path.open("rb") as stream:
        while lines := list(islice(stream, _LINES_AT_ONCE)):
            count = len(lines)
            if not lines[-1].endswith(b"\n"):
                lines.pop()  # a process was killed while it wrote
            yield _checked(lines, path, before)
            before += count


def _checked(lines: list[bytes], path: Path, before: int) -> list[Score]:
    try:
        rows = _block_reader.validate_json(b"[" + b",".join(lines) + b"]")
    except ValidationError:
        rows = []
    if len(rows) == len(lines):
        return rows
    numbered = enumerate(lines, start=before + 1)
    return [from_json(line, Score, origin=f"{path}, line {n}") for n, line in numbered]
