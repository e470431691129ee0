from __future__ import annotations

import csv
from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.listening.tidy import read_tidy
from tests.support.command_line import call
from tests.support.listening_server import small_test, write_folder


def folder_of(folder: Path, **fields: object) -> Path:
    return write_folder(folder, small_test(**fields))


@pytest.mark.parametrize("form", ["mushra", "mushra-no-anchors", "ab", "abx"])
def test_a_rehearsal_becomes_a_csv_that_can_be_read_back(form: str, tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.csv"
    folder = folder_of(tmp_path / "test", form=form)
    done = call("mushra", "simulate", folder, "--listeners", 5, "-o", path)
    assert "5 simulated listeners" in done.stderr
    study, _ = read_tidy(path)
    assert (study.simulated, study.form, len(study.listeners)) == (True, form, 5)


def test_what_is_true_is_told(tmp_path: Path) -> None:
    done = call(
        "mushra", "simulate", folder_of(tmp_path), "--listeners", 6, "--mean", "snac=55.5",
        "--careless", 1, "--dropouts", 1, "--seed", 3, "-o", "-",
    )  # fmt: skip
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert {line["simulated"] for line in lines} == {"yes"}
    assert "snac: 55." in done.stderr
    assert "careless (random): simulated-00" in done.stderr
    assert "stopped half-way: simulated-00" in done.stderr


def test_mistakes_are_named(tmp_path: Path) -> None:
    for options, message in (
        (("--mean", "snac"), "--mean snac: expected CONDITION=POINTS"),
        (("--mean", "codec-9=5"), "no condition 'codec-9'"),
        (("-o", Path(__file__) / "x.csv"), r"cannot write .*check the folder's perm"),
    ):
        with pytest.raises(UserError, match=message):
            call("mushra", "simulate", folder_of(tmp_path), *options)
    with pytest.raises(UserError, match="cannot read the listening test"):
        call("mushra", "simulate", tmp_path / "nowhere")
