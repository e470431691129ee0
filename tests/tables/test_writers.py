"""The model of a table, and every format that it is written in."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from snacbench.stats.intervals import mean_intervals
from snacbench.tables.from_runs import Options, tables_of
from snacbench.tables.layouts import layouts
from snacbench.tables.table_model import Cell, Column, Row, Table, shown
from snacbench.tables.writers import (
    WRITERS,
    latex_escaped,
    to_csv,
    to_html,
    to_json,
    to_latex,
    to_markdown,
    to_terminal,
)
from tests.support.written_runs import competition

UP, DOWN, FREE = Column("u", "U", "dB", "higher"), Column("d", "D", "", "lower"), Column("f", "F")
NASTY = r"""a\b{c}$d&e#f_g%h~i^j<k>l|m"n`o'p*q--r[s]"""
INTERVAL, ALONE = mean_intervals([[1.0, 1.0], [2.0, math.nan], [3.0, math.nan]])
BOTH = ("few & bad", "as <x>")
TABLE = Table(
    title=f"Title {NASTY}",
    columns=(
        Column("up", "U_p", "dB", "higher", kind="mean"),
        Column("plain", "plain"),
        Column("why", "why", kind="text", show="never"),
    ),
    rows=(
        Row(f"[{NASTY}", {"up": Cell(2.0, INTERVAL, 3, ("best",)), "plain": Cell(math.inf)}),
        Row("*star", {"up": Cell(-1.5, None, 3, ("second", "significant"), notes=("few & bad",)),
                      "why": Cell(text="for")}),
        Row("Müller 中文 ﬁ ŵ é", {"up": Cell(text="the clip's"), "plain": Cell(-math.inf)}),
        Row("p_per", {"up": Cell(9.0)}, source="t_1", beside="*star", notes=BOTH),
        Row("p_per", {"up": Cell(math.nan)}, source="t_1", notes=("as <x>",)),
        Row("p_per", {"up": Cell(8.0)}, source="t_1"),
    ),
    footnotes=("5 % of p ≤ 0.05 & more – done", "second"),
    domain="speech",
).lettered()  # fmt: skip


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ((1, 3, 2), UP, ["", "best", "second"]),
        ((1, 3, 2), DOWN, ["best", "", "second"]),
        ((1, 3, 2), FREE, ["", "", ""]),
        ((1.001, 1.004, 0.9), UP, ["best", "best", "second"]),
        ((3, 1, 1.0), UP, ["best", "second", "second"]),
        ((2, None), UP, ["", ""]),
        ((2, math.nan, 1), UP, ["best", "", "second"]),
        ((math.inf, 1), UP, ["best", "second"]),
        ((1234.56, 1234.58, 1000), UP, ["best", "best", "second"]),
    ],
)
def test_best_and_second_are_those_as_shown(values, column, expected):
    rows = tuple(Row(f"{i}", {column.key: Cell(v)}) for i, v in enumerate(values))
    found = Table("t", (column,), rows).ranked()
    assert ["".join(row.cells[column.key].marks) for row in found.rows] == expected


def test_rows_out_of_competition_and_means_of_fewer_clips_are_never_best():
    of = ((9.0, 2, True), (1.0, 3, True), (2.0, 3, True), (9.0, 3, False))
    rows = tuple(Row(f"{v}", {"u": Cell(v, n=n)}, ranked=ranked) for v, n, ranked in of)
    found = Table("t", (UP,), rows).ranked()
    assert [row.cells["u"].marks for row in found.rows] == [(), ("second",), ("best",), ()]


def test_numbers_cells_and_headings_as_shown():
    assert [shown(value, 2) for value in (1.005, -0.001, -0.006, math.inf, -math.inf)] == [
        "1.00", "0.00", "-0.01", "∞", "-∞",
    ]  # fmt: skip
    assert [shown(12345.678, digits) for digits in (0, 3)] == ["12346", "12345.7"]
    missing = [Cell(), Cell(math.nan), Cell(text="x")]
    assert [cell.number(UP) for cell in missing] == ["–", "–", "x"]
    assert Cell(2.0, INTERVAL).ends(UP) == "[-0.48, 4.48]"  # t(.975, 2) / sqrt(3) = 2.484
    assert Cell(2.0, ALONE).ends(UP) == ""
    assert Cell(2.0).number(replace(UP, signed=True)) == "+2.00"
    assert [c.title for c in (UP, DOWN, FREE)] == ["U (dB) ↑", "D ↓", "F"]


