"""The model of a table, and every format that it is written in."""

import csv
import io
import json
import math
import shutil
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from snacbench.stats.intervals import mean_intervals
from snacbench.tables.from_runs import Options, tables_of
from snacbench.tables.layouts import layouts
from snacbench.tables.table_model import Cell, Column, Row, Table, shown
from snacbench.tables.writers import WRITERS, latex_escaped, to_latex
from tests.support.cases import cases
from tests.support.written_runs import competition, printed

UP, DOWN, FREE = Column("u", "U", "dB", "higher"), Column("d", "D", "", "lower"), Column("f", "F")
NASTY = r"""a\b{c}$d&e#f_g%h~i^j<k>l|m"n`o'p*q--r[s]"""
INTERVAL, ALONE = mean_intervals([[1.0, 1.0], [2.0, math.nan], [3.0, math.nan]])
TABLE = Table(
    title=f"Title {NASTY}",
    columns=(Column("up", "U_p", "dB", "higher", kind="mean"), Column("plain", "plain"),
             Column("why", "why", kind="text", show="never")),
    rows=(
        Row(f"[{NASTY}", {"up": Cell(2.0, INTERVAL, 3, ("best",)), "plain": Cell(math.inf)}),
        Row("*star", {"up": Cell(-1.5, None, 3, ("second", "significant"), notes=("few & bad",)),
                      "why": Cell(text="for")}),
        Row("Müller é", {"up": Cell(text="the clip's"), "plain": Cell(-math.inf)}, group="Others"),
        Row("last", {"up": Cell(math.nan)}, group="Others"),
    ),
    footnotes=("5 % of p ≤ 0.05 & more – done", "second"), domain="speech",
).lettered()  # fmt: skip


@pytest.mark.parametrize(("values", "column", "expected"), [
    ((1, 3, 2), UP, ["", "best", "second"]),
    ((1, 3, 2), DOWN, ["best", "", "second"]),
    ((1, 3, 2), FREE, ["", "", ""]),
    ((1.001, 1.004, 0.9), UP, ["best", "best", "second"]),
    ((2, None), UP, ["", ""]),
    ((2, math.nan, 1), UP, ["best", "", "second"]),
    ((math.inf, 1), UP, ["best", "second"]),
    ((1234.56, 1234.58, 1000), UP, ["best", "best", "second"]),
])  # fmt: skip
def test_best_and_second_are_those_as_shown(values, column, expected):
    rows = tuple(Row.of(f"{i}", (column,), v) for i, v in enumerate(values))
    found = Table("t", (column,), rows).ranked()
    assert ["".join(row.cells[column.key].marks) for row in found.rows] == expected


def test_rows_out_of_competition_and_means_of_fewer_clips_are_never_best():
    of = ((9.0, 2, True), (1.0, 3, True), (2.0, 3, True), (9.0, 3, False))
    rows = tuple(Row(f"{v}", {"u": Cell(v, n=n)}, ranked=ranked) for v, n, ranked in of)
    found = Table("t", (UP,), rows).ranked()
    assert [row.cells["u"].marks for row in found.rows] == [(), ("second",), ("best",), ()]


def test_numbers_cells_headings_and_letters_as_shown():
    values = (1.005, -0.001, -0.006, math.inf, -math.inf)
    assert [shown(value, 2) for value in values] == ["1.00", "0.00", "-0.01", "∞", "-∞"]
    assert [shown(12345.678, digits) for digits in (0, 3)] == ["12346", "12345.7"]
    missing = [Cell(), Cell(math.nan), Cell(text="x")]
    assert [cell.number(UP) for cell in missing] == ["–", "–", "x"]
    assert Cell(2.0, INTERVAL).ends(UP) == "[-0.48, 4.48]"  # t(.975, 2) / sqrt(3) = 2.484
    assert Cell(2.0, ALONE).ends(UP) == ""
    assert Cell(2.0).number(replace(UP, signed=True)) == "+2.00"
    assert [c.title for c in (UP, DOWN, FREE)] == ["U (dB) ↑", "D ↓", "F"]
    cells = [Cell(1, notes=(f"n{i}",)) for i in range(28)] + [Cell(2, notes=("n1", "n0"))]
    columns = tuple(Column(f"{i}", "") for i in range(29))
    made = Table("t", columns, (Row.of("r", columns, *cells),)).lettered()
    assert list(made.letters.values())[25:] == ["z", "aa", "ab"]
    assert "2.00<sup>b,a</sup>" in WRITERS["markdown"]([made])


WRITTEN = {**WRITERS, "terminal": printed}
PIECES = cases(__file__)


