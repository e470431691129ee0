"""``snacbench table`` on a run written by hand: no codec, no torch, no network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from snacbench.cli.results import table
from snacbench.errors import UserError
from tests.laws.made_runs import System, run_of
from tests.support.command_line import Run
from tests.support.written_runs import competition


@pytest.fixture
def run(tmp_path: Path) -> Path:
    competition(tmp_path / "run")
    return tmp_path / "run"


def test_bandwidth_is_measured_where_it_was_scored(tmp_path: Path) -> None:
    measured, nominal = (
        System({"mel_dac7": np.ones(2), **more})
        for more in ({"bandwidth_khz": np.array([3.0, 5.0])}, {})
    )
    path = run_of(tmp_path / "run", {"a": measured, "b": nominal}, ["speech"] * 2)
    done = invoke(path, "--layout", "dac-table3", "--with-published", "--format", "json")
    (found,) = json.loads(done.output)["tables"]
    cells = {
        (row["codec"], row["cells"]["actual_kbps"]["value"]): row["cells"] for row in found["rows"]
    }
    assert cells["a", 8.0]["bandwidth_khz"]["value"] == 4.0
    assert cells["b", 8.0]["bandwidth_khz"]["value"] == 4.0  # half of its rate, 8 kHz
    assert "n" not in cells["b", 8.0]["bandwidth_khz"]
    opus = [row["cells"] for row in found["rows"] if row["codec"] == "Opus"]
    assert [row["bandwidth_khz"]["value"] for row in opus] == [4.0, 16.0, 16.0]
    assert any("mean of what was measured on the decodes" in note for note in found["footnotes"])


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(table, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("form", "piece"),
    [
        ("terminal", "SI-SDR"),
        ("markdown", "| two"),
        ("csv", "schema,table,codec,domain,source,beside,actual_kbps"),
        ("latex", r"\toprule"),
        ("html", "<table>"),
        ("json", '"tables"'),
    ],
)
def test_every_format_prints_a_papers_table(run: Path, form: str, piece: str) -> None:
    options = ("--layout", "snac-paper", "--ci", "--significance", "--format", form)
    done = invoke(run, *options)
    assert done.exit_code == 0, done.output
    assert piece in done.output


@pytest.mark.parametrize(
    "options",
    [[], ["--layout", "dac-table2", "--ci", "--significance", "--format", "latex"]],
    ids=["plain", "latex"],
)
def test_tables_need_no_torch(run: Path, options: list[str]) -> None:
    program = (
        "import sys\n"
        "class Refusal:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'matplotlib', 'visqol', 'av'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refusal())\n"
        "from snacbench.cli.main import main\n"
        f"sys.argv = ['snacbench', 'table', {str(run)!r}, *sys.argv[1:]]\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_by_and_digits_and_baseline_are_passed_on(run: Path) -> None:
    options = ("--by", "all", "--digits", "4", "--baseline", "one", "--format", "markdown")
    text = invoke(run, *options).output
    assert "### Rates and quality, all clips" in text
    assert "**15.5000**" in text
    assert "differs from one" in text


def test_csv_has_one_schema_whatever_is_asked_for(run: Path) -> None:
    plain, digits = (
        invoke(run, "--format", "csv", *options).output for options in ((), ("--digits", "3"))
    )
    assert digits == plain
    starred = invoke(run, "--format", "csv", "--significance", "--codecs", "one,two").output
    assert starred.splitlines()[0] == plain.splitlines()[0]


def test_codecs_labels_titles_and_captions(run: Path) -> None:
    options = ("--codecs", "one,two", "--label", "two=Number 2", "--title", "Mine")
    text = invoke(run, *options, "--format", "markdown").output
    assert "### Mine, speech" in text
    assert [line.split("|")[1].strip() for line in text.splitlines() if line[:1] == "|"][2:] == [
        "one", "Number 2",
    ]  # fmt: skip
    bare = invoke(run, "--no-caption", "--format", "latex").output
    assert r"\caption" not in bare
    assert "Test set" not in bare


def test_published_figures_are_asked_for_by_name(run: Path) -> None:
    options = ("--layout", "dac-table3", "--with-published", "--format", "json")
    (found,) = json.loads(invoke(run, *options).output)["tables"]
    assert sum("source" in row for row in found["rows"]) == 13


def test_a_standalone_document_is_whole(run: Path) -> None:
    text = invoke(run, "--format", "latex", "--standalone").output
    assert text.startswith("\\documentclass")
    assert text.endswith("\\end{document}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--with-published",), "no published figures for the layout default; choose dac"),
        (("--standalone",), "--standalone is for --format latex, found terminal"),
        (("--label", "two"), "--label takes NAME=TEXT, such as snac-24khz=SNAC; found 'two'"),
        (("--baseline", "tow"), "no codec named 'tow' to compare with; did you mean two"),
    ],
)
def test_mistakes_are_told(run: Path, options: tuple[str, ...], message: str) -> None:
    done = invoke(run, *options)
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)


def test_runs_on_different_sets_are_not_to_be_compared(cli: Run, run: Path, tmp_path: Path) -> None:
    competition(tmp_path / "other")
    file = tmp_path / "other" / "run.json"
    file.write_text(file.read_text().replace("ab" * 32, "cd" * 32))
    done = cli("table", run, tmp_path / "other", "--layout", "snac-paper")
    assert "different test sets" in done.stderr


def test_the_layout_is_that_of_the_recipe(run: Path) -> None:
    path = run / "run.json"
    told = json.loads(path.read_text("utf-8"))
    told["request"]["from_recipe"] = {"name": "dac-table3", "table": "dac-table3"}
    path.write_text(json.dumps(told), "utf-8")
    done = invoke(run, "--format", "json")
    assert done.exit_code == 0, done.output
    asked = invoke(run, "--format", "json", "--layout", "dac-table3")
    assert done.output == asked.output
    assert done.output != invoke(run, "--format", "json", "--layout", "default").output
