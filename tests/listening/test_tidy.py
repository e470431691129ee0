from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import UserError
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.tidy import (
    CHOICE_COLUMNS,
    RATING_COLUMNS,
    plain_text,
    read_tidy,
    safe_cell,
    write_tidy,
)
from snacbench.listening.webmushra_csv import write_webmushra
from tests.support.listening_server import small_test

STUDY = Study(
    name="t",
    form="mushra",
    listeners=(Listener("ann"), Listener("bob")),
    systems=("opus@14kbps", "snac"),
    ratings=(
        Rating("ann", "speech-1", "reference", 100.0, 0, 2, 31.5, 'clear, "crisp"\u00e4'),
        Rating("ann", "speech-1", "anchor35", 12.5, 0, 0, 31.5),
        Rating("ann", "speech-1", "opus@14kbps", 70.0, 0, 1, 31.5, "=HYPERLINK(1)"),
        Rating("bob", "speech-1", "snac", 61.0),
    ),
    domains={"speech-1": "speech"},
    clips={"speech-1": "quick/a"},
    kbps={"reference": None, "anchor35": None, "opus@14kbps": 14.2, "snac": None},
)
PAIRS = Study(
    name="t",
    form="abx",
    listeners=(Listener("ann"),),
    systems=("snac",),
    choices=(
        Choice("ann", "i", "reference", "snac", "a", "snac", 0, 9.25),
        Choice("ann", "i", "reference", "snac", "b", "snac", 1, 4.0, "+1"),
    ),
)
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\uff1d1")


@pytest.mark.parametrize(
    "study",
    [
        STUDY,
        PAIRS,
        replace(STUDY, simulated=True),
        replace(STUDY, ratings=STUDY.ratings[2:], form="mushra-no-anchors",
                kbps={"opus@14kbps": 14.2, "snac": None}),
        replace(PAIRS, form="ab", choices=(Choice("ann", "i", "snac", "opus", "tie"),),
                systems=("snac", "opus")),
    ],
)  # fmt: skip
def test_what_is_written_is_read_under_the_columns_promised(study: Study, tmp_path: Path) -> None:
    path = tmp_path / f"{study.name}.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_tidy(study, stream)
    assert read_tidy(path) == (study, ())
    heading, *lines = path.read_text("utf-8").splitlines()
    columns = RATING_COLUMNS if study.ratings else CHOICE_COLUMNS
    assert heading.split(",") == [*columns, *(["simulated"] if study.simulated else [])]
    if study is STUDY:
        assert lines[2] == "ann,speech-1,speech,quick/a,opus@14kbps,14.2,70,0,1,31.5,'=HYPERLINK(1)"
    if study is PAIRS:
        assert [line.split(",")[6] for line in lines] == ["0", "1"]  # which one was right


def test_columns_and_values_as_webmushra_has_them() -> None:
    listener = Listener("k7m3-p2vd", {"age": "33", "phones": "yes"})
    ratings = (
        Rating("k7m3-p2vd", "item-0", "anchor35", 20.0, 0, 1, 31.25, "dull"),
        Rating("k7m3-p2vd", "item-0", "reference", 100.0),
    )
    stream = io.StringIO(newline="")
    write_webmushra(small_test(), Study("small", "mushra", (listener,), ("snac",), ratings), stream)
    assert list(csv.reader(io.StringIO(stream.getvalue(), newline=""))) == [
        ["session_test_id", "age", "phones", "note", "session_uuid", "trial_id",
         "rating_stimulus", "rating_score", "rating_time", "rating_comment"],
        ["small", "33", "yes", "", "k7m3-p2vd", "item-0", "anchor35", "20", "31250", "dull"],
        ["small", "33", "yes", "", "k7m3-p2vd", "item-0", "reference", "100", "", ""],
    ]  # fmt: skip
    with pytest.raises(UserError, match="no column for answers of an abx test; export it as tidy"):
        write_webmushra(small_test(), PAIRS, stream)


@given(st.text() | st.text(alphabet="'=+-@\t x", max_size=6) | st.sampled_from(FORMULAS))
def test_no_cell_begins_as_a_formula_and_none_is_changed(text: str) -> None:
    assert plain_text(safe_cell(text)) == text
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    study = replace(STUDY, ratings=(replace(STUDY.ratings[0], comment=text),))
    stream = io.StringIO()
    write_tidy(study, stream)
    row = next(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert row["comment"] == safe_cell(text)


HEAD = ",".join(RATING_COLUMNS) + "\n"
PAIR_HEAD = ",".join(CHOICE_COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no column listener, item"),
        ("listener,item\na,b\n", "no column condition, score, page, place, time_s"),
        (HEAD, "no answers under the headings"),
        (HEAD + "a,i,speech,c,snac,1,high,0,0,1,\n", "line 2: score: expected a number"),
        (HEAD + "a,i,speech,c,snac,1,101,0,0,1,\n", "line 2: score: expected .* 0 to 100"),
        (HEAD + "a,i,speech,c,snac,1,nan,0,0,1,\n", "line 2: score: expected .* 0 to 100"),
        (HEAD + "a,i,speech,c,snac,1,50,x,0,1,\n", "line 2: page: expected a number"),
        (HEAD + "a,i,noise,c,snac,1,50,0,0,1,\n", "line 2: domain: expected speech, music"),
        (HEAD + ",i,speech,c,snac,1,50,0,0,1,\n", "line 2: listener: expected a name"),
        (HEAD + "a,i,speech,c,snac,1,50,0,0,1,\na,i,speech,c,snac,1,51,0,0,1,\n",
         "line 3: snac of item i was rated 51 by listener a, who rated it 50 in line 2; keep one"),
        (PAIR_HEAD + "a,i,snac,opus,,both,,0,1,\n", "line 2: answer: expected a, b, tie"),
        (PAIR_HEAD + "a,i,reference,snac,snac,b,,0,1,\na,j,reference,snac,,tie,,1,1,\n",
         "line 3: x: expected reference or snac, found ''"),  # "no idea" would be right
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_line(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=complaint):
        read_tidy(path)