@pytest.mark.parametrize("form", PIECES)
def test_marks_letters_and_headings_stand_in_every_format_and_text_is_escaped(form):
    write = WRITTEN[form]
    assert isinstance(write([]), str)
    text = write([TABLE])
    assert [piece for piece in PIECES[form] if piece not in text] == []
    assert text.count("Others") == 1
    assert "why" not in text
    other = replace(TABLE, title="other", footnotes=("own", "what all say"))
    one = replace(TABLE, footnotes=("what all say",))
    assert write([one, other]).count("what all say") == 1 + (form == "latex")


def test_csv_has_a_column_for_all_that_a_kind_of_column_may_have():
    reader = csv.DictReader(io.StringIO(WRITERS["csv"]([TABLE])))
    first, second, third, last = reader
    always = "schema,table,codec,domain,source,beside"
    own = "up,up_low,up_high,up_n,up_marks,plain,why,notes"
    assert ",".join(reader.fieldnames) == f"{always},{own}"
    assert (first["schema"], first["codec"], first["domain"]) == ("2", f"[{NASTY}", "speech")
    assert (first["up"], first["up_n"], first["up_marks"]) == ("2.0", "3", "best")
    assert float(first["up_low"]) == pytest.approx(INTERVAL.low, rel=1e-11)
    assert len(first["up_low"].strip("-0.")) <= 12  # digits
    assert (second["up_low"], second["up_marks"]) == ("", "second significant")
    assert (second["why"], second["notes"]) == ("for", "up: few & bad")
    assert (first["plain"], third["up"], last["up"]) == ("inf", "", "")
    assert third["notes"] == "up: the clip's"


def test_json_names_infinities_and_has_null_for_nan():
    (table,) = json.loads(WRITERS["json"]([TABLE]))["tables"]
    first, second, third, last = (row["cells"] for row in table["rows"])
    assert (first["up"]["value"], first["up"]["n"], first["up"]["marks"]) == (2.0, 3, ["best"])
    assert first["up"]["interval"]["low"] == INTERVAL.low
    assert second["up"]["notes"] == ["few & bad"]
    assert (first["plain"]["value"], third["plain"]["value"]) == ("inf", "-inf")
    assert last == {"up": {"value": None}, "plain": {"value": None}, "why": {"value": None}}
    assert table["columns"][0] == {"key": "up", "heading": "U_p", "unit": "dB", "better": "higher"}
    assert table["footnotes"] == list(TABLE.footnotes)


def test_html_is_well_formed_and_escaped():
    text = WRITERS["html"]([TABLE, replace(TABLE, title="other")])
    assert text.isascii()
    read = ElementTree.fromstring(f"<p>{text.replace('<br>', '')}</p>")
    assert f"[{NASTY}" in "".join(read.itertext())


@pytest.mark.parametrize("width", [200, 30])
def test_terminal_cuts_neither_numbers_nor_words(width):
    interval = replace(INTERVAL, mean=0.5, low=0.45, high=0.6)
    numbers = [Column(f"m{i}", f"metric_number_{i}", "", "higher", 3) for i in range(8)]
    columns = (*numbers, Column("rtf", "RTF encode", digits=3), Column("v", "verdict", kind="text"))
    said = Cell(text="no difference seen, clips lost")
    row = Row.of(
        "a-codec-with-a-long-name@12.5kbps",
        columns, *(1.5 + i for i in range(8)), Cell(0.5, interval), said,
    )  # fmt: skip
    text = printed([Table("wide", columns, (row,))], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = {"0.500", "[0.450,", "0.600]", "difference", *(f"{1.5 + i:.3f}" for i in range(8))}
    assert words <= set(text.split())


def test_latex_compiles_with_every_special_character(tmp_path):
    texts = {"a_b%c": r"a\_b\%c", "[x": "{[}x", "--": "-{}-{}", "é": "é", "a\n\tb": "a b"}
    assert {text: latex_escaped(text) for text in texts} == texts
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed: apt-get install texlive-latex-recommended")
    every = "".join(map(chr, range(32, 127))) + "éß–—−↑↓↳→∞×±≤≥µμ…"
    wild = replace(TABLE, title=every, rows=(*TABLE.rows, Row(every[:60], {})))
    run = competition(tmp_path / "run", lost=2)
    whole = tables_of([run], layouts()["dac-table3"], Options(ci=True, significance=True))
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
    for tables, unwanted in (([TABLE, wild], "Missing character"), (whole, "Overfull")):
        text = head + to_latex(tables) + "\\end{document}\n"
        (tmp_path / "t.tex").write_text(text, "utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        assert (tmp_path / "t.pdf").stat().st_size > 5000
        assert unwanted not in (tmp_path / "t.log").read_text("utf-8", "replace")
