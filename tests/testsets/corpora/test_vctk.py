from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import CorpusFile
from snacbench.testsets.corpora.vctk import find
from tests.testsets.corpora.trees import make_tree


def test_first_microphone_of_every_speaker(tmp_path):
    found = list(find(make_tree("vctk", tmp_path, files=8)))
    assert found[0] == CorpusFile(
        id="p225_001",
        path="wav48_silence_trimmed/p225/p225_001_mic1.flac",
        domain="speech",
        cluster="p225",
        transcript="Please call p225 1.",
        licence=None,
        lossy_source=False,
    )
    assert sorted({file.cluster for file in found}) == ["p225", "p280", "p315", "s5"]
    assert len(found) == 8
    assert not any("mic2" in file.path for file in found)


def test_the_speaker_whose_texts_were_lost_has_none(tmp_path):
    found = list(find(make_tree("vctk", tmp_path, files=8)))
    assert {file.cluster for file in found if file.transcript is None} == {"p315"}


def test_without_texts_at_all(tmp_path):
    tree = make_tree("vctk", tmp_path, files=8)
    (tree / "txt").rename(tree / "not-unpacked")
    assert [file.transcript for file in find(tree)] == [None] * 8


@pytest.mark.parametrize("below", [".", "VCTK-Corpus"])
def test_the_older_edition_is_told_apart(tmp_path, below):
    (tmp_path / below / "wav48" / "p225").mkdir(parents=True)
    (tmp_path / below / "wav48" / "p225" / "p225_001.wav").touch()
    with pytest.raises(TestSetError, match=r"is VCTK 0\.80, .*get version 0\.92"):
        find(tmp_path)