def test_letters_follow_reading_order_and_go_on_after_z():
    cells = [Cell(1, notes=("x",)), Cell(1, notes=("y", "x")), Cell(1)]
    made = Table("t", (UP,), tuple(Row(str(i), {"u": c}) for i, c in enumerate(cells))).lettered()
    assert [made.letters_of(cell) for cell in cells] == ["a", "b,a", ""]
    many = {f"{i}": Cell(1, notes=(f"n{i}",)) for i in range(28)}
    made = Table("t", tuple(Column(k, k) for k in many), (Row("r", many),)).lettered()
    assert [made.letters[f"n{i}"] for i in (25, 26, 27)] == ["z", "aa", "ab"]


def printed(tables: list[Table], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for part in to_terminal(tables, width=width):
        console.print(part)
    return console.file.getvalue()


PIECES = {
    "markdown": (
        r"**2.00** \[-0.48, 4.48\]", r"\*star", r"<ins>-1.50</ins>\*<sup>a</sup>", r"\|m",
        "- <sup>a</sup> few & bad\n", r"| *↳ p\_per, published*<sup>a,b</sup> ",
        r"| *p\_per*<sup>b</sup> ", "| *published, not in these runs* ",
    ),
    "html": (
        '<span class="best">2.00</span> <span class="ends">[-0.48, 4.48]</span>',
        '<span class="second">-1.50</span>*<sup>a</sup>', ">published, not in these runs</th>",
        '<tr class="published"><th scope="row">↳ p_per, published<sup>a,b</sup></th>',
    ),
    "latex": (
        "% needs: \\usepackage{booktabs,graphicx}\n", r"\begin{tabular}{lr@{}lr}",
        r"\textbf{2.00} & \makebox[0.6em][l]{}{\scriptsize {[}$-$0.48, 4.48{]}}",
        r"\underline{$-$1.50} & $^{*}$\textsuperscript{a}", r"\textsuperscript{a} few \& bad",
        r"\textit{$\hookrightarrow$ p\_per, published}\textsuperscript{a,b} & 9.00 & ",
        r"\multicolumn{4}{l}{\textit{published, not in these runs}} \\",
    ),
    "terminal": (
        "-1.50* (a)", "[-0.48, 4.48]", "- a: few & bad", f"[{NASTY}", "↳ p_per, published (a,b) ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", PIECES)
def test_marks_letters_and_headings_stand_in_every_format_and_text_is_escaped(form):
    write = {**WRITERS, "terminal": printed}[form]
    assert isinstance(write([]), str)
    text = write([TABLE])
    assert [piece for piece in PIECES[form] if piece not in text] == []
    assert text.count("published, not in these runs") == 1
    other = replace(TABLE, title="other", footnotes=("own", "what all say"))
    one = replace(TABLE, footnotes=("what all say",))
    assert write([one, other]).count("what all say") == 1 + (form == "latex")


def test_markdown_has_no_column_that_is_never_shown():
    lines = [line for line in to_markdown([TABLE]).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}


def test_csv_has_a_column_for_all_that_a_kind_of_column_may_have():
    reader = csv.DictReader(io.StringIO(to_csv([TABLE])))
    first, second, third, beside, paper, _ = reader
    assert reader.fieldnames == [
        "schema", "table", "codec", "domain", "source", "beside",
        "up", "up_low", "up_high", "up_n", "up_marks", "plain", "why", "notes",
    ]  # fmt: skip
    assert (first["schema"], first["codec"], first["domain"]) == ("2", f"[{NASTY}", "speech")
    assert (first["up"], first["up_n"], first["up_marks"]) == ("2.0", "3", "best")
    assert float(first["up_low"]) == pytest.approx(INTERVAL.low, rel=1e-11)
    assert len(first["up_low"].strip("-0.")) <= 12  # digits
    assert (second["up_low"], second["up_marks"]) == ("", "second significant")
    assert (second["why"], second["notes"]) == ("for", "up: few & bad")
    assert (first["plain"], third["up"], paper["up"]) == ("inf", "", "")
    assert third["notes"] == "up: the clip's"
    assert (beside["source"], beside["beside"]) == ("t_1", "*star")
    assert beside["notes"] == "few & bad | as <x>"


def test_json_names_infinities_and_has_null_for_nan():
    (table,) = json.loads(to_json([TABLE]))["tables"]
    first, _, third, _, paper, _ = (row["cells"] for row in table["rows"])
    assert first["up"]["value"] == 2.0
    assert first["up"]["interval"]["low"] == INTERVAL.low
    assert first["up"]["marks"] == ["best"]
    assert (first["plain"]["value"], third["plain"]["value"]) == ("inf", "-inf")
    assert paper["up"]["value"] is None
    assert table["columns"][0] == {"key": "up", "heading": "U_p", "unit": "dB", "better": "higher"}
    assert table["footnotes"] == list(TABLE.footnotes)
    told = [{k: v for k, v in row.items() if k != "cells"} for row in table["rows"]]
    assert told[1] == {"codec": "*star"}
    assert told[3] == {
        "codec": "p_per", "source": "t_1", "beside": "*star", "notes": ["few & bad", "as <x>"],
    }  # fmt: skip


class Reader(HTMLParser):
    """Checks that tags nest, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert "src" not in dict(attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_well_formed_escaped_and_self_contained():
    text, reader = to_html([TABLE, replace(TABLE, title="other")]), Reader()
    reader.feed(text)
    assert reader.open == []
    assert f"[{NASTY}" in "".join(reader.text)
    assert "http" not in text


@pytest.mark.parametrize("width", [200, 80, 30])
def test_terminal_cuts_neither_numbers_nor_words(width):
    interval = replace(INTERVAL, mean=0.5, low=0.45, high=0.6)
    numbers = [Column(f"m{i}", f"metric_number_{i}", "", "higher", 3) for i in range(8)]
    columns = (*numbers, Column("rtf", "RTF encode", digits=3), Column("v", "verdict", kind="text"))
    cells = {f"m{i}": Cell(1.5 + i) for i in range(8)}
    cells |= {"rtf": Cell(0.5, interval), "v": Cell(text="no difference seen, clips lost")}
    made = Table("wide", columns, (Row("a-codec-with-a-long-name@12.5kbps", cells),))
    text = printed([made], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = {"0.500", "[0.450,", "0.600]", "difference", *(f"{1.5 + i:.3f}" for i in range(8))}
    assert words <= set(text.split())


def test_text_becomes_latex():
    texts = {
        "a_b%c": r"a\_b\%c", "[x": "{[}x", "--": "-{}-{}", "é": "é", "ŵ": "w", "½": "{[}U+00BD{]}",
        "中": "{[}U+4E2D{]}", "a\n\tb": "a b", "\x07": "{[}U+0007{]}",
    }  # fmt: skip
    assert {text: latex_escaped(text) for text in texts} == texts


def test_latex_compiles_with_every_special_character(tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed: apt-get install texlive-latex-recommended")
    every = "".join(map(chr, range(32, 384))) + "–—−↑↓↳→∞×±≤≥µμ…"
    wild = replace(TABLE, title=every, rows=(*TABLE.rows, Row(every[:60], {})))
    run = competition(tmp_path / "run", lost=2)
    options = Options(ci=True, significance=True, published=True)
    whole = tables_of([run], layouts()["dac-table3"], options)
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
    snippet = head + to_latex([TABLE]) + "\\end{document}\n"  # with the packages that it names
    for text, unwanted in (
        (to_latex([TABLE, wild], standalone=True), "Missing character"),
        (to_latex(whole, standalone=True), "Overfull"),
        (snippet, "Missing character"),
    ):
        (tmp_path / "t.tex").write_text(text, "utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert (tmp_path / "t.pdf").stat().st_size > 5000
        log = (tmp_path / "t.log").read_text("utf-8", "replace")
        assert unwanted not in log
