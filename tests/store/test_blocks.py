from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.rows import Coded, CodeHistogram, Score
from snacbench.store import rows as blocks
from snacbench.store.folder import RunFolder
from tests.store.test_rows import RUN

HISTOGRAM = CodeHistogram("c", "x", 0, 4, np.array([0, 2], np.int32), np.array([5, 1], np.int64))

ROWS = [
    Score("set/a", "x", "m", "1", "ok", 0.5),
    Score("set/b", "x", "m", "1", "undefined", reason='says "status": "ok"'),
    Score("set/c", "x", "m", "1", "failed", reason="broken"),
]


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", RUN, [])


@pytest.mark.parametrize("lines_at_once", [1, 2, 500])
def test_blocks_hold_all_rows_and_where_they_begin(folder, monkeypatch, lines_at_once):
    monkeypatch.setattr(blocks, "_LINES_AT_ONCE", lines_at_once)
    places = folder.append(ROWS)
    found = list(folder.read_blocks(Score))
    assert [row for block in found for row in block.rows] == ROWS
    assert [place for block in found for place in block.places] == places
    assert max(len(block.rows) for block in found) == min(lines_at_once, len(ROWS))


def test_a_file_that_is_not_there_has_no_blocks(folder):
    assert list(folder.read_blocks(Coded)) == []
    assert list(folder.read_not_ok(Coded)) == []


@pytest.mark.parametrize("cut", [1, 30])
def test_an_incomplete_last_line_is_left_out(folder, cut):
    folder.append(ROWS)
    path = folder.path / "scores.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    (block,) = folder.read_blocks(Score)
    assert block.rows == ROWS[:2]
    assert len(block.places) == 2
    assert list(folder.read_not_ok(Score)) == ROWS[1:2]


def test_a_bad_line_is_told_by_its_number_whichever_block_it_is_in(folder, monkeypatch):
    monkeypatch.setattr(blocks, "_LINES_AT_ONCE", 2)
    folder.append(ROWS)
    with (folder.path / "scores.jsonl").open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(StoreError, match=r"scores\.jsonl, line 4 is not a Score row"):
        list(folder.read(Score))
    with pytest.raises(StoreError, match=r"scores\.jsonl, line 4 is not a Score row"):
        list(folder.read_not_ok(Score))


def test_a_damaged_histogram_is_told_by_its_number(folder):
    folder.append([HISTOGRAM, HISTOGRAM])
    path = folder.path / "histograms.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{second.replace('eJ', 'AA')}\n")
    with pytest.raises(StoreError, match=r"histograms\.jsonl, line 2 is not a CodeHistogram row"):
        list(folder.read(CodeHistogram))


def test_what_is_ok_is_passed_over_and_nothing_else(folder):
    folder.append(ROWS)
    assert list(folder.read_not_ok(Score)) == ROWS[1:]
