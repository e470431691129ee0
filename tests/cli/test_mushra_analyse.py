"""``snacbench mushra analyse``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from snacbench.errors import UserError
from snacbench.listening.simulate import Model, simulate
from snacbench.listening.tidy import write_tidy
from snacbench.rows import ListeningSummary
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call
from tests.support.studies import a_test
from tests.support.synthetic_runs import make_run


@pytest.fixture
def rehearsal(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A test's folder, its run, and a CSV of simulated answers to it."""
    import numpy as np

    scores = {name: {"up": np.arange(6.0)} for name in ("a@2kbps", "a@4kbps", "b")}
    run = make_run(tmp_path / "run", scores)
    test = a_test(run="../run", run_id=run.run.id, set_sha256=run.run.set_sha256)
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "test.yaml").write_text(yaml.safe_dump(test.model_dump(mode="json")), "utf-8")
    path = tmp_path / "answers.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_tidy(simulate(test, Model(careless=3, dropouts=1), 16), stream)
    return folder, run.path, path


def test_a_csv_alone(rehearsal: tuple[Path, Path, Path]) -> None:
    _, _, path = rehearsal
    done = call("mushra", "analyse", path)
    assert done.exit_code == 0
    assert "SIMULATED" in done.output
    assert (path.with_name("answers-analysis") / "summary.md").is_file()


def test_with_its_test_and_into_the_run(rehearsal: tuple[Path, Path, Path], tmp_path: Path) -> None:
    folder, run, path = rehearsal
    out = tmp_path / "out"
    call("mushra", "analyse", path, "--test", folder, "--run", run, "-o", out)
    (summary,) = RunFolder.open(run).read(ListeningSummary)
    assert summary.simulated
    assert (summary.title, summary.listeners_before) == ("A test", 16)
    assert "answered 3 of 6 pages" in (out / "summary.md").read_text("utf-8")
    assert (out / "rate.svg").is_file()


def test_simulated_answers_stay_out_of_the_run_unless_sent(
    rehearsal: tuple[Path, Path, Path],
) -> None:
    folder, run, path = rehearsal
    done = call("mushra", "analyse", path, "--test", folder)
    assert list(RunFolder.open(run).read(ListeningSummary)) == []
    assert "unless it is given with --run" in done.output + (done.stderr or "")


def test_options_reach_the_analysis(rehearsal: tuple[Path, Path, Path], tmp_path: Path) -> None:
    folder, _, path = rehearsal
    options = ("--no-screening", "--least-share", "0.5", "--level", "0.9", "-o", tmp_path / "o")
    call("mushra", "analyse", path, "--test", folder, *options)
    text = (tmp_path / "o" / "paragraph.txt").read_text("utf-8")
    assert "16 simulated listeners took part; none was excluded." in text
    assert "90 % confidence intervals" in text


def test_only_training_pages_are_answered(rehearsal: tuple[Path, Path, Path]) -> None:
    folder, _, path = rehearsal
    lines = path.read_text("utf-8").splitlines()
    practice = lines[1].replace("speech-1", "practice").replace("music-1", "practice")
    cells = practice.split(",")
    cells[1] = "practice"
    path.write_text("\n".join([lines[0], ",".join(cells)]), "utf-8")
    with pytest.raises(UserError, match="nobody has answered a page yet"):
        call("mushra", "analyse", path, "--test", folder)
