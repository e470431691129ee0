"""Known corpora: every layout is found, told apart, and refused with what was expected."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import unicodedata
from dataclasses import astuple, replace
from pathlib import Path
from urllib.parse import urlparse

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Layout, child
from snacbench.types import DOMAINS
from tests.support.testsets_trees import DAPS_VERSIONS, make_tree, video_id

TTS = "libritts-test-clean"


def find(name: str, root: Path) -> list[CorpusFile]:
    return list(corpora()[name].find(root))


def ids(name: str, root: Path) -> list[str]:
    return [file.id for file in find(name, root)]


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def snapshot(found) -> list[tuple]:
    """Everything but the path, which depends on the root."""
    return [astuple(replace(file, path="")) for file in found]


# ------------------------------------------------------------------------------- every corpus


@pytest.fixture(params=sorted(corpora()))
def corpus(request) -> Corpus:
    return corpora()[request.param]


def test_declaration_is_complete(corpus):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", corpus.name)
    for text in (corpus.summary, corpus.licence, corpus.where):
        assert text.strip() == text != ""
    for download in corpus.downloads:
        address = urlparse(download.url)
        assert address.scheme == "https"
        assert address.path.endswith((".zip", ".tar.gz"))
        for digest, length in ((download.sha256, 64), (download.sha1, 40), (download.md5, 32)):
            assert re.fullmatch(rf"([0-9a-f]{{{length}}})?", digest)


def test_files_are_found_alike_from_above_through_a_link_and_in_other_case(corpus, tmp_path):
    tree = make_tree(corpus.name, tmp_path / "disk", files=12)
    found = list(corpus.find(tree))
    names = [file.id for file in found]
    assert names == sorted(set(names)) != []
    for file in found:
        assert (tree / file.path).is_file()
        assert not Path(file.path).name.startswith(".")
        assert file.domain in DOMAINS
        assert file.cluster
        assert "" not in (file.licence, file.transcript)
    assert snapshot(corpus.find(tree.parent)) == snapshot(found)
    assert all((tree.parent / file.path).is_file() for file in corpus.find(tree.parent))
    (tmp_path / "elsewhere").symlink_to(tree, target_is_directory=True)
    assert snapshot(corpus.find(tmp_path / "elsewhere")) == snapshot(found)
    if not corpus.name.startswith("audioset"):  # it has no folder of its own
        shutil.copytree(tree, tree.parent / f"{tree.name}-a")
        tree = tree.rename(tree.parent / f"{tree.name}-b")
        with pytest.raises(TestSetError, match=r"holds .* more than once: .*-a, .*-b; name one"):
            corpus.find(tree.parent)
    if corpus.name != "common-voice":  # its languages are part of its ids
        for folder, subfolders, _ in os.walk(tree, topdown=False):
            for name in subfolders:
                if not name.startswith("Band"):  # a track's name is its id
                    Path(folder, name).rename(Path(folder, name.upper()))
        assert [file.id for file in corpus.find(tree)] == names


def test_other_folders_are_refused_with_the_layout_and_what_is_there(corpus, tmp_path):
    with pytest.raises(TestSetError) as error:
        corpus.find(tmp_path)
    assert str(tmp_path) in str(error.value)
    expected = r"expected \S.*, for example \S+.*; found an empty folder"
    assert re.search(expected, str(error.value))
    (tmp_path / "holiday pictures").mkdir()
    for i in range(9):
        (tmp_path / f"letter{i}.txt").touch()
    for root, seen in (
        (tmp_path, r"holiday pictures, letter0.txt, .* and 4 more"),
        (tmp_path / "gone", "no such folder"),
        (tmp_path / "letter0.txt", "a file"),
    ):
        with pytest.raises(TestSetError, match=f"found {seen}"):
            corpus.find(root)


def test_all_corpora_side_by_side_are_told_apart(tmp_path):
    """One folder with everything, as on many clusters: each corpus finds itself and no other."""
    alone, together = {}, tmp_path / "data"
    for name in corpora():
        tree = make_tree(name, tmp_path / f"only-{name}")
        alone[name] = ids(name, tree)
        shutil.copytree(tree, together / tree.name, dirs_exist_ok=True)
    for name in corpora():
        assert set(ids(name, together)) == set(alone[name]), name


SPEECH = {"domain": "speech", "lossy_source": False}
LIBRIVOX = {"domain": "speech", "cluster": "61", "lossy_source": True}
FIRST = {
    "daps": CorpusFile("F10/script1", "clean/f10_script1_clean.wav", cluster="F10", **SPEECH),
    "daps-cleanraw": CorpusFile(
        "F10/script1", "cleanraw/f10_script1_cleanraw.wav", cluster="F10", **SPEECH
    ),
    "daps-all": CorpusFile(
        "clean/F10/script1", "clean/f10_script1_clean.wav", cluster="F10", **SPEECH
    ),
    "musdb18-hq": CorpusFile(
        "Band 0000 - Song",
        "test/Band 0000 - Song/mixture.wav",
        "music",
        "Band 0000 - Song",
        lossy_source=False,
    ),
    "audioset": CorpusFile(
        video_id(0),
        f"eval_segments/{video_id(0)}.wav",
        "environment",
        video_id(0),
        lossy_source=True,
    ),
    **{
        f"librispeech-{part}": CorpusFile(
            "61-70968-0000",
            f"{part}/61/70968/61-70968-0000.flac",
            transcript="HE SAID WORD 0",
            **LIBRIVOX,
        )
        for part in ("test-clean", "test-other")
    },
    TTS: CorpusFile(
        "61_70968_000000_000001",
        "test-clean/61/70968/61_70968_000000_000001.wav",
        transcript="He said number 0.",
        **LIBRIVOX,
    ),
    "vctk": CorpusFile(
        "p225_001",
        "wav48_silence_trimmed/p225/p225_001_mic1.flac",
        cluster="p225",
        transcript="Please call p225 1.",
        **SPEECH,
    ),
    "esc50": CorpusFile(
        "1-100032-A-0",
        "audio/1-100032-A-0.wav",
        "environment",
        "100032",
        licence="CC-BY-3.0",
        lossy_source=True,
    ),
    **{
        f"fma-{size}": CorpusFile(
            "000140",
            f"fma_{size}/000/000140.mp3",
            "music",
            "000140",
            licence="CC BY",
            lossy_source=True,
        )
        for size in ("small", "medium", "large", "full")
    },
    "gtzan": CorpusFile(
        "blues.00000", "genres_original/blues/blues.00000.wav", "music", "blues.00000"
    ),
    "common-voice": CorpusFile(
        "de/common_voice_de_17298952",
        "de/clips/common_voice_de_17298952.mp3",
        "speech",
        hashlib.sha256(f"common-voice {0:0128x}".encode()).hexdigest()[:16],
        'Er sagte "0.',
        lossy_source=True,
    ),
}


@pytest.mark.parametrize("name", FIRST)
def test_the_first_file_and_how_many(name, tmp_path):
    found = find(name, make_tree(name, tmp_path, files=20))
    assert found[0] == FIRST[name]
    per_copy = {"daps-all": 20 * len(DAPS_VERSIONS), "gtzan": 21}
    assert len(found) == per_copy.get(name, 20)
    assert FIRST.keys() | {"audioset-environment"} == corpora().keys()


# ------------------------------------------------------------------------- names on disks


def test_litter_case_and_normalisation_make_no_difference(tmp_path):
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


def test_a_name_that_is_there_as_written_is_found_at_one_look(tmp_path, monkeypatch):
    tree = make_tree("vctk", tmp_path)
    monkeypatch.setattr(Path, "is_dir", lambda path: pytest.fail(f"a look at {path}"))
    assert child(tree, "txt", "p225", "p225_001.txt").is_file()


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(folder: os.PathLike[str]) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    with pytest.raises(TestSetError, match="may not be read by this user; check its permissions"):
        find("gtzan", tmp_path)


@pytest.mark.parametrize(
    ("name", "part", "first"),
    [
        ("librispeech-test-clean", "test-clean", "61/70968/61-70968-0000.flac"),
        (TTS, "test-clean", "61/70968/61_70968_000000_000001.wav"),
        ("musdb18-hq", "test", "Band 0000 - Song/mixture.wav"),
        ("gtzan", "genres_original", "blues/blues.00000.wav"),
        ("fma-small", "fma_small", "000/000140.mp3"),
    ],
)
def test_the_part_itself_may_be_the_root(tmp_path, name, part, first):
    assert find(name, make_tree(name, tmp_path) / part)[0].path == first


# What lies in a folder, of which corpus it is not, and the end of the message.
OTHERS = [
    (TTS, "LibriTTS_R/test-clean/1/2/1_2_3_4.wav", "LibriTTS-R is another corpus: a model has"),
    ("vctk", "wav48/p225/p225_001.wav", r"is VCTK 0\.80, which keeps"),
    ("vctk", "VCTK-Corpus/wav48/p225/p225_001.wav", r"is VCTK 0\.80, which keeps"),
    ("musdb18-hq", "test/A - B.stem.mp4", r"MUSDB18 in \.stem\.mp4 files is another edition"),
    ("musdb18-hq", "train/A - B/mixture.wav", r"test/<track>/mixture\.wav .*; found train;"),
    ("gtzan", "rock/my song.wav", r"does not hold GTZAN: .*found rock$"),
    ("esc50", "ESC-50/101 - Dog/1-100032-A.ogg", r"expected audio/<fold>-<source>.*found ESC-50$"),
    ("librispeech-test-other", "test-clean/a", r"LibriSpeech test-other: .*found test-clean$"),
    ("fma-medium", "fma_small/000/000140.mp3", r"does not hold FMA \(fma_medium\)"),
    *(
        ("audioset", name, r"does not hold AudioSet eval: expected <id>\.wav")
        for name in ("song.wav", "--4gqARaEJE_cut.wav", "--4gqARaEJE.webm")
    ),
]


@pytest.mark.parametrize(("name", "path", "message"), OTHERS)
def test_other_editions_and_corpora_are_told_apart(tmp_path, name, path, message):
    touch(tmp_path / path)
    with pytest.raises(TestSetError, match=message):
        find(name, tmp_path)


# ------------------------------------------------------------------------------------- speech


def test_daps_in_parts_and_other_spellings(tmp_path):
    tree = make_tree("daps", tmp_path, files=10)
    assert ids("daps", tree) == [f"{s}/script{n}" for s in ("F10", "M10") for n in "12345"]
    assert corpora()["daps-all"].expected_files == 150
    (tree / "clean" / "f10_script2_clean.wav").unlink()
    assert len(find("daps", tree)) == 9
    shutil.rmtree(tree / "clean")
    with pytest.raises(TestSetError, match=r"not hold DAPS \(clean\): expected clean/<speaker>"):
        find("daps", tree)
    assert find("daps-cleanraw", tree)
    touch(tree / "Clean" / "M10_script3_Clean.WAV")
    assert ids("daps", tmp_path) == ["M10/script3"]


@pytest.mark.parametrize(
    ("name", "texts"),
    [("librispeech-test-clean", "*.trans.txt"), (TTS, "*.normalized.txt"), ("vctk", "*.txt")],
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
    second.write_bytes(b"\0")
    with pytest.raises(TestSetError, match="cannot read the transcript"):
        find(TTS, tree)


def test_vctk_is_the_first_microphone_of_every_speaker(tmp_path):
    found = find("vctk", make_tree("vctk", tmp_path, files=8))
    assert sorted({file.cluster for file in found}) == ["p225", "p280", "p315", "s5"]
    assert not any("mic2" in file.path for file in found)
    # The texts of one speaker were lost.
    assert {file.cluster for file in found if file.transcript is None} == {"p315"}


def test_common_voice_by_language_without_ids_of_people(tmp_path):
    tree = make_tree("common-voice", tmp_path, files=12)
    found = find("common-voice", tree)
    assert {file.id.split("/")[0] for file in found} == {"de", "sv-SE"}
    assert len({file.cluster for file in found}) == 3
    assert f"{0:0128x}" not in {file.cluster for file in found}
    swedish = find("common-voice", tree / "sv-SE")
    assert len(swedish) == 6
    (tmp_path / "swedish").symlink_to(tree / "sv-SE", target_is_directory=True)
    assert find("common-voice", tmp_path / "swedish") == swedish


def test_common_voice_tables(tmp_path):
    tree = make_tree("common-voice", tmp_path, files=2)
    table = tree / "de" / "test.tsv"
    good = table.read_text()
    table.write_text(good.replace(".mp3", ""))  # as in the first releases
    assert find("common-voice", tree)[0].path == "de/clips/common_voice_de_17298952.mp3"
    for content in (b"path\tsentence\na.mp3\tHallo\n", b"client_id\tpath\n\xff\t\n"):
        table.write_bytes(content)
        with pytest.raises(TestSetError, match=r"is not the table of Common Voice .*sentence"):
            find("common-voice", tree)
    table.write_text(good)
    for clips in tree.glob("*/clips"):
        shutil.rmtree(clips)
    with pytest.raises(TestSetError, match="the tables are there, but none of the clips"):
        find("common-voice", tree)


# -------------------------------------------------------------------------------------- music


def test_names_of_tracks_are_composed_and_a_lack_is_no_error(tmp_path):
    tree = make_tree("musdb18-hq", tmp_path, files=3)
    (tree / "test" / "Band 0001 - Song" / "mixture.wav").unlink()
    track = unicodedata.normalize("NFD", "Zoë - Café")
    touch(tree / "test" / track / "mixture.wav")
    composed = unicodedata.normalize("NFC", track)
    assert ids("musdb18-hq", tree) == ["Band 0000 - Song", "Band 0002 - Song", composed]


def test_gtzan_in_its_layouts_and_formats(tmp_path):
    tree = make_tree("gtzan", tmp_path / "one", files=20)
    assert corpora()["gtzan"].known_corrupt.keys() == {"jazz.00054"} <= set(ids("gtzan", tree))
    touch(tree / "genres_original" / "blues" / "blues.00000.au")  # a copy in both formats
    assert find("gtzan", tree)[0] == FIRST["gtzan"]
    touch(tmp_path / "two" / "genres" / "blues" / "blues.00000.au")
    assert find("gtzan", tmp_path / "two")[0].path == "genres/blues/blues.00000.au"


def test_metadata_of_fma_lie_beside_or_inside_the_audio(tmp_path):
    before = csv.field_size_limit()
    tree = make_tree("fma-small", tmp_path)
    (tree / "fma_metadata").rename(tree / "fma_small" / "fma_metadata")
    assert len(find("fma-small", tree)) == 6
    table = (tree / "fma_small" / "fma_metadata" / "tracks.csv").rename(tree / "tracks.csv")
    assert len(find("fma-small", tree)) == 6
    assert csv.field_size_limit() == before
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


def test_clips_of_fma_that_were_cut_from_nowhere_are_known():
    small, medium, full = (corpora()[f"fma-{s}"].known_corrupt for s in ("small", "medium", "full"))
    assert set(small) == {"098565", "098567", "098569", "099134", "108925", "133297"}
    assert small.keys() < medium.keys()
    assert (len(medium), len(full)) == (21, 0)


# -------------------------------------------------------------------------------- environment


def test_clips_of_esc50_know_their_recording_and_licence(tmp_path):
    tree = make_tree("esc50", tmp_path, files=10)
    found = find("esc50", tree)
    with (tree / "meta" / "esc50.csv").open() as table:
        sources = {row["filename"]: row["src_file"] for row in csv.DictReader(table)}
    assert {f"{file.id}.wav": file.cluster for file in found} == sources
    assert [file.licence for file in found] == ["CC-BY-3.0"] * 4 + ["CC-BY-NC-3.0"] * 6
    (tree / "meta" / "esc50.csv").write_bytes(b"filename\na.wav\n")
    with pytest.raises(TestSetError, match=r"is not the table of ESC-50 \(no column esc10\)"):
        find("esc50", tree)
    (tree / "meta" / "esc50.csv").unlink()  # the stricter licence holds
    assert {file.licence for file in find("esc50", tree)} == {"CC-BY-NC-3.0"}


@pytest.mark.parametrize("video", ["--4gqARaEJE", "Y1234567890", "a_b-c_30_40"])
def test_spellings_of_videos(tmp_path, video):
    spellings = ("{}.flac", "{}_30.wav", "{}_30.000_40.000.wav", "Y{}.wav", "Y{}_30.000_40.000.wav")
    for number, spelling in enumerate(spellings):
        touch(tmp_path / f"{number}" / "eval" / spelling.format(video))
        (file,) = find("audioset", tmp_path / f"{number}")
        assert (file.id, file.path) == (video, f"eval/{spelling.format(video)}")


@pytest.mark.parametrize(
    "folder", [".", "eval", "eval_segments/audio", "audio/eval", "data/audioset/eval_segments"]
)
def test_folders_of_videos(tmp_path, folder):
    touch(tmp_path / folder / "--4gqARaEJE.flac")
    root = tmp_path / "data" if folder.startswith("data") else tmp_path
    assert ids("audioset", root) == ["--4gqARaEJE"]


def test_videos_that_the_list_names(tmp_path):
    tree = make_tree("audioset", tmp_path, files=8)
    touch(tree / "eval_segments" / "notlisted11.wav")
    touch(tree / "eval_segments" / f"Y{video_id(0)}_30.000_40.000.wav")  # one video twice
    assert set(ids("audioset", tree)) == {video_id(i) for i in range(8)}
    without = ids("audioset-environment", tree)
    assert set(without) == {video_id(i) for i in range(8) if i % 4 in (1, 3)}
    (tree / "eval_segments.csv").unlink()
    assert len(find("audioset", tree)) == 9


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("eval_segments.csv", None, r"has not both eval_segments\.csv and class_labels"),
        ("class_labels_indices.csv", None, r"has not both eval_segments\.csv and class_labels"),
        ("eval_segments.csv", b"<html>Moved</html>\n", "lists no segment; expected lines like"),
        ("eval_segments.csv", b"\xff\xfe\x00", r"cannot read .*eval_segments\.csv"),
        (
            "eval_segments.csv",
            b'# YTID\naaaaaaaaaaa, 0.000, 10.000, "/m/0bt9lr"\n',
            r"none of the files in .* is listed in eval_segments",
        ),
        ("class_labels_indices.csv", b"0,/m/09x0r,Speech\n", "is not the list of AudioSet's"),
    ],
)
def test_tables_of_audioset(tmp_path, table, content, message):
    tree = make_tree("audioset", tmp_path)
    if content is None:
        (tree / table).unlink()
    else:
        (tree / table).write_bytes(content)
    with pytest.raises(TestSetError, match=message):
        find("audioset-environment", tree)
