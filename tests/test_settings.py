"""What a user sets once, and the folders where things are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs
import pytest

from snacbench.errors import UserError
from snacbench.settings import (
    _temporary,
    asr_selector,
    cache_folder,
    cache_warning,
    config_file,
    is_writable,
    let_libraries_cache,
    settings,
    state_folder,
)

FOLDERS = {"CACHE": cache_folder, "STATE": state_folder, "CONFIG": config_file}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    _temporary.cache_clear()
    return tmp_path


def test_the_file_and_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNACBENCH_CONFIG", str(home / "config.toml"))
    assert (settings().roots, asr_selector()) == ({}, "")
    (home / "config.toml").write_text(
        'asr = "wav2vec2"\n[roots]\ndaps = "~/daps"\n"musdb18-hq" = "/data/musdb"\n'
    )
    assert settings().roots == {"daps": home / "daps", "musdb18-hq": Path("/data/musdb")}
    assert asr_selector() == "wav2vec2"
    monkeypatch.setenv("SNACBENCH_ASR", "pocketsphinx")
    assert asr_selector() == "pocketsphinx"
    for text, said in (
        ("[roots\n", "cannot read the configuration file .*config.toml"),
        ("[root]\ndaps = '/d'\n", r"config.toml: root: .*expected a table \[roots\]"),
        ("[roots]\ndaps = 3\n", r"config.toml: roots.daps: .*expected a table \[roots\]"),
    ):
        (home / "config.toml").write_text(text)
        with pytest.raises(UserError, match=said):
            settings()


def test_folders_follow_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_libraries_keep_their_files_where_they_can(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNACBENCH_CACHE", str(home / "cache"))
    let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(home / "cache" / "numba")
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("HOME", str(home / "file" / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"
    assert os.environ["MPLCONFIGDIR"] == str(home / "cache" / "matplotlib")
    assert cache_warning() == ""

    # Without any folder a temporary one is used.
    monkeypatch.setenv("SNACBENCH_CACHE", str(home / "file" / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(home / "gone"))
        with pytest.raises(UserError, match=r"no folder for temporary files .*TMPDIR"):
            let_libraries_cache()
    let_libraries_cache()
    found = Path(os.environ["NUMBA_CACHE_DIR"])
    assert found.parent == Path(tempfile.gettempdir())
    assert is_writable(found)
    assert f"{home / 'file' / 'cache'} may not be written" in cache_warning()
