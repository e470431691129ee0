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

from snacbench.stats.intervals import mean_interval
from snacbench.tables.build import tables_of
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.options import Options
from snacbench.tables.render.csv import to_csv
from snacbench.tables.render.html import to_html
from snacbench.tables.render.json import to_json
from snacbench.tables.render.latex import to_latex
from snacbench.tables.render.latex_text import escaped
from snacbench.tables.render.markdown import to_markdown
from snacbench.tables.render.terminal import to_terminal
from snacbench.tables.table import Cell, Column, Row, Table
from tests.tables.competition import make

NASTY = r"""a\b{c}$d&e#f_g%h~i^j<k>l|m"n`o'p*q--r[s]"""
INTERVAL = mean_interval([1.0, 2.0, 3.0])
BOTH = ("few & bad", "as <x>")
TABLE = Table(
    title=f"Title {NASTY}",
    columns=(Column("up", "U_p", "dB", "higher"), Column("plain", "plain")),
    rows=(
        Row(f"[{NASTY}", {"up": Cell(2.0, INTERVAL, 3, ("best",)), "plain": Cell(math.inf)}),
        Row("*star", {"up": Cell(-1.5, None, 3, ("second", "significant"), notes=("few & bad",))}),
        Row("Müller 中文 ﬁ ŵ é", {"up": Cell(text="the clip's"), "plain": Cell(-math.inf)}),
        Row("p_per", {"up": Cell(9.0)}, source="t_1", beside="*star", notes=BOTH),
        Row("p_per", {"up": Cell(math.nan)}, source="t_1", notes=("as <x>",)),
        Row("p_per", {"up": Cell(8.0)}, source="t_1"),
    ),
    footnotes=("5 % of p ≤ 0.05 & more – done", "second"),
).lettered()  # fmt: skip
FORMATS = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex, "html": to_html}


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_markdown_marks_letters_and_escapes():
    lines = to_markdown([TABLE]).splitlines()
    best, second = (line for line in lines if "**2.00**" in line or "-1.50" in line)
    assert r"**2.00** \[-0.48, 4.48\]" in best
    assert r"<ins>-1.50</ins>\*<sup>a</sup>" in second
    assert r"\*star" in second
    assert r"\|m" in best
    assert "- <sup>a</sup> few & bad" in lines
    assert any(r"| *↳ p\_per, published*<sup>a,b</sup> " in line for line in lines)
    assert any(r"| *p\_per*<sup>b</sup> " in line for line in lines)
    assert sum("| *published, not in these runs* " in line for line in lines) == 1
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}
    assert counts == {4}


def test_markdown_says_shared_footnotes_once():
    other = replace(TABLE, title="other", footnotes=("own", "second"))
    text = to_markdown([TABLE, other])
    assert text.count("- second") == 1
    assert text.rstrip().endswith("- second")
    assert "- own" in text


def test_csv_holds_full_precision_ends_n_and_marks():
    first, second, third, beside, paper, _ = read_csv(to_csv([TABLE]))
    assert first["codec"] == f"[{NASTY}"
    assert (first["up"], first["up_n"], first["up_marks"]) == ("2.0", "3", "best")
    assert float(first["up_low"]) == INTERVAL.low
    assert (second["up"], second["up_low"], second["up_marks"]) == (
        "-1.5",
        "",
        "second significant",
    )
    assert (first["plain"], third["up"], paper["up"]) == ("inf", "the clip's", "")
    assert "plain_n" not in first
    assert (first["source"], first["beside"]) == ("", "")
    assert (beside["source"], beside["beside"]) == ("t_1", "*star")
    assert (paper["codec"], paper["source"], paper["beside"]) == ("p_per", "t_1", "")
    measured = replace(TABLE, rows=TABLE.rows[:3])
    assert list(read_csv(to_csv([measured]))[0])[:3] == ["table", "codec", "up"]


def test_json_has_no_nan_and_names_infinities():
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    (table,) = json.loads(to_json([TABLE]), parse_constant=refuse)["tables"]
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
    text = to_html([TABLE, replace(TABLE, title="other")])
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert f"[{NASTY}" in "".join(reader.text)
    assert '<span class="best">2.00</span> <span class="ends">[-0.48, 4.48]</span>' in text
    assert '<span class="second">-1.50</span>*<sup>a</sup>' in text
    assert "http" not in text
    assert text.count("<li>second</li>") == 1
    beside = '<tr class="published"><th scope="row">↳ p_per, published<sup>a,b</sup></th>'
    assert text.count(beside) == text.count(">published, not in these runs</th>") == 2


def test_terminal_shows_marks_and_notes():
    console = Console(file=io.StringIO(), width=120, color_system=None)
    for part in to_terminal([TABLE]):
        console.print(part)
    text = console.file.getvalue()
    for piece in ("-1.50* (a)", "[-0.48, 4.48]", "- a: few & bad", f"[{NASTY}"):
        assert piece in text
    assert "↳ p_per, published (a,b) " in text
    assert text.count("published, not in these runs") == 1


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b%c", r"a\_b\%c"),
        ("[x", "{[}x"),
        ("--", "-{}-{}"),
        ("é", "é"),
        ("ŵ", "w"),
        ("½", "{[}U+00BD{]}"),
        ("中", "{[}U+4E2D{]}"),
        ("a\n\tb", "a b"),
        ("\x07", "{[}U+0007{]}"),
    ],
)
def test_text_becomes_latex(text, latex):
    assert escaped(text) == latex


def test_latex_lines_up_numbers_and_what_is_said_of_them():
    text = to_latex([TABLE])
    assert text.startswith("% needs: \\usepackage{booktabs,graphicx}\n")
    assert r"\begin{tabular}{lr@{}lr}" in text
    assert r"\textbf{2.00} & \makebox[0.6em][l]{}{\scriptsize {[}$-$0.48, 4.48{]}}" in text
    assert r"\underline{$-$1.50} & $^{*}$\textsuperscript{a}" in text
    assert r"\textsuperscript{a} few \& bad" in text
    assert r"\textit{$\hookrightarrow$ p\_per, published}\textsuperscript{a,b} & 9.00 & " in text
    assert r"\multicolumn{4}{l}{\textit{published, not in these runs}} \\" in text


def compile_latex(folder, text: str) -> str:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed: apt-get install texlive-latex-recommended")
    (folder / "t.tex").write_text(text, "utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "t.pdf").stat().st_size > 5000
    return (folder / "t.log").read_text("utf-8", "replace")


def test_latex_compiles_with_every_special_character(tmp_path):
    every = "".join(map(chr, range(32, 384))) + "–—−↑↓↳∞×±≤≥µμ…"
    wild = replace(TABLE, title=every, rows=(*TABLE.rows, Row(every[:60], {})))
    log = compile_latex(tmp_path, to_latex([TABLE, wild], standalone=True))
    assert "Missing character" not in log


def test_a_snippet_compiles_in_a_document_that_has_its_packages(tmp_path):
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
    compile_latex(tmp_path, head + to_latex([TABLE]) + "\\end{document}\n")


def test_a_whole_table_compiles(tmp_path):
    rows = make(tmp_path / "run", lost=2)
    options = Options(ci=True, significance=True, published=True)
    tables = tables_of([rows], LAYOUTS["dac-table3"], options)
    log = compile_latex(tmp_path, to_latex(tables, standalone=True))
    assert "Overfull" not in log


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_list_of_tables_is_no_error(form):
    assert isinstance(FORMATS[form]([]), str)
