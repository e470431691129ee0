from __future__ import annotations

import csv
import io

import pytest

from snacbench.errors import UserError
from snacbench.listening.answers.webmushra import write_webmushra
from snacbench.listening.study import Listener, Rating, Study
from tests.listening.server.folders import small_test


def test_columns_and_values_as_webmushra_has_them() -> None:
    study = Study(
        "small", "mushra", (Listener("k7m3-p2vd", {"age": "33", "phones": "yes"}),), ("snac",),
        (Rating("k7m3-p2vd", "item-0", "anchor35", 20.0, 0, 1, 31.25, "dull"),
         Rating("k7m3-p2vd", "item-0", "reference", 100.0)),
    )  # fmt: skip
    stream = io.StringIO(newline="")
    write_webmushra(small_test(), study, stream)
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""))) == [
        ["session_test_id", "age", "phones", "note", "session_uuid", "trial_id",
         "rating_stimulus", "rating_score", "rating_time", "rating_comment"],
        ["small", "33", "yes", "", "k7m3-p2vd", "item-0", "anchor35", "20", "31250", "dull"],
        ["small", "33", "yes", "", "k7m3-p2vd", "item-0", "reference", "100", "", ""],
    ]  # fmt: skip


def test_pairs_have_no_such_form() -> None:
    with pytest.raises(UserError, match="no column for answers of an abx test; export it as tidy"):
        write_webmushra(small_test(), Study("t", "abx", (), ()), io.StringIO())
