from __future__ import annotations

import re

import numpy as np
import pytest

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import ENTROPY_CODERS, coder_named
from snacbench.rate.coding.heldout import (
    coded_rows,
    cross_fitted,
    halves,
    held_out_rows,
    shuffled_clips,
)
from snacbench.rate.coding.trained import KeptClip
from snacbench.rows import CodedBytes
from tests.support.code_corpora import SIZES, clips


def rows_of(shuffled: bool) -> list[CodedBytes]:
    return list(
        held_out_rows("toy@1kbps", clips(), SIZES, coders=ENTROPY_CODERS, shuffled=shuffled, seed=3)
    )


REAL, CONTROL = rows_of(shuffled=False), rows_of(shuffled=True)


def total(rows: list[CodedBytes], coder: str, stream: int) -> int:
    return sum(row.stream_bytes[stream] for row in rows if row.coder == coder)


def test_tables_never_saw_the_clusters_that_they_code() -> None:
    first, second = halves(clips())
    assert {c.cluster for c in first}.isdisjoint(c.cluster for c in second)
    assert sorted(c.clip for c in [*first, *second]) == sorted(c.clip for c in clips())
    assert len(first) == len(second) == 6
    assert [c.clip for c in halves(clips()[::-1])[0]] == [c.clip for c in first][::-1]
    for tables, coded in cross_fitted("toy", clips(), SIZES):
        others = [c for c in clips() if c.cluster not in {one.cluster for one in coded}]
        tokens = np.concatenate([c.parts[0][0].ravel() for c in others])
        assert np.array_equal(tables.streams[0].counts, np.bincount(tokens, minlength=SIZES[0]))
    alone = [KeptClip(name, "s", clips(1)[0].parts) for name in "ab"]
    with pytest.raises(UserError, match=re.escape("speakers or tracks or more, found 1: tables")):
        list(held_out_rows("toy", alone, SIZES, coders=["static"]))


def test_a_row_per_clip_and_coder() -> None:
    assert len(REAL) == len(CONTROL) == 12 * len(ENTROPY_CODERS)
    assert {(row.clip, row.coder) for row in REAL} == {
        (c.clip, name) for c in clips() for name in ENTROPY_CODERS
    }
    assert {row.shuffled for row in REAL} == {False}
    assert {row.shuffled for row in CONTROL} == {True}
    assert {row.trained_on_clips for row in REAL} == {6}
    assert len({row.tables_sha256 for row in REAL}) == 2
    for row in REAL:
        for size, bits in zip(row.stream_bytes, row.ideal_bits, strict=True):
            assert bits - 8 < 8 * size < bits + 12


def test_contexts_save_where_there_is_something_to_know_and_nothing_in_the_control() -> None:
    assert total(REAL, "context", 0) < 0.7 * total(REAL, "adaptive", 0)
    assert total(REAL, "context", 1) < 0.6 * total(REAL, "adaptive", 1)
    for stream in (0, 1):
        saving = 1 - total(CONTROL, "context", stream) / total(CONTROL, "adaptive", stream)
        assert -0.02 < saving < 0.002


def test_what_is_shuffled_is_the_order_and_nothing_else() -> None:
    given, shuffled = clips(), shuffled_clips(clips(), seed=3)
    for index in range(2):
        before, after = (
            np.concatenate([c.parts[0][index].ravel() for c in these])
            for these in (given, shuffled)
        )
        assert not np.array_equal(before, after)
        assert np.array_equal(np.sort(before), np.sort(after))
    shapes = [[a.shape for a in c.parts[0]] for c in shuffled]
    assert shapes == [[a.shape for a in c.parts[0]] for c in given]
    again, other = shuffled_clips(clips(), seed=3), shuffled_clips(clips(), seed=4)
    assert np.array_equal(again[0].parts[0][0], shuffled[0].parts[0][0])
    assert not np.array_equal(other[0].parts[0][0], shuffled[0].parts[0][0])


def test_parts_of_a_clip_add_up_and_a_coder_that_loses_codes_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (one,) = clips(1)
    coder = coder_named("adaptive")
    twice = KeptClip(one.clip, one.cluster, one.parts * 2)
    alone, both = coded_rows("toy", [one, twice], SIZES, coder)
    assert both.stream_bytes == tuple(2 * size for size in alone.stream_bytes)
    assert (alone.coder, alone.tables_sha256, alone.trained_on_clips) == ("adaptive", "", 0)
    wrong = tuple(array + 1 for array in one.parts[0])
    monkeypatch.setattr(type(coder), "decode", lambda *_: wrong)
    with pytest.raises(CodecError, match="adaptive did not give back the codes of c0"):
        list(coded_rows("toy", [one], SIZES, coder))
