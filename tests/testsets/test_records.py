"""Where a corpus lies, and the index of its files: each read once."""

import json
import os
from dataclasses import replace
from unittest.mock import Mock

import pytest

from snacbench.errors import TestSetError
from snacbench.files import sha256_of_file
from snacbench.testsets import records
from snacbench.testsets.corpora import corpora
from snacbench.testsets.records import FileIndex, Reading
from snacbench.testsets.roots import parse_roots, root_from_settings, root_of
from tests.support.testsets import settle

KEPT = Reading(keep=True)


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that are hashed from now on."""
    names = []

    def counting(path):
        names.append(path.name)
        return sha256_of_file(path)

    monkeypatch.setattr(records, "sha256_of_file", counting)
    return names


def read(root, how=KEPT):
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.wav"))
    return FileIndex("miniature", root).read(paths, how)


def test_files_are_read_once_and_their_folder_is_not_written(miniature, record, hashed):
    before = sorted(miniature.rglob("*"))
    for path in (miniature, *miniature.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    first = read(miniature)
    assert sorted(miniature.rglob("*")) == before
    assert len(hashed) == 4
    one = first["a/one.wav"]
    assert (one.rate_hz, one.channels, one.num_samples) == (8000, 1, 800)
    assert one.sha256 == sha256_of_file(miniature / "a/one.wav")
    assert read(miniature)["a/one.wav"] == one
    assert len(hashed) == 4
    read(miniature, Reading(keep=True, trust=False))
    assert len(hashed) == 8
    for path in (miniature, *miniature.rglob("*")):
        path.chmod(0o755)
    assert "is not audio" in first["b/bad.wav"].problem  # what is broken is read each time
    # A changed file is read again and no other.
    hashed.clear()
    settle(record("copy/a/one.wav", seconds=0.2))
    again = read(miniature)
    assert hashed == ["one.wav"]
    assert again["a/one.wav"].num_samples == 1600
    assert again["b/one.wav"].sha256 == first["b/one.wav"].sha256
    os.utime(miniature / "b/two.wav", (1, 1))
    (miniature / "a/one.wav").touch()  # just written: it is not trusted the next time either
    for expected in (["one.wav", "two.wav"], ["one.wav"]):
        hashed.clear()
        read(miniature)
        assert sorted(hashed) == expected


def test_each_root_has_its_own_index_unless_its_files_are_small(
        miniature, record, tmp_path, own_cache, monkeypatch):  # fmt: skip
    read(miniature, Reading())
    assert not list(own_cache.rglob("*.jsonl"))
    with monkeypatch.context() as patched:
        patched.setattr(records, "_FELT_BYTES", 1000)
        read(miniature, Reading())
    assert len(list(own_cache.rglob("*.jsonl"))) == 1
    record("other/a/one.wav", seconds=0.3)
    assert read(tmp_path / "other")["a/one.wav"].num_samples == 2400
    (miniature / "a/one.wav").unlink()
    assert len(FileIndex("miniature", miniature).known) == 4
    read(miniature, Reading(keep=True, trust=False))  # begins anew
    assert len(FileIndex("miniature", miniature).known) == 3
    # A cache that cannot be written costs time only.
    (tmp_path / "taken").write_text("a file where a folder should be")
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "taken"))
    index = FileIndex("miniature", miniature)
    assert index.read(["a/two.wav"], KEPT)["a/two.wav"].num_samples == 800


def test_rows_of_another_make_are_passed_over(miniature, hashed):
    read(miniature)
    index = FileIndex("miniature", miniature)
    lines = index.path.read_text().splitlines()
    row = {**json.loads(lines[1]), "path": "a/one.wav"}
    del row["channels"]
    # The last line is one that a killed writer left open.
    index.path.write_text("\n".join([lines[0], *lines[2:], json.dumps(row), "[]", "7", '{"path"']))
    here = json.loads(lines[1])["path"].rpartition("/")[2]
    for expected in ([here], []):
        hashed.clear()
        read(miniature)
        assert hashed == expected


def test_an_indexing_that_was_stopped_goes_on(record, tmp_path, hashed, monkeypatch):
    root = tmp_path / "many"
    settle(*(record(f"many/{number:03}.wav") for number in range(40)))

    def stopped(path):
        if path.name == "025.wav":
            raise KeyboardInterrupt
        return sha256_of_file(path)

    with monkeypatch.context() as patched:
        patched.setattr(records, "sha256_of_file", stopped)
        with pytest.raises(KeyboardInterrupt):
            read(root)
    assert len(FileIndex("miniature", root).known) == 25
    found = read(root)
    assert len(hashed) == 15
    assert len(found) == len(FileIndex("miniature", root).known) == 40
    # A kill leaves what is on the disk by then: every record, at once.
    kept, seen = FileIndex("miniature", root), list[int]()
    progress = Mock(step=lambda: seen.append(kept.path.read_bytes().count(b"\n")))
    kept.read(sorted(found), Reading(trust=False, keep=True, progress=progress))
    assert seen == list(range(1, 41))


DAPS = corpora()["daps"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two", "all/DAPS", "all/musdb18-hq", "odd=name"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_what_root_was_given_and_where_a_corpus_lies_in_it(folder, monkeypatch):
    assert parse_roots(["one", "daps=two"]) == {"": folder / "one", "daps": folder / "two"}
    assert parse_roots(["odd=name"]) == {"": folder / "odd=name"}
    for given, message in (
        (["gone"], r"--root gone: there is no folder gone"),
        (["daps=gone"], r"--root daps=gone: there is no folder gone"),
        (["dasp=one"], r"no corpus named 'dasp'; did you mean daps"),
        (["one", "two"], r"was given several folders for everything; give one, or CORPUS=DIR"),
    ):
        with pytest.raises(TestSetError, match=message):
            parse_roots(given)
    # A corpus lies in the root or in a folder of its name.
    everything = corpora()["daps-all"]  # editions of a corpus share its folder
    for corpus, given, place in (
        (DAPS, ["one"], "one"),
        (DAPS, ["all"], "all/DAPS"),
        (DAPS, ["all", "daps=two"], "two"),
        (everything, ["all"], "all/DAPS"),
        (everything, ["daps=two"], "two"),
        (replace(DAPS, name="DAPS"), ["all"], "all/DAPS"),
    ):
        assert root_of(corpus, parse_roots(given)) == folder / place
    assert root_of(DAPS, parse_roots(["all"]), alone=False) == folder / "all/DAPS"
    with pytest.raises(TestSetError, match=r"one holds no folder daps; .* --root daps=DIR"):
        root_of(DAPS, parse_roots(["one"]), alone=False)
    refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(TestSetError, match=r"one cannot be read \(Permission denied\)"):
        root_of(DAPS, parse_roots(["one"]))


def test_the_configuration_file_comes_last(folder, own_cache):
    text = (
        r"^where does daps lie on this disk\? Say it by --root daps=DIR, or by daps = \"DIR\" "
        r"under \[roots\] in .*config.toml. Where to get it: Zenodo record 4660670"
    )
    with pytest.raises(TestSetError, match=text):
        root_of(DAPS, {})
    config = own_cache / "config.toml"
    config.write_text(f'[roots]\nmusdb18-hq = "{folder / "one"}"\ndaps = "/nowhere"\n')
    assert root_from_settings("musdb18-hq") == folder / "one"
    with pytest.raises(TestSetError, match=r"config.toml, \[roots\] daps = /nowhere: there is no"):
        root_from_settings("daps-all")
    assert root_of(DAPS, parse_roots(["one"])) == folder / "one"
