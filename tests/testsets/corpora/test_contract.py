from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlparse

import pytest

from snacbench.audio.io import probe
from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.types import DOMAINS
from tests.testsets.corpora.trees import make_tree, tone

FILES = 30


@pytest.fixture(params=sorted(corpora()))
def corpus(request) -> Corpus:
    return corpora()[request.param]


@pytest.fixture
def tree(corpus: Corpus, tmp_path: Path) -> Path:
    return make_tree(corpus.name, tmp_path / "disk", files=FILES)


def snapshot(found) -> list[tuple]:
    """Everything but the path, which depends on the root."""
    return [dataclasses.astuple(dataclasses.replace(file, path="")) for file in found]


def test_there_are_the_corpora_that_papers_use():
    assert set(corpora()) >= {
        *("daps", "musdb18-hq", "audioset", "librispeech-test-clean", "librispeech-test-other"),
        *("libritts-test-clean", "vctk", "esc50", "gtzan", "common-voice"),
        *("fma-small", "fma-medium", "fma-large", "fma-full"),
    }


def test_declaration_is_complete(corpus):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", corpus.name)
    for text in (corpus.title, corpus.summary, corpus.licence, corpus.citation, corpus.where):
        assert text.strip() == text != ""
    assert "\n" not in corpus.summary
    for count in (corpus.expected_files, corpus.expected_clusters):
        assert count is None or count > 0


def test_downloads_name_a_file_and_digests_of_the_right_length(corpus):
    for download in corpus.downloads:
        address = urlparse(download.url)
        assert address.scheme == "https"
        assert address.path.endswith((".zip", ".tar.gz"))
        for digest, length in ((download.sha256, 64), (download.sha1, 40), (download.md5, 32)):
            assert re.fullmatch(rf"([0-9a-f]{{{length}}})?", digest)


def test_files_are_unique_sorted_and_there(corpus, tree):
    found = list(corpus.find(tree))
    assert found
    ids = [file.id for file in found]
    assert ids == sorted(set(ids))
    for file in found:
        assert (tree / file.path).is_file()
        assert "\\" not in file.path
        assert not Path(file.path).is_absolute()
        assert file.domain in DOMAINS
        assert file.cluster
        assert file.licence != ""
        assert file.transcript != ""
        assert not Path(file.path).name.startswith(".")


def test_same_files_from_the_folder_above(corpus, tree):
    assert snapshot(corpus.find(tree.parent)) == snapshot(corpus.find(tree))
    assert all((tree.parent / file.path).is_file() for file in corpus.find(tree.parent))


def test_same_files_through_a_link(corpus, tree, tmp_path):
    link = tmp_path / "elsewhere"
    link.symlink_to(tree, target_is_directory=True)
    assert snapshot(corpus.find(link)) == snapshot(corpus.find(tree))


def test_same_files_where_names_are_in_other_case(corpus, tree, tmp_path):
    if corpus.name.startswith("common-voice"):
        pytest.skip("the languages of Common Voice are part of its ids")
    ids = [file.id for file in corpus.find(tree)]
    for folder, subfolders, _ in os.walk(tree, topdown=False):
        for name in subfolders:
            if not name.startswith("Band"):  # a track's name is its id
                Path(folder, name).rename(Path(folder, name.upper()))
    assert [file.id for file in corpus.find(tree)] == ids


def test_empty_folder_is_refused_with_the_layout(corpus, tmp_path):
    with pytest.raises(TestSetError) as error:
        corpus.find(tmp_path)
    message = str(error.value)
    assert str(tmp_path) in message
    assert re.search(r"expected \S.*, for example \S+.*; found an empty folder", message)


def test_foreign_folder_is_refused_with_what_is_there(corpus, tmp_path):
    (tmp_path / "holiday pictures").mkdir()
    for i in range(9):
        (tmp_path / f"letter{i}.txt").touch()
    with pytest.raises(TestSetError, match=r"found holiday pictures, letter0.txt, .* and 4 more"):
        corpus.find(tmp_path)


def test_missing_folder_and_file_are_refused(corpus, tmp_path):
    with pytest.raises(TestSetError, match="found no such folder"):
        corpus.find(tmp_path / "gone")
    (tmp_path / "archive.zip").touch()
    with pytest.raises(TestSetError, match="found a file"):
        corpus.find(tmp_path / "archive.zip")


def test_two_copies_are_refused(corpus, tree):
    if corpus.name.startswith("audioset"):
        pytest.skip("AudioSet has no folder of its own; only known names are looked into")
    shutil.copytree(tree, tree.parent / f"{tree.name}-a")
    tree.rename(tree.parent / f"{tree.name}-b")
    with pytest.raises(TestSetError, match=r"holds .* more than once: .*-a, .*-b; name one"):
        corpus.find(tree.parent)


def test_known_corrupt_files_are_found_by_id(corpus):
    for file_id, reason in corpus.known_corrupt.items():
        assert file_id == file_id.strip() != ""
        assert reason


def test_real_audio_in_the_layout_can_be_read(corpus, tmp_path):
    tree = make_tree(corpus.name, tmp_path, files=4, audio=tone)
    for file in corpus.find(tree):
        header = probe(tree / file.path)
        assert (header.rate_hz, header.channels) == (16_000, 1)
        assert header.num_samples >= 800  # MP3 pads


def test_all_corpora_side_by_side_are_told_apart(tmp_path):
    """One folder with everything, as on many clusters: each corpus finds itself and no other."""
    alone, together = {}, tmp_path / "data"
    made = set()
    for name, corpus in corpora().items():
        tree = make_tree(name, tmp_path / f"only-{name}")
        alone[name] = {file.id for file in corpus.find(tree)}
        shutil.copytree(tree, together / tree.name, dirs_exist_ok=True)
        made.add(tree.name)
    for name, corpus in corpora().items():
        assert {file.id for file in corpus.find(together)} == alone[name], name


@pytest.mark.parametrize(
    "name", ["audioset", "librispeech-test-clean", "libritts-test-clean", "esc50", "fma-large"]
)
def test_thousands_of_names_take_a_moment_and_no_file_is_opened(name, tmp_path, monkeypatch):
    tree = make_tree(name, tmp_path, files=3_000)
    opened = []
    monkeypatch.setattr(sys.modules["soundfile"], "SoundFile", opened.append)
    start = time.process_time()
    found = list(corpora()[name].find(tree))
    assert len(found) == 3_000
    assert time.process_time() - start < 2  # about a third of a second; slack for a busy machine
    assert not opened
