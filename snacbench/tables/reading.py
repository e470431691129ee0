"""The scores of a run as columns: they are most of its rows, so none stays an object for long."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from snacbench.rows import Score
from snacbench.store.folder import RunFolder
from snacbench.tables.columns import ScoreRows


@dataclass
class _Growing:
    """All rows in the order in which they were written; `pair` is their codec and metric."""

    pair: array[int] = field(default_factory=lambda: array("i"))
    clip: array[int] = field(default_factory=lambda: array("i"))
    ok: bytearray = field(default_factory=bytearray)
    undefined: bytearray = field(default_factory=bytearray)
    skipped: bytearray = field(default_factory=bytearray)
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
    pairs: dict[tuple[str, str], int] = {}
    all_rows = _Growing()
    for block in folder.read_blocks(Score):
        rows = block.rows
        all_rows.pair.extend([pairs.setdefault((r.codec, r.metric), len(pairs)) for r in rows])
        all_rows.clip.extend([numbers.setdefault(r.clip, len(numbers)) for r in rows])
        all_rows.ok.extend([r.status == "ok" and r.value is not None for r in rows])
        all_rows.undefined.extend([r.status == "undefined" for r in rows])
        all_rows.skipped.extend([r.status == "skipped" for r in rows])
        all_rows.value.extend([np.nan if r.value is None else r.value for r in rows])
    yield from _by_pair(all_rows, pairs)


def _by_pair(
    rows: _Growing, pairs: dict[tuple[str, str], int]
) -> Iterator[tuple[str, str, ScoreRows]]:
    """The columns cut up by codec and metric, the order of the rows kept."""
    pair = np.frombuffer(rows.pair, np.intc)
    order = np.argsort(pair, kind="stable")
    columns = (
        np.frombuffer(rows.clip, np.intc)[order],
        np.frombuffer(rows.ok, np.bool_)[order],
        np.frombuffer(rows.undefined, np.bool_)[order],
        np.frombuffer(rows.skipped, np.bool_)[order],
        np.frombuffer(rows.value, np.float64)[order],
    )
    ends = np.cumsum(np.bincount(pair, minlength=len(pairs))).tolist()
    for (codec, metric), start, end in zip(pairs, [0, *ends], ends, strict=False):
        yield codec, metric, ScoreRows(*(column[start:end] for column in columns))
