"""``snacbench table`` on a run written by hand: no codec, no torch, no network."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Run, call
from tests.support.written_runs import competition


@pytest.fixture
def run(tmp_path: Path) -> Path:
    competition(tmp_path / "run")
    return tmp_path / "run"


def test_rows_are_chosen_and_a_table_can_be_bare(run: Path) -> None:
    named = ("--codecs", "one,two", "--label", "two=2")
    text = call("table", run, *named, "--format", "markdown").output
    lines = [line.split("|")[1].strip() for line in text.splitlines() if line[:1] == "|"]
    assert lines[2:] == ["one", "2"]
    bare = call("table", run, "--no-caption", "--ci", "--significance", "--format", "latex").output
    assert r"\toprule" in bare
    assert "Test set" not in bare
    # The layout is that of the recipe.
    path = run / "run.json"
    told = json.loads(path.read_text("utf-8"))
    told["request"]["from_recipe"] = {"name": "dac-table3", "table": "dac-table3"}
    path.write_text(json.dumps(told), "utf-8")
    done = call("table", run, "--format", "json")
    assert done.output == call("table", run, "--format", "json", "--layout", "dac-table3").output
    assert done.output != call("table", run, "--format", "json", "--layout", "default").output


def test_runs_on_different_sets_are_not_to_be_compared(cli: Run, run: Path, tmp_path: Path) -> None:
    competition(tmp_path / "other")
    file = tmp_path / "other" / "run.json"
    file.write_text(file.read_text().replace("ab" * 32, "cd" * 32))
    done = cli("table", run, tmp_path / "other", "--layout", "snac-paper")
    assert "different test sets" in done.stderr
    assert "SI-SDR" in done.stdout
