"""Known corpora: every layout is found, told apart, and refused with what was expected."""

import os
import re
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlparse

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import CorpusFile, Layout, child
from snacbench.types import DOMAINS
from tests.support.cases import cases
from tests.support.testsets_trees import make_tree

TTS = "libritts-test-clean"


def find(name, root):
    return list(corpora()[name].find(root))


def ids(name, root):
    return [file.id for file in find(name, root)]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def snapshot(found):
    """Everything but the path, which depends on the root."""
    return [replace(file, path="") for file in found]


@pytest.fixture(params=sorted(corpora()))
def name(request):
    return request.param


def test_declaration_is_complete(name):
    corpus = corpora()[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    for text in (corpus.summary, corpus.licence, corpus.where):
        assert text.strip() == text != ""
    for download in corpus.downloads:
        address = urlparse(download.url)
        assert address.scheme == "https"
        assert address.path.endswith((".zip", ".tar.gz"))
        for digest, length in ((download.sha256, 64), (download.sha1, 40), (download.md5, 32)):
            assert re.fullmatch(rf"([0-9a-f]{{{length}}})?", digest)


CASES = cases(__file__)
FIRST = {name: CorpusFile(**facts) for name, facts in CASES["first"].items()}


def test_files_are_found_alike_from_above_through_a_link_and_in_other_case(name, tmp_path):
    tree = make_tree(name, tmp_path / "disk", files=12)
    found = find(name, tree)
    assert found[0] == FIRST[name]
    assert len(found) == {"daps-all": 48, "gtzan": 13}.get(name, 12)
    names = [file.id for file in found]
    assert names == sorted(set(names))
    for file in found:
        assert (tree / file.path).is_file()
        assert not Path(file.path).name.startswith(".")
        assert file.domain in DOMAINS
        assert file.cluster
        assert "" not in (file.licence, file.transcript)
    above = find(name, tree.parent)
    assert snapshot(above) == snapshot(found)
    assert all((tree.parent / file.path).is_file() for file in above)
    (tmp_path / "elsewhere").symlink_to(tree, target_is_directory=True)
    assert snapshot(find(name, tmp_path / "elsewhere")) == snapshot(found)
    if name != "audioset":  # it has no folder of its own
        shutil.copytree(tree, tree.parent / f"{tree.name}-a")
        tree = tree.rename(tree.parent / f"{tree.name}-b")
        with pytest.raises(TestSetError, match=r"holds .* more than once: .*-a, .*-b; name one"):
            find(name, tree.parent)
    if name != "common-voice":  # its languages are part of its ids
        for folder, subfolders, _ in os.walk(tree, topdown=False):
            for below in subfolders:
                if not below.startswith("Band"):  # a track's name is its id
                    Path(folder, below).rename(Path(folder, below.upper()))
        assert ids(name, tree) == names


def test_other_folders_are_refused_with_the_layout_and_what_is_there(name, tmp_path):
    expected = rf"{re.escape(str(tmp_path))}.*expected \S.*, for example \S+.*; found an empty fold"
    with pytest.raises(TestSetError, match=expected):
        find(name, tmp_path)
    (tmp_path / "holiday pictures").mkdir()
    for i in range(9):
        (tmp_path / f"letter{i}.txt").touch()
    for root, seen in (
        (tmp_path, r"holiday pictures, letter0.txt, .* and 2 more"),
        (tmp_path / "gone", "no such folder"),
        (tmp_path / "letter0.txt", "a file"),
    ):
        with pytest.raises(TestSetError, match=f"found {seen}"):
            find(name, root)


def test_all_corpora_side_by_side_are_told_apart(tmp_path):
    """One folder with everything, as on many clusters: each corpus finds itself and no other."""
    alone, together = {}, tmp_path / "data"
    for name in corpora():
        tree = make_tree(name, tmp_path / f"only-{name}")
        alone[name] = ids(name, tree)
        shutil.copytree(tree, together / tree.name, dirs_exist_ok=True)
    for name in corpora():
        assert set(ids(name, together)) == set(alone[name]), name


def test_litter_case_and_normalisation_make_no_difference(tmp_path, monkeypatch):
    layout = Layout("X", ("x",), "<name>.wav", "a.wav", levels=(r"(.+)\.wav",))
    for name in (".DS_Store", "._a.wav", ".hidden.wav", "Thumbs.db", "b.WAV", "a.wav", "wav"):
        (tmp_path / name).touch()
    for name in ("__MACOSX", "@eaDir", "folder.wav"):
        (tmp_path / name).mkdir()
    (tmp_path / "__MACOSX/c.wav").touch()
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    found = layout.find(tmp_path, lambda path, name: CorpusFile(name))
    assert [(file.id, file.path) for file in found] == [("a", "a.wav"), ("b", "b.WAV")]
    folder = tmp_path / "Test" / unicodedata.normalize("NFD", "Zoë")
    folder.mkdir(parents=True)
    assert child(tmp_path, "test", unicodedata.normalize("NFC", "Zoë")) == folder
    assert child(tmp_path, "test", "nobody") is None
    assert child(tmp_path, "a.wav", "below") is None
    with monkeypatch.context() as patched:  # a name that is there as written needs one look
        patched.setattr(Path, "is_dir", lambda path: pytest.fail(f"a look at {path}"))
        assert child(tmp_path, "Test", folder.name) == folder

    refuse = Mock(side_effect=PermissionError(13, "Permission denied", str(tmp_path)))
    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    with pytest.raises(TestSetError, match="may not be read by this user; check its permissions"):
        find("gtzan", tmp_path)


@pytest.mark.parametrize(("corpus", "part"), [
    ("librispeech-test-clean", "test-clean"), ("musdb18-hq", "test"), ("fma-small", "fma_small"),
])  # fmt: skip
def test_the_part_itself_may_be_the_root(tmp_path, corpus, part):
    tree = make_tree(corpus, tmp_path)
    found, inside = find(corpus, tree), find(corpus, tree / part)
    assert snapshot(inside) == snapshot(found)


@pytest.mark.parametrize(("corpus", "path", "message"), CASES["others"])
def test_other_editions_and_corpora_are_told_apart(tmp_path, corpus, path, message):
    touch(tmp_path / path)
    with pytest.raises(TestSetError, match=message):
        find(corpus, tmp_path)


def test_daps_in_parts_and_other_spellings(tmp_path):
    tree = make_tree("daps", tmp_path, files=10)
    assert ids("daps", tree) == [f"{s}/script{n}" for s in ("F10", "M10") for n in "12345"]
    assert corpora()["daps-all"].expected_files == 150
    shutil.rmtree(tree / "clean")
    with pytest.raises(TestSetError, match=r"not hold DAPS \(clean\): expected clean/<speaker>"):
        find("daps", tree)
    assert find("daps-cleanraw", tree)
    touch(tree / "Clean" / "M10_script3_Clean.WAV")
    assert ids("daps", tmp_path) == ["M10/script3"]


@pytest.mark.parametrize(("corpus", "texts"), [
    ("librispeech-test-clean", "*.trans.txt"), (TTS, "*.normalized.txt"), ("vctk", "*.txt"),
])  # fmt: skip
def test_transcripts_may_be_missing_empty_or_in_other_encodings(tmp_path, corpus, texts):
    tree = make_tree(corpus, tmp_path)
    for number, text in enumerate(sorted(tree.rglob(texts))):
        if number == 0 and corpus == TTS:
            text.write_bytes(b"caf\xe9")
        elif number == 1:
            text.write_text("\n")
        else:
            text.unlink()
    expected = "café" if corpus == TTS else None
    assert [file.transcript for file in find(corpus, tree)] == [expected, *[None] * 5]


def test_common_voice_in_one_language_and_of_other_releases(tmp_path):
    tree = make_tree("common-voice", tmp_path, files=4)
    assert {file.id.partition("/")[0] for file in find("common-voice", tree)} == {"de", "sv-SE"}
    assert [file.id[:3] for file in find("common-voice", tree / "de")] == ["de/", "de/"]
    table = tree / "de" / "test.tsv"
    good = table.read_text()
    table.write_text(good.replace(".mp3", ""))  # as in the first releases
    assert find("common-voice", tree)[0].path == "de/clips/common_voice_de_17298952.mp3"
    table.write_bytes(b"path\tsentence\na.mp3\tHallo\n")
    with pytest.raises(TestSetError, match=r"is not the table of Common Voice .*sentence"):
        find("common-voice", tree)
    table.write_text(good)
    for clips in tree.glob("*/clips"):
        shutil.rmtree(clips)
    with pytest.raises(TestSetError, match="the tables are there, but none of the clips"):
        find("common-voice", tree)


def test_musdb_gtzan_and_esc50_as_they_are_found(tmp_path):
    tree = make_tree("musdb18-hq", tmp_path, files=3)
    (tree / "test" / "Band 0001 - Song" / "mixture.wav").unlink()
    track = unicodedata.normalize("NFD", "Zoë - Café")
    touch(tree / "test" / track / "mixture.wav")
    composed = unicodedata.normalize("NFC", track)
    assert ids("musdb18-hq", tree) == ["Band 0000 - Song", "Band 0002 - Song", composed]
    tree = make_tree("gtzan", tmp_path / "one", files=20)
    assert corpora()["gtzan"].known_corrupt.keys() == {"jazz.00054"} <= set(ids("gtzan", tree))
    touch(tmp_path / "two" / "genres" / "blues" / "blues.00000.au")
    assert find("gtzan", tmp_path / "two")[0].path == "genres/blues/blues.00000.au"
    # Clips of ESC-50 know their recording.
    found = find("esc50", make_tree("esc50", tmp_path, files=10))
    assert [file.cluster for file in found] == [str(100_032 + i // 2) for i in range(10)]


def test_metadata_of_fma_lie_beside_or_inside_the_audio(tmp_path):
    small, medium, full = (corpora()[f"fma-{s}"].known_corrupt for s in ("small", "medium", "full"))
    assert (len(small), len(medium), len(full)) == (6, 21, 0)
    tree = make_tree("fma-small", tmp_path)
    (tree / "fma_metadata").rename(tree / "fma_small" / "fma_metadata")
    assert len(find("fma-small", tree)) == 6
    table = (tree / "fma_small" / "fma_metadata" / "tracks.csv").rename(tree / "tracks.csv")
    assert len(find("fma-small", tree)) == 6
    good = table.read_text()
    for content in ("", "track_id,split\n2,test\n", "a,b\nc,d\n", "\n,set\n,split\n"):
        table.write_text(content)
        with pytest.raises(TestSetError, match=r"is not the table of FMA .*header of two rows"):
            find("fma-small", tree)
    table.write_text(good.replace(",test,", ",training,"))
    with pytest.raises(TestSetError, match="no file there is of the test part"):
        find("fma-small", tree)
    table.unlink()
    with pytest.raises(TestSetError, match=r"tracks\.csv of fma_metadata\.zip, .* is not there"):
        find("fma-small", tree)


@pytest.mark.parametrize("video", ["--4gqARaEJE", "Y1234567890", "a_b-c_30_40"])
def test_spellings_and_folders_of_videos(tmp_path, video):
    spellings = ("{}.flac", "{}_30.wav", "{}_30.000_40.000.wav", "Y{}.wav", "Y{}_30.000_40.000.wav")
    folders = ("eval", ".", "eval_segments/audio", "audio/eval", "audioset/eval_segments")
    for number, (spelling, folder) in enumerate(zip(spellings, folders, strict=True)):
        path = tmp_path / f"{number}" / folder / spelling.format(video)
        touch(path)
        (file,) = find("audioset", tmp_path / f"{number}")
        assert (file.id, tmp_path / f"{number}" / file.path) == (video, path)
        touch(path.with_name(f"{video}_7.opus"))  # one video twice
        assert ids("audioset", tmp_path / f"{number}") == [video]
