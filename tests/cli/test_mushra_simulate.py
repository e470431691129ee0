from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from snacbench.errors import UserError
from snacbench.listening.test import TEST_FILE, ListeningTest
from snacbench.listening.tidy import read_tidy
from tests.cli.in_process import call
from tests.listening.studies import numbered_test as a_test


def write_test(folder: Path, test: ListeningTest) -> Path:
    """A test's folder, without stimuli."""
    folder.mkdir(exist_ok=True)
    (folder / TEST_FILE).write_text(yaml.safe_dump(test.model_dump(mode="json")), "utf-8")
    return folder


@pytest.mark.parametrize("form", ["mushra", "mushra-no-anchors", "ab", "abx"])
def test_a_rehearsal_becomes_a_csv_that_can_be_read_back(form, tmp_path) -> None:
    folder = write_test(tmp_path / "test", a_test(4, form))
    path = tmp_path / "rehearsal.csv"
    done = call("mushra", "simulate", folder, "--listeners", 5, "-o", path)
    assert "5 simulated listeners" in done.stderr
    study, _ = read_tidy(path)
    assert study.simulated
    assert study.form == form
    assert len(study.listeners) == 5


def test_what_is_true_is_told(tmp_path) -> None:
    folder = write_test(tmp_path / "test", a_test(4))
    done = call(
        "mushra", "simulate", folder, "--listeners", 6, "--mean", "codec-1=55.5", "--careless", 1,
        "--dropouts", 1, "--seed", 3,
    )  # fmt: skip
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert {line["simulated"] for line in lines} == {"yes"}
    assert "codec-1: 55." in done.stderr
    assert "careless (random): simulated-00" in done.stderr
    assert "stopped half-way: simulated-00" in done.stderr


def test_mistakes_are_named(tmp_path) -> None:
    folder = write_test(tmp_path / "test", a_test(4))
    with pytest.raises(UserError, match="--mean codec-1: expected CONDITION=POINTS"):
        call("mushra", "simulate", folder, "--mean", "codec-1")
    with pytest.raises(UserError, match="no condition 'codec-9'"):
        call("mushra", "simulate", folder, "--mean", "codec-9=5")
    with pytest.raises(UserError, match=r"cannot write .*No such file"):
        call("mushra", "simulate", folder, "-o", tmp_path / "none" / "x.csv")
    with pytest.raises(UserError, match="cannot read the listening test"):
        call("mushra", "simulate", tmp_path / "nowhere")
