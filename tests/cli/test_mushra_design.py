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
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mushra")
    make_audio_run(path)
    return path


@pytest.fixture
def home(runs: Path, tmp_path: Path) -> Path:
    """A folder with a run in it."""
    shutil.copytree(runs / "run", tmp_path / "run")
    return tmp_path


def test_from_a_run_to_a_test(home: Path) -> None:
    target = home / "tests" / "first"
    done = call(
        "mushra", "design", home / "run", "-o", target, "--items", 3, "--systems",
        "late@8,quiet", "--seed", 3, "--title", "Mine", "--pages-per-listener", 2,
    )  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(target / "test.yaml")
    assert "speech-1" in done.stdout
    assert "-1.0" in done.stdout  # dBTP: noise of these peaks stays below -23 LUFS
    assert "warning: speech-1: 7.7 dB below -23 LUFS, for the sake of peaks" in done.stderr
    assert f"snacbench mushra serve {target}" in done.stderr
    test = read_test(target)
    assert test.title == "Mine"
    assert test.seed == 3
    assert test.pages_per_listener == 2
    assert test.run == "../../run"
    assert [system.name for system in test.systems] == ["late@8kbps", "quiet@4kbps"]
    assert set(read_facts(target, test).items) == {item.id for item in test.items} | {"training-1"}
    assert sorted(p.name for p in target.parent.iterdir()) == ["first"]


def test_a_folder_is_never_overwritten(home: Path) -> None:
    (home / "empty").mkdir()
    design = ("mushra", "design", home / "run", "--item", "b", "--training", 0, "-o")
    call(*design, home / "empty")
    assert (home / "empty" / "stimuli.json").is_file()
    with pytest.raises(StoreError, match="already holds a test; choose another folder with -o"):
        call(*design, home / "empty")
    with pytest.raises(StoreError, match="is not empty; choose a new or empty folder with -o"):
        call(*design, home / "run")


def test_what_fails_leaves_nothing(home: Path) -> None:
    before = sorted(home.iterdir())
    (home / "run/decoded/quiet@4kbps/set/b.flac").write_bytes(
        (home / "run/decoded/quiet@4kbps/set/d.flac").read_bytes()
    )
    with pytest.raises(UserError, match=r"item speech-1 \(set/b\): .*sha256 has changed"):
        call("mushra", "design", home / "run", "-o", home / "t", "--item", "b")
    with pytest.raises(UnknownName, match="--systems lates: the run has no such codec; did you"):
        call("mushra", "design", home / "run", "-o", home / "t", "--systems", "lates")
    assert sorted(home.iterdir()) == before


def test_a_target_that_cannot_be_written(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write the test to .*choose another folder"):
        call("mushra", "design", home / "run", "-o", home / "file" / "t", "--item", "b")


def test_export_for_webmushra_and_flac(home: Path) -> None:
    target = home / "t"
    call(
        "mushra", "design", home / "run", "-o", target, "--item", "b", "--flac",
        "--export", "webmushra",
    )  # fmt: skip
    assert len(list((target / "stimuli" / "speech-1").glob("*.flac"))) == 6
    assert len(list((target / "webmushra").rglob("*.flac"))) == 12
    assert (target / "webmushra/configs/t.yaml").is_file()
    (target / "webmushra/configs/t.yaml").unlink()
    call("mushra", "stimuli", target)  # FLAC again, and webmushra/ too
    assert len(list((target / "stimuli" / "speech-1").glob("*.flac"))) == 6
    assert (target / "webmushra/configs/t.yaml").is_file()
    call("mushra", "stimuli", target, "--wav")
    assert not list(target.rglob("*.flac"))


def test_stimuli_that_were_heard_stay_as_they_are(home: Path) -> None:
    target = home / "t"
    call("mushra", "design", home / "run", "-o", target, "--item", "b", "--training", 0)
    (target / "answers.sqlite").touch()
    shutil.rmtree(target / "stimuli")
    call("mushra", "stimuli", target)  # the same ones again
    path = target / "test.yaml"
    path.write_text(path.read_text("utf-8").replace("id: speech-1", "id: other"), "utf-8")
    with pytest.raises(UserError, match=r"has answers to other stimuli, in answers\.sqlite; make"):
        call("mushra", "stimuli", target)
