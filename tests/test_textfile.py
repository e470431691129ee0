"""Text, tables and YAML as others write them: encodings, quotes, mistakes by line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from snacbench.errors import TestSetError, UserError
from snacbench.textfile import Text, read_heading, read_records, read_table, read_text
from snacbench.yamlfile import read_yaml
from tests.support.cases import cases

CASES = cases(__file__)
GOOD = CASES["good"]
WORDS = "naïve – “café”"


def put(folder, data):
    path = folder / "x.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(("data", "text", "strange"), [
    *((WORDS.encode(name), WORDS, "") for name in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
    (WORDS.encode("cp1252"), WORDS, "1"),
    (b"\xfe\xff" + WORDS.encode("utf-16-be"), WORDS, ""),
    ("a\n".encode("utf-8-sig") + "b\n".encode("utf-8-sig"), "a\nb\n", ""),  # joined files
    ("é\n".encode() + "é\n".encode("cp1252") + b"\x81\n", "é\né\n\x81\n", "2, 3"),
])  # fmt: skip
def test_encodings_of_files_and_lines(tmp_path, data, text, strange):
    note = f"not UTF-8, read as Windows-1252: x.csv, line {strange}" if strange else ""
    assert read_text(put(tmp_path, data)) == Text(text, note)


@pytest.mark.parametrize(("data", "message"), [
    (b"a\nb\0c", r"cannot read the text .*x\.csv \(line 2 holds a NUL byte.*expected UTF-8"),
    (b"\xff\xfea", r"cannot read the text .*x\.csv \(.*decode"),
    (None, r"cannot read the text .*gone \(No such file"),
])  # fmt: skip
def test_what_is_no_text(tmp_path, data, message):
    path = tmp_path / "gone" if data is None else put(tmp_path, data)
    with pytest.raises(TestSetError, match=message):
        read_text(path, refuse=TestSetError)


def cells(folder, text, **options):
    records, _ = read_records(put(folder, text), noun="table", **options)  # type: ignore[arg-type]
    return [record.cells for record in records]


@given(st.data())
def test_what_python_writes_is_read(tmp_path_factory, data):
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff"), max_size=8)
    separator = data.draw(st.sampled_from(",;\t"))
    heading = ["a", "b", "c"]
    rows = data.draw(st.lists(st.tuples(*[texts] * 3), max_size=5))
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator).writerows([heading, *rows])
    wanted = [heading, *(list(row) for row in rows if any(map(str.strip, row)))]
    assert cells(tmp_path_factory.mktemp("csv"), stream.getvalue()) == wanted


def test_lines_may_end_in_any_way_and_cells_have_quotes_and_spaces(tmp_path):
    assert cells(tmp_path, "a,b\r1,2\r\n\n , \n3,4") == [["a", "b"], ["1", "2"], ["3", "4"]]
    records, _ = read_records(put(tmp_path, 'a\n\n"1\r\n2"\r3'), noun="table")
    assert [record.line for record in records] == [1, 3, 5]
    # A quote within a cell is a character; some write spaces after commas.
    assert cells(tmp_path, 'a,b\n5" wide,x"y"\n') == [["a", "b"], ['5" wide', 'x"y"']]
    assert cells(tmp_path, 'a\tb\n"x\ty\n', quotes="none") == [["a", "b"], ['"x', "y"]]
    assert cells(tmp_path, 'a, b\n"x, 1", y z \n') == [["a", "b"], ["x, 1", "y z"]]
    assert cells(tmp_path, "a,b\nx, y\n") == [["a", "b"], ["x", " y"]]


@pytest.mark.parametrize(("text", "message"), CASES["quotes"])
def test_open_quotes_are_named_by_the_line_they_open_in(tmp_path, text, message):
    with pytest.raises(UserError, match=rf"x\.csv, {message}"):
        cells(tmp_path, text)


def test_names_of_columns(tmp_path):
    table = read_table(put(tmp_path, "PATH; Mood ;\na;b;\n"), ("path", "id"), noun="table")
    assert table.columns == ("path", "Mood")
    assert table.rows == [(2, {"path": "a", "Mood": "b"})]
    assert table.notes == ("columns not known and not used: x.csv, Mood",)
    assert read_heading(put(tmp_path, '\n "a"\t b\n'), noun="table") == ["a", "b"]
    assert read_table(put(tmp_path, ""), (), noun="table").columns == ()


@pytest.mark.parametrize(("text", "message"), [
    ("path,Path\na,b\n", "line 1: the column 'path' comes twice"),
    ("path,id\na,b\na,b,c\n", "line 3: 3 cells under 2 columns"),
])  # fmt: skip
def test_tables_that_cannot_be(tmp_path, text, message):
    with pytest.raises(UserError, match=rf"x\.csv, {message}"):
        read_table(put(tmp_path, text), ("path", "id"), noun="table")
    assert read_table(put(tmp_path, "path,id\na,b,,\n"), (), noun="table").rows[0][0] == 2


class Leaf(BaseModel, extra="forbid"):
    size: int
    colour: str = "green"

    @field_validator("size")
    @classmethod
    def _even(cls, size):
        if size % 2:
            raise ValueError("sizes are even")
        return size


class Branch(BaseModel, extra="forbid"):
    leaves: tuple[Leaf, ...] = ()
    best: Leaf | None = None


class Tree(BaseModel, extra="forbid"):
    name: str
    branches: list[Branch] = []
    by_name: dict[str, int] = {}


def reading(folder, content):
    path = folder / "tree.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(path, Tree, noun="tree", docs="docs/trees.md")


def test_a_file_becomes_a_model(tmp_path):
    assert reading(tmp_path, GOOD).branches[0].leaves[1].colour == "red"
    with pytest.raises(UserError, match=r"cannot read the tree .*tree.yaml \(.*utf-8"):
        reading(tmp_path, b"name: \xff")
    with pytest.raises(UserError, match=r"cannot read the tree .*gone.yaml"):
        read_yaml(tmp_path / "gone.yaml", Tree, noun="tree", docs="docs/trees.md")


@pytest.mark.parametrize(("old", "new", "message"), CASES["mistakes"])
def test_mistakes_are_named_with_line_and_the_way_to_the_field(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(UserError, match=f"tree.yaml, {message}"):
        reading(tmp_path, GOOD.replace(old, new))
