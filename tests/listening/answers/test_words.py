from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.listening.answers.words import cleaned


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  two\nlines\tand  spaces ", "two lines and spaces"),
        ("bell\x07 escape\x1b[2J", "bell escape[2J"),
        ("left\u202eright\u2066", "leftright"),
        ("half\ud800", "half"),
        ("Stra\u00dfe \u65e5\u672c", "Stra\u00dfe \u65e5\u672c"),
        ("\U0001f469\u200d\U0001f3a4", "\U0001f469\u200d\U0001f3a4"),
        ("=1+1", "=1+1"),
    ],
)  # fmt: skip
def test_what_is_kept(typed: str, kept: str) -> None:
    assert cleaned(typed, 100) == kept


@given(st.text(st.characters(codec=None)), st.integers(1, 20))
def test_one_line_without_control_characters(typed: str, limit: int) -> None:
    kept = cleaned(typed, limit)
    assert len(kept) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in kept)
    assert len(kept.splitlines()) <= 1
    assert cleaned(kept, limit) == kept
