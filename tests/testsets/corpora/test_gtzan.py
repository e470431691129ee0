from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import CorpusFile
from snacbench.testsets.corpora.gtzan import CORPUS, find
from tests.testsets.corpora.trees import make_tree

FIRST = CorpusFile(
    id="blues.00000",
    path="genres_original/blues/blues.00000.wav",
    domain="music",
    cluster="blues.00000",
    transcript=None,
    licence=None,
    lossy_source=None,
)


def test_excerpts_of_all_genres(tmp_path):
    found = list(find(make_tree("gtzan", tmp_path, files=20)))
    assert found[0] == FIRST
    assert len(found) == 21
    assert "jazz.00054" in {file.id for file in found} & CORPUS.known_corrupt.keys()


def test_the_folder_of_genres_may_be_the_root(tmp_path):
    tree = make_tree("gtzan", tmp_path)
    assert next(find(tree / "genres_original")).path == "blues/blues.00000.wav"


def test_the_original_layout_and_format(tmp_path):
    folder = tmp_path / "genres" / "blues"
    folder.mkdir(parents=True)
    (folder / "blues.00000.au").touch()
    (file,) = find(tmp_path)
    assert (file.id, file.path) == ("blues.00000", "genres/blues/blues.00000.au")


def test_a_copy_in_both_formats_counts_once(tmp_path):
    tree = make_tree("gtzan", tmp_path)
    (tree / "genres_original" / "blues" / "blues.00000.au").touch()
    assert next(find(tree)) == FIRST


def test_foreign_names_in_a_genre_are_left_out(tmp_path):
    (tmp_path / "rock").mkdir()
    (tmp_path / "rock" / "my song.wav").touch()
    with pytest.raises(TestSetError, match=r"does not hold GTZAN: .*found rock$"):
        find(tmp_path)
