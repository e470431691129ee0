"""Where a corpus lies: options before the configuration file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.roots import Roots, absolute_roots, parse_roots, root_from_settings, root_of

DAPS = corpora()["daps"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "all/DAPS", "all/musdb18-hq", "odd=name"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_a_folder_for_everything_and_folders_of_corpora(folder):
    assert parse_roots(["one", "daps=two"]) == Roots(folder / "one", {"daps": folder / "two"})
    assert absolute_roots(["one", "daps=two"]) == (f"daps={folder / 'two'}", str(folder / "one"))
    assert not parse_roots([])
    assert absolute_roots([]) == ()
    assert parse_roots(["odd=name"]).common == folder / "odd=name"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["gone"], r"--root gone: there is no folder gone"),
        (["daps=gone"], r"--root daps=gone: there is no folder gone"),
        (["dasp=one"], r"no corpus named 'dasp'; did you mean daps"),
        (["one", "two"], r"was given 2 folders for everything; give one, or CORPUS=DIR"),
    ],
)
def test_roots_that_make_no_sense(folder, given, message):
    with pytest.raises(TestSetError, match=message):
        parse_roots(given)


def test_a_corpus_lies_in_the_root_or_in_a_folder_of_its_name(folder):
    assert root_of(DAPS, parse_roots(["one"])) == folder / "one"
    assert root_of(DAPS, parse_roots(["all"])) == folder / "all/DAPS"
    assert root_of(DAPS, parse_roots(["all"]), alone=False) == folder / "all/DAPS"
    assert root_of(DAPS, parse_roots(["all", "daps=two"])) == folder / "two"
    with pytest.raises(TestSetError, match=r"one holds no folder daps; .* --root daps=DIR"):
        root_of(DAPS, parse_roots(["one"]), alone=False)
    # Editions of a corpus share its folder.
    everything = corpora()["daps-all"]
    assert root_of(everything, parse_roots(["all"])) == folder / "all/DAPS"
    assert root_of(everything, parse_roots(["daps=two"])) == folder / "two"
    assert root_of(replace(DAPS, name="DAPS"), parse_roots(["all"])) == folder / "all/DAPS"


def test_the_configuration_file_comes_last(folder, own_cache):
    assert root_from_settings("musdb18-hq") is None
    config = own_cache / "config.toml"
    config.write_text(f'[roots]\nmusdb18-hq = "{folder / "one"}"\ndaps = "/nowhere"\n')
    assert root_from_settings("musdb18-hq") == folder / "one"
    with pytest.raises(TestSetError, match=r"config.toml, \[roots\] daps = /nowhere: there is no"):
        root_from_settings("daps-all")
    assert root_of(DAPS, parse_roots(["one"])) == folder / "one"


def test_a_corpus_that_is_nowhere_says_how_to_name_it(own_cache):
    text = (
        r"^where does daps lie on this disk\? Say it by --root daps=DIR, or by daps = \"DIR\" "
        r"under \[roots\] in .*config.toml. Where to get it: Zenodo record 4660670"
    )
    with pytest.raises(TestSetError, match=text):
        root_of(DAPS, Roots())


def test_a_root_that_cannot_be_listed_is_named(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(TestSetError, match=r"one cannot be read \(Permission denied\)"):
        root_of(DAPS, parse_roots(["one"]))
