"""``snacbench mushra analyse`` and ``power``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.listening.design import write_test
from snacbench.listening.tidy import write_tidy
from snacbench.rows import ListeningSummary
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call
from tests.support.simulated_listeners import simulate
from tests.support.studies import a_test, numbered_test
from tests.support.synthetic_runs import make_run


@pytest.fixture
def answered(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A test's folder, its run, and a CSV of answers to it."""
    means = {"a@2kbps": 40.0, "a@4kbps": 60.0, "b": 50.0}
    scores = {name: {"up": np.arange(6.0)} for name in means}
    run = make_run(tmp_path / "run", scores)
    test = a_test(run="../run", run_id=run.run.id, set_sha256=run.run.set_sha256)
    folder = tmp_path / "test"
    folder.mkdir()
    write_test(folder, test)
    path = tmp_path / "answers.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_tidy(simulate(test, 16, means, careless=3, dropouts=1), stream)
    return folder, run.path, path


def test_a_csv_alone(answered: tuple[Path, Path, Path]) -> None:
    _, _, path = answered
    done = call("mushra", "analyse", path)
    assert done.exit_code == 0
    assert "In a MUSHRA listening test" in done.stdout
    assert "the results went into no run" in done.stderr
    assert (path.with_name("answers-analysis") / "summary.md").is_file()


def test_with_its_test_into_the_run_and_with_options(
    answered: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    folder, run, path = answered
    done = call("mushra", "analyse", path, "--test", folder, "-o", tmp_path / "out")
    (summary,) = RunFolder.open(run).read(ListeningSummary)
    assert (summary.title, summary.listeners_before) == ("A test", 16)
    assert "answered 3 of 6 pages" in done.stderr
    assert (tmp_path / "out" / "rate.svg").is_file()
    options = ("--run", run, "--no-screening", "--level", 0.9, "-o", tmp_path / "o")
    call("mushra", "analyse", path, "--test", folder, *options)
    text = (tmp_path / "o" / "paragraph.txt").read_text("utf-8")
    assert "The post-screening of BS.1534-3 was not applied." in text
    assert "90 % confidence intervals" in text


def test_only_training_pages_are_answered(answered: tuple[Path, Path, Path]) -> None:
    folder, _, path = answered
    head, first, *_ = path.read_text("utf-8").splitlines()
    cells = first.split(",")
    cells[1] = "practice"
    path.write_text("\n".join([head, ",".join(cells)]), "utf-8")
    with pytest.raises(UserError, match="nobody has answered a page yet"):
        call("mushra", "analyse", path, "--test", folder)


def test_how_many_listeners_it_takes(tmp_path: Path) -> None:
    done = call("mushra", "power", "--items", 10, "--systems", 4, "--sd-residual", 8)
    rows = [line.split() for line in done.stdout.splitlines() if " points " in line][:3]
    assert [row[0] for row in rows] == ["5", "10", "15"]
    needed = [int(row[2]) for row in rows]
    assert needed == sorted(needed, reverse=True)
    assert "Holm over 6 pairs" in done.stdout
    assert "Stahl" in done.stdout
    folder = write_test(tmp_path, numbered_test(6, systems=5, pages_per_listener=4)).parent
    done = call("mushra", "power", folder, "--difference", 25)
    assert "6 items, 5 systems, 4 pages per listener" in done.stdout
    other = ("--difference", 25, "--systems", 3, "--pages-per-listener", 6)
    assert "6 items, 3 systems, 6 pages per" in call("mushra", "power", folder, *other).stdout
    write_test(tmp_path, numbered_test(4, "abx"))
    with pytest.raises(UserError, match="a test of form abx has none"):
        call("mushra", "power", folder)
    with pytest.raises(UserError, match="Name a TEST, or give --items and --systems"):
        call("mushra", "power", "--items", 8)
