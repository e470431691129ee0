"""Files whole or not at all, locks, what a user sets once, and where things are kept."""

import hashlib
import os
import tempfile
import threading
from pathlib import Path

import platformdirs
import pytest

from snacbench import settings as given
from snacbench.errors import StoreError, UserError
from snacbench.files import atomic, lock, sha256_of_file, write_bytes, write_text, writing


def test_a_file_or_a_folder_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "new folder/a.txt"
    with atomic(target, sync=True) as partial:
        partial.write_text("half")
        assert not target.exists()
        assert partial.name.startswith(".")
        assert partial.name.endswith(".partial")
    assert target.read_text() == "half"
    with atomic(target) as one, atomic(target) as other:  # two threads, or nodes with one PID
        assert one != other
        for partial in (one, other):
            partial.write_text("half")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").touch()
    with atomic(tmp_path / "a") as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["new"]
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_fails_leaves_the_target_as_it_was(tmp_path, folder):
    target = tmp_path / "a"
    target.write_text("old")

    def fail():
        with atomic(target) as partial:
            if folder:
                partial.mkdir()
            (partial / "inside" if folder else partial).write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(StoreError, match=r"cannot write the text .*; choose"), writing("the text"):
        write_text(target / "below", "text")
    # Bytes and text are written as they are.
    write_text(tmp_path / "a", "ä\r\nb\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa4\r\nb\n"
    write_bytes(tmp_path / "a", b"\0" * 3_000_000, sync=True)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"\0" * 3_000_000).hexdigest()


def test_a_lock_that_is_held_is_refused_or_waited_for(tmp_path):
    path, told, done = tmp_path / "lock", threading.Event(), threading.Event()

    def wait_for_it():
        with lock(path, on_wait=told.set) as stream:
            assert Path(stream.name).exists()
            done.set()

    with lock(path):
        with pytest.raises(BlockingIOError), lock(path, wait=False):
            pass
        other = threading.Thread(target=wait_for_it)
        other.start()
        assert told.wait(10)
        assert not done.is_set()
        path.rename(tmp_path / "renamed")  # whoever waited takes a new file
    other.join(10)
    assert done.is_set()
    assert path.exists()


FOLDERS = {"CACHE": given.cache_folder, "STATE": given.state_folder, "CONFIG": given.config_file}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home of a user who has set nothing; `file` in it is no folder."""
    # Set first, so that whatever the test leaves there is undone.
    names = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "SNACBENCH_ASR")
    for name in (*names, *(f"SNACBENCH_{kind}" for kind in FOLDERS)):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for kind in FOLDERS:
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    given._temporary.cache_clear()
    return tmp_path


def test_the_file_and_the_environment(home, monkeypatch):
    monkeypatch.setenv("SNACBENCH_CONFIG", str(home / "config.toml"))
    assert (given.settings().roots, given.asr_selector()) == ({}, "")
    roots = '[roots]\ndaps = "~/daps"\n"musdb18-hq" = "/data/musdb"\n'
    (home / "config.toml").write_text(f'asr = "wav2vec2"\n{roots}')
    assert given.settings().roots == {"daps": home / "daps", "musdb18-hq": Path("/data/musdb")}
    assert given.asr_selector() == "wav2vec2"
    monkeypatch.setenv("SNACBENCH_ASR", "pocketsphinx")
    assert given.asr_selector() == "pocketsphinx"
    for text, said in (
        ("[roots\n", "cannot read the configuration file .*config.toml"),
        ("[root]\ndaps = '/d'\n", r"config.toml: root: .*expected a table \[roots\]"),
        ("[roots]\ndaps = 3\n", r"config.toml: roots.daps: .*expected a table \[roots\]"),
    ):
        (home / "config.toml").write_text(text)
        with pytest.raises(UserError, match=said):
            given.settings()


def test_folders_follow_the_environment(home, monkeypatch):
    for kind, folder in FOLDERS.items():
        file = ["config.toml"] if kind == "CONFIG" else []
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind))
        assert folder() == home.joinpath(kind, "snacbench", *file)
        monkeypatch.delenv(f"XDG_{kind}_HOME")
        # A user without a home has absolute folders.
        with monkeypatch.context() as patch:
            name = f"user_{kind.lower()}_path"
            patch.setattr(platformdirs, name, lambda *_: Path("~/.kept/snacbench"))
            assert folder() == Path("/.kept/snacbench").joinpath(*file)
        monkeypatch.setenv(f"SNACBENCH_{kind}", str(home / "elsewhere"))
        assert folder() == home / "elsewhere"


def test_libraries_keep_their_files_where_they_can(home, monkeypatch):
    monkeypatch.setenv("SNACBENCH_CACHE", str(home / "cache"))
    given.let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(home / "cache" / "numba")
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("HOME", str(home / "file" / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    given.let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"
    assert os.environ["MPLCONFIGDIR"] == str(home / "cache" / "matplotlib")
    assert given.cache_warning() == ""
    # Without any folder a temporary one is used.
    monkeypatch.setenv("SNACBENCH_CACHE", str(home / "file" / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(home / "gone"))
        with pytest.raises(UserError, match=r"no folder for temporary files .*TMPDIR"):
            given.let_libraries_cache()
    given.let_libraries_cache()
    found = Path(os.environ["NUMBA_CACHE_DIR"])
    assert found.parent == Path(tempfile.gettempdir())
    assert given.is_writable(found)
    assert f"{home / 'file' / 'cache'} may not be written" in given.cache_warning()
