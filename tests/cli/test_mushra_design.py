"""The verbs `mushra design` and `mushra stimuli`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from snacbench.errors import StoreError, UnknownName, UserError
from snacbench.listening.stimuli import read_facts
from snacbench.listening.test import read_test
from tests.support.audio_run import make_audio_run
from tests.support.command_line import call


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in it."""
    path = tmp_path_factory.mktemp("mushra")
    make_audio_run(path)
    return path


def test_from_a_run_to_a_test(home: Path) -> None:
    target = home / "tests" / "first"
    done = call(
        "mushra", "design", home / "run", "-o", target, "--items", 3, "--systems",
        "late@8,quiet", "--seed", 3, "--title", "Mine", "--pages-per-listener", 2,
    )  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(target / "test.yaml")
    assert "speech-1" in done.stdout
    assert "warning: speech-1: 7.7 dB below -23 LUFS, for the sake of peaks" in done.stderr
    assert f"snacbench mushra serve {target}" in done.stderr
    test = read_test(target)
    assert (test.title, test.seed, test.pages_per_listener) == ("Mine", 3, 2)
    assert test.run == "../../run"
    assert [system.name for system in test.systems] == ["late@8kbps", "quiet@4kbps"]
    assert set(read_facts(target, test).items) == {item.id for item in test.items} | {"training-1"}
    assert sorted(p.name for p in target.parent.iterdir()) == ["first"]


def test_what_fails_leaves_nothing_and_no_folder_is_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shutil.copytree(home / "run", tmp_path / "run")
    quiet = tmp_path / "run/decoded/quiet@4kbps/set"
    shutil.copy(quiet / "d.flac", quiet / "b.flac")
    before = sorted(tmp_path.iterdir())
    for error, message, *more in (
        (UserError, r"item speech-1 \(set/b\): .*sha256 has changed", "-o", tmp_path / "t"),
        (UnknownName, "--systems x: the run has no", "-o", tmp_path / "t", "--systems", "x"),
        (StoreError, "cannot write the test to .*choose another", "-o", tmp_path / "file" / "t"),
        (StoreError, "is not empty; choose a new or empty folder", "-o", tmp_path / "run"),
    ):
        with pytest.raises(error, match=message):
            call("mushra", "design", tmp_path / "run", "--item", "b", *more)
    assert sorted(tmp_path.iterdir()) == before


def test_stimuli_are_made_again_and_those_that_were_heard_stay(home: Path) -> None:
    target, export = home / "t", home / "t/webmushra/configs/t.yaml"
    target.mkdir()
    design = ("mushra", "design", home / "run", "-o", target, "--item", "b", "--export")
    call(*design, "webmushra")
    with pytest.raises(StoreError, match="where it is a test, edit"):
        call(*design, "webmushra")
    assert len(list((target / "webmushra").rglob("*.wav"))) == 12
    export.unlink()
    (target / "answers.sqlite").touch()
    shutil.rmtree(target / "stimuli")
    call("mushra", "stimuli", target)  # the same ones again, and webmushra/ too
    assert len(list((target / "stimuli" / "speech-1").glob("*.wav"))) == 6
    assert export.is_file()
    path = target / "test.yaml"
    path.write_text(path.read_text("utf-8").replace("id: speech-1", "id: other"), "utf-8")
    with pytest.raises(UserError, match=r"has answers to other stimuli, in answers\.sqlite; make"):
        call("mushra", "stimuli", target)
