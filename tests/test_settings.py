from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.settings import asr_selector, cache_folder, config_file, settings, state_folder


@pytest.fixture
def file(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SNACBENCH_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def test_no_file_means_no_settings(file: Path) -> None:
    assert settings().roots == {}


def test_roots_are_expanded(file: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    file.write_text('[roots]\ndaps = "~/corpora/daps"\n"musdb18-hq" = "/data/musdb"\n')
    assert settings().roots == {
        "daps": Path("/home/someone/corpora/daps"),
        "musdb18-hq": Path("/data/musdb"),
    }


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
