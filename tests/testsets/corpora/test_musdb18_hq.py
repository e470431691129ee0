from __future__ import annotations

import unicodedata

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import CorpusFile
from snacbench.testsets.corpora.musdb18_hq import find
from tests.testsets.corpora.trees import make_tree


def test_mixtures_of_the_test_part(tmp_path):
    found = list(find(make_tree("musdb18-hq", tmp_path, files=3)))
    assert found[0] == CorpusFile(
        id="Band 0000 - Song",
        path="test/Band 0000 - Song/mixture.wav",
        domain="music",
        cluster="Band 0000 - Song",
        transcript=None,
        licence=None,
        lossy_source=False,
    )
    assert len(found) == 3


def test_the_test_folder_itself_may_be_the_root(tmp_path):
    tree = make_tree("musdb18-hq", tmp_path)
    assert next(find(tree / "test")).path == "Band 0000 - Song/mixture.wav"


def test_ids_do_not_depend_on_unicode_normalisation(tmp_path):
    track = unicodedata.normalize("NFD", "Zoë - Café")
    (tmp_path / "test" / track).mkdir(parents=True)
    (tmp_path / "test" / track / "mixture.wav").touch()
    (file,) = find(tmp_path)
    assert file.id == file.cluster == unicodedata.normalize("NFC", "Zoë - Café")
    assert (tmp_path / file.path).is_file()


def test_a_track_that_is_not_unpacked_yet_is_left_out(tmp_path):
    tree = make_tree("musdb18-hq", tmp_path, files=3)
    (tree / "test" / "Band 0001 - Song" / "mixture.wav").unlink()
    assert [file.id for file in find(tree)] == ["Band 0000 - Song", "Band 0002 - Song"]


@pytest.mark.parametrize("below", ["test", "musdb18/test", "."])
def test_the_lossy_edition_is_told_apart(tmp_path, below):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    (tmp_path / below / "AM Contra - Heart Peripheral.stem.mp4").touch()
    with pytest.raises(
        TestSetError, match=r"\.stem\.mp4 files there are MUSDB18, .*get MUSDB18-HQ"
    ):
        find(tmp_path)


def test_training_tracks_alone_are_not_the_set(tmp_path):
    (tmp_path / "train" / "Some Band - Song").mkdir(parents=True)
    (tmp_path / "train" / "Some Band - Song" / "mixture.wav").touch()
    with pytest.raises(TestSetError, match=r"expected test/<track>/mixture\.wav .*; found train$"):
        find(tmp_path)
