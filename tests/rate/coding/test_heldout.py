from __future__ import annotations

import re

import numpy as np
import pytest

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import ENTROPY_CODERS, coder_named
from snacbench.rate.coding.heldout import coded_rows, cross_fitted, held_out_rows, shuffled_clips
from snacbench.rate.coding.trained import KeptClip
from snacbench.rows import CodedBytes
from tests.support.code_corpora import SIZES, clips

REAL, CONTROL = (
    list(held_out_rows("toy", clips(), SIZES, coders=ENTROPY_CODERS, shuffled=control, seed=3))
    for control in (False, True)
)


def total(rows: list[CodedBytes], coder: str, stream: int) -> int:
    return sum(row.stream_bytes[stream] for row in rows if row.coder == coder)


def test_tables_never_saw_the_clusters_that_they_code() -> None:
    coded_by_halves = []
    for (tables, coded), (_, again) in zip(
        cross_fitted("toy", clips(), SIZES), cross_fitted("toy", clips()[::-1], SIZES), strict=True
    ):
        others = [c for c in clips() if c.cluster not in {one.cluster for one in coded}]
        tokens = np.concatenate([c.parts[0][0].ravel() for c in others])
        assert np.array_equal(tables.streams[0].counts, np.bincount(tokens, minlength=SIZES[0]))
        assert (len(coded), len(others)) == (6, 6)
        assert [c.clip for c in again] == [c.clip for c in coded][::-1]
        coded_by_halves += coded
    assert sorted(c.clip for c in coded_by_halves) == sorted(c.clip for c in clips())
    alone = [KeptClip(name, "s", clips(1)[0].parts) for name in "ab"]
    with pytest.raises(UserError, match=re.escape("speakers or tracks or more, found 1: tables")):
        list(held_out_rows("toy", alone, SIZES, coders=["static"]))


def test_a_row_per_clip_and_coder() -> None:
    asked = {(one.clip, name) for one in clips() for name in ENTROPY_CODERS}
    for rows, control in ((REAL, False), (CONTROL, True)):
        assert {(row.clip, row.coder) for row in rows} == asked
        assert len(rows) == len(asked)
        assert {(row.shuffled, row.trained_on_clips) for row in rows} == {(control, 6)}
        assert len({row.tables_sha256 for row in rows}) == 2


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
    again, other = (shuffled_clips(clips(), seed=seed)[0].parts[0][0] for seed in (3, 4))
    assert again.shape == given[0].parts[0][0].shape
    assert np.array_equal(again, shuffled[0].parts[0][0])
    assert not np.array_equal(again, other)


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
