"""LibriSpeech and LibriTTS, which share their layout and are easily confused."""

from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import CorpusFile
from tests.testsets.corpora.trees import make_tree

TTS = "libritts-test-clean"


def find(name, root):
    return list(corpora()[name].find(root))


@pytest.mark.parametrize("part", ["test-clean", "test-other"])
def test_librispeech(tmp_path, part):
    name = f"librispeech-{part}"
    found = find(name, make_tree(name, tmp_path, files=25))
    assert found[1] == CorpusFile(
        id="61-70968-0001",
        path=f"{part}/61/70968/61-70968-0001.flac",
        domain="speech",
        cluster="61",
        transcript="HE SAID WORD 1",
        licence=None,
        lossy_source=True,
    )
    assert {file.cluster for file in found} == {"61", "62"}
    assert len(found) == 25


def test_libritts(tmp_path):
    found = find(TTS, make_tree(TTS, tmp_path, files=25))
    assert found[1] == CorpusFile(
        id="61_70968_000001_000001",
        path="test-clean/61/70968/61_70968_000001_000001.wav",
        domain="speech",
        cluster="61",
        transcript="He said number 1.",
        licence=None,
        lossy_source=True,
    )
    assert {file.cluster for file in found} == {"61", "62"}
    assert len(found) == 25


@pytest.mark.parametrize("name", ["librispeech-test-other", TTS])
def test_the_part_itself_may_be_the_root(tmp_path, name):
    tree = make_tree(name, tmp_path)
    part = tree / ("test-clean" if name == TTS else "test-other")
    assert len(find(name, part)) == 6
    assert find(name, part)[0].path.startswith("61/70968/61")


@pytest.mark.parametrize(
    ("name", "texts"),
    [("librispeech-test-clean", "*.trans.txt"), (TTS, "*.normalized.txt")],
)
def test_without_transcripts_there_is_still_audio(tmp_path, name, texts):
    tree = make_tree(name, tmp_path)
    for text in tree.rglob(texts):
        text.unlink()
    assert [file.transcript for file in find(name, tree)] == [None] * 6


def test_empty_and_damaged_transcripts(tmp_path):
    tree = make_tree(TTS, tmp_path, files=2)
    first, second = sorted(tree.glob("test-clean/*/*/[0-9]*.normalized.txt"))
    first.write_text("\n")
    second.write_bytes(b"caf\xe9")
    assert [file.transcript for file in find(TTS, tree)] == [None, "café"]


def test_one_is_not_the_other(tmp_path):
    speech = make_tree("librispeech-test-clean", tmp_path)
    tts = make_tree(TTS, tmp_path)
    with pytest.raises(TestSetError, match="does not hold LibriTTS test-clean"):
        find(TTS, speech)
    with pytest.raises(TestSetError, match="does not hold LibriSpeech test-clean"):
        find("librispeech-test-clean", tts)
    assert len(find(TTS, tmp_path)) == len(find("librispeech-test-clean", tmp_path)) == 6


def test_another_part_is_not_taken_for_it(tmp_path):
    tree = make_tree("librispeech-test-clean", tmp_path)
    with pytest.raises(TestSetError, match=r"LibriSpeech test-other: .*found SPEAKERS\.TXT, dev-"):
        find("librispeech-test-other", tree)


@pytest.mark.parametrize("root", [".", "LibriTTS_R", "LibriTTS_R/test-clean"])
def test_libritts_r_is_told_apart(tmp_path, root):
    make_tree(TTS, tmp_path).rename(tmp_path / "LibriTTS_R")
    with pytest.raises(TestSetError, match="LibriTTS-R is another corpus: a model has restored"):
        find(TTS, tmp_path / root)


def test_libritts_beside_libritts_r(tmp_path):
    make_tree(TTS, tmp_path).rename(tmp_path / "LibriTTS_R")
    make_tree(TTS, tmp_path)
    assert find(TTS, tmp_path)[0].path.startswith("LibriTTS/")
