"""Text and tables as others write them: encodings, quotes, separators, and what is refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import TestSetError, UserError
from snacbench.textfile import read_heading, read_records, read_table, read_text

WORDS = "naïve – “café”"


def put(folder: Path, data: bytes | str) -> Path:
    path = folder / "x.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        *((WORDS.encode(name), WORDS, "") for name in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), WORDS, ""),
        ("a\n".encode("utf-8-sig") + "b\n".encode("utf-8-sig"), "a\nb\n", ""),
        ("é\n".encode() + "é\n".encode("cp1252") + b"\x81\n", "é\né\n\x81\n",
         "not UTF-8, read as Windows-1252: x.csv, line 2, 3"),
    ],
)  # fmt: skip
def test_encodings(tmp_path: Path, data: bytes, text: str, note: str) -> None:
    assert read_text(put(tmp_path, data)) == (text, note)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\nb\0c", r"cannot read the list .*x\.csv \(line 2 holds a NUL byte.*expected UTF-8"),
        (b"\xff\xfea", r"cannot read the list .*x\.csv \(.*decode"),
        (None, r"cannot read the list .*x\.csv \(No such file"),
    ],
)
def test_what_is_no_text(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "x.csv" if data is None else put(tmp_path, data)
    with pytest.raises(TestSetError, match=message):
        read_text(path, noun="list", refuse=TestSetError)


def cells(folder: Path, text: str, **options: str) -> list[list[str]]:
    records, _ = read_records(put(folder, text), noun="table", **options)  # type: ignore[arg-type]
    return [record.cells for record in records]


@given(st.data())
def test_what_python_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff"), max_size=8)
    texts = texts.map(lambda text: text.strip(" "))
    separator = data.draw(st.sampled_from(",;\t"))
    heading = ["a", "b", "c"]
    rows = data.draw(st.lists(st.tuples(*[texts] * 3), max_size=5))
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator)
    writer.writerows([heading, *rows])
    wanted = [heading, *(list(row) for row in rows if any(map(str.strip, row)))]
    assert cells(tmp_path_factory.mktemp("csv"), stream.getvalue()) == wanted


@pytest.mark.parametrize(
    ("text", "quotes", "expected"),
    [
        ("a,b\r1,2\r\n\n , \n3,4", "doubled", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ('a,b\n5" wide,x"y"\n', "doubled", [["a", "b"], ['5" wide', 'x"y"']]),
        ('a , b\nx, "y, z" \nx , y z \n', "doubled", [["a", "b"], ["x", "y, z"], ["x", "y z"]]),
        ('a,b\n"" ,"x ""y""" \n', "doubled", [["a", "b"], ["", 'x "y"']]),
        ('a\tb\n"x\ty\n', "none", [["a", "b"], ['"x', "y"]]),
        ('a,"b \\"c\\" d",e\n', "php", [["a", 'b \\"c\\" d', "e"]]),
        ("a,b\n" + "b" * 200_000 + ",c\n", "doubled", [["a", "b"], ["b" * 200_000, "c"]]),
        ('a,"say \\""\nb,"c:\\"\nd,"""\\""""\n', "php",
         [["a", 'say \\"'], ["b", "c:\\"], ["d", '"\\""']]),
    ],
)  # fmt: skip
def test_cells(tmp_path: Path, text: str, quotes: str, expected: list[list[str]]) -> None:
    assert cells(tmp_path, text, quotes=quotes) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,2\n3,"x\n5,6\n', "line 3: the quote that opens here is not closed"),
        ('a,b\n1,"x"y\n', "line 2: the quote that opens here is not closed where its cell ends"),
        ('a,b\n1,"x\n3,4\n5,y"\n', "line 2: .* encloses what looks like a row: '3,4'"),
    ],
)
def test_open_quotes_are_named_by_the_line_they_open_in(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"x\.csv, {message}"):
        cells(tmp_path, text)


def test_names_of_columns(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, 'PATH; Mood ;\na;"b\nc";\nd;;'), ("path", "id"), noun="table")
    assert table.columns == ("path", "Mood")
    rows = [(2, {"path": "a", "Mood": "b\nc"}), (4, {"path": "d", "Mood": ""})]
    assert table.rows == rows
    assert table.notes == ("columns not known and not used: x.csv, Mood",)
    assert read_heading(put(tmp_path, '\n "a"\t b\n'), noun="table") == ["a", "b"]
    assert read_table(put(tmp_path, ""), (), noun="table").columns == ()
    for text, message in (
        ("path,Path\na,b\n", "line 1: the column 'path' comes twice"),
        ("path,id\na,b\na,b,c\n", "line 3: 3 cells under 2 columns"),
        ("path,id\n\na\n", "line 3: 1 cells under 2 columns"),
    ):
        with pytest.raises(UserError, match=rf"x\.csv, {message}"):
            read_table(put(tmp_path, text), ("path", "id"), noun="table")
