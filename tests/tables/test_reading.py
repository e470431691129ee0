from __future__ import annotations

import math

import pytest

from snacbench.errors import StoreError
from snacbench.rows import Bits
from snacbench.store import rows as blocks
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows, scores_of
from tests.tables.conftest import NEURAL, RUN, coded, score

LINE = (
    '{"clip": "a", "codec": "neural@0.1kbps", "metric": "up", "version": "1", "status": "ok", '
    '"value": 1.5, "reason": ""}'
)


def write(folder: RunFolder, *lines: str, last: str = "\n") -> None:
    (folder.path / "scores.jsonl").write_text("\n".join(lines) + last)


def up_of(folder: RunFolder) -> list[tuple[bool, bool, float]]:
    (codec, _) = RunRows.load(folder).codecs
    return [tuple(cell) for cell in codec.scores["up"][["ok", "undefined", "value"]][:3].tolist()]


@pytest.fixture
def empty(tmp_path) -> RunFolder:
    made = RunFolder.create(tmp_path / "run", RUN, [])
    made.append([coded(clip, "speech", 1.0, Bits(codes=8)) for clip in "abc"])
    return made


@pytest.mark.parametrize("lines_at_once", [1, 2, 5_000])
def test_blocks_give_what_single_rows_would(empty, monkeypatch, lines_at_once):
    monkeypatch.setattr(blocks, "_LINES_AT_ONCE", lines_at_once)
    empty.append([score("a", "up", 1.0), score("b", "up", None), score("a", "up", 3.0)])
    a, b, c = up_of(empty)
    assert a == (True, False, 3.0)
    assert b[:2] == (False, True)
    assert math.isnan(b[2])
    assert c[0] is False


@pytest.mark.parametrize(
    "bad",
    ["{", "", LINE.replace("1.5", '"much"'), LINE.replace('"ok"', '"fine"'), f"{LINE},{LINE}"],
)
def test_a_bad_line_is_told_by_its_number(empty, bad):
    write(empty, LINE, bad, LINE)
    with pytest.raises(StoreError, match=r"scores\.jsonl, line 2 is not a Score row"):
        RunRows.load(empty)


def test_an_incomplete_last_line_is_skipped(empty):
    write(empty, LINE, LINE[:40], last="")
    assert up_of(empty)[0] == (True, False, 1.5)


def test_scores_of_clips_that_were_never_coded_are_kept_apart(empty):
    empty.append([score("elsewhere", "up", 7.0)])
    rows = RunRows.load(empty)
    assert rows.clips[3].id == "elsewhere"
    assert scores_of([rows], "up", "all") == {NEURAL.name: {}}


def test_without_histograms_there_is_no_entropy(folder):
    (codec, _) = RunRows.load(folder, histograms=False).codecs
    assert codec.entropies("all") == ()
    assert codec.spec.name == NEURAL.name
    assert RunRows.load(folder).codecs[0].entropies("all")
