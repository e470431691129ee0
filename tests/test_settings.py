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


@pytest.fixture
def file(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SNACBENCH_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def test_roots_are_expanded(file: Path, monkeypatch) -> None:
    assert settings().roots == {}
    monkeypatch.setenv("HOME", "/home/someone")
    file.write_text('[roots]\ndaps = "~/corpora/daps"\n"musdb18-hq" = "/data/musdb"\n')
    expected = {"daps": Path("/home/someone/corpora/daps"), "musdb18-hq": Path("/data/musdb")}
    assert settings().roots == expected


def test_the_recogniser_comes_from_the_environment_first(file: Path, monkeypatch) -> None:
    monkeypatch.delenv("SNACBENCH_ASR", raising=False)
    assert asr_selector() == ""
    file.write_text('asr = "wav2vec2"\n')
    assert asr_selector() == "wav2vec2"
    monkeypatch.setenv("SNACBENCH_ASR", "pocketsphinx")
    assert asr_selector() == "pocketsphinx"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[roots\n", "cannot read the configuration file .*config.toml"),
        ("[root]\ndaps = '/d'\n", r"config.toml: root: .*expected a table \[roots\]"),
        ("[roots]\ndaps = 3\n", r"config.toml: roots.daps: .*expected a table \[roots\]"),
    ],
)
def test_a_mistake_in_the_file_is_named(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        settings()


def test_folders_follow_the_environment(monkeypatch, tmp_path: Path) -> None:
    for variable in ("SNACBENCH_CACHE", "SNACBENCH_STATE", "SNACBENCH_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert cache_folder() == tmp_path / "cache" / "snacbench"
    assert state_folder() == tmp_path / "state" / "snacbench"
    assert config_file() == tmp_path / "config" / "snacbench" / "config.toml"
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a cache of a user who has set nothing for numba and matplotlib."""
    # Set first, so that whatever the test leaves there is undone.
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").touch()
    _temporary.cache_clear()
    return tmp_path


def test_libraries_keep_their_files_where_they_can(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(places / "cache" / "numba")
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("HOME", str(places / "file" / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    let_libraries_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/mine"
    assert os.environ["MPLCONFIGDIR"] == str(places / "cache" / "matplotlib")
    assert cache_warning() == ""


def test_without_any_folder_a_temporary_one_is_used(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNACBENCH_CACHE", str(places / "file" / "cache"))
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(places / "gone"))
        with pytest.raises(UserError, match=r"no folder for temporary files .*TMPDIR"):
            let_libraries_cache()
    let_libraries_cache()
    found = Path(os.environ["NUMBA_CACHE_DIR"])
    assert found.parent == Path(tempfile.gettempdir())
    assert is_writable(found)
    assert f"{places / 'file' / 'cache'} may not be written" in cache_warning()


def test_a_user_without_a_home_has_absolute_folders(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SNACBENCH_CACHE")
    monkeypatch.delenv("SNACBENCH_STATE", raising=False)
    monkeypatch.delenv("SNACBENCH_CONFIG", raising=False)
    for name in ("user_cache_path", "user_state_path", "user_config_path"):
        monkeypatch.setattr(platformdirs, name, lambda *_: Path("~/.kept/snacbench"))
    kept = Path("/.kept/snacbench")
    assert (cache_folder(), state_folder(), config_file()) == (kept, kept, kept / "config.toml")
