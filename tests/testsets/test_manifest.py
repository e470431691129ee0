"""Manifests: read as people write them; written, they take a set to another machine."""

import csv
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from snacbench.errors import StoreError, TestSetError
from snacbench.files import sha256_of_file
from snacbench.testsets.folder import corpus_set, folder_set
from snacbench.testsets.manifest import manifest_set, write_manifest
from snacbench.testsets.segments import Choice, draw
from snacbench.testsets.spoken import language_code
from snacbench.testsets.testset import TestSet, joined
from snacbench.types import Measures
from tests.support.cases import cases
from tests.support.testsets import MINIATURE


@pytest.fixture
def manifest(tmp_path):
    def write(*lines, encoding="utf-8"):
        path = tmp_path / "corpus" / "manifest.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding)
        return path

    return write


def test_every_column_reaches_its_clip_and_the_path_is_the_only_one_needed(record, manifest):
    path = record("corpus/x/a.wav", text="spoken")
    digest = sha256_of_file(path)
    columns = "path,id,domain,transcript,speaker,track,licence,lossy_source,sha256,duration_s"
    row = f'x/a.wav,first,speech,"Hello, you.",anna,,CC0-1.0,yes,{digest.upper()},99'
    columns, row = f"{columns},language,gender", f"{row},por_br,F"
    found = manifest_set(manifest(columns, row))
    (clip,) = found.clips
    assert (found.name, clip.id, clip.domain) == ("corpus", "corpus/first", "speech")
    assert (clip.transcript, clip.cluster, clip.licence) == ("Hello, you.", "anna", "CC0-1.0")
    assert (clip.lossy_source, clip.sha256, clip.duration_s) == (True, digest, 0.05)
    said = clip.language, clip.speaker, clip.gender, clip.corpus
    assert said == ("pt-BR", "anna", "female", "corpus")
    elsewhere = record("elsewhere/b.wav")
    b, a = manifest_set(manifest("path", "./x/a.wav", f"{elsewhere}"), domain="music").clips
    assert (a.id, a.domain, a.transcript) == ("corpus/x/a", "music", "spoken")
    assert (a.cluster, a.licence, a.lossy_source) == (None, None, None)
    assert (a.language, a.speaker, a.gender) == ("", "", "")
    assert b.path == elsewhere.resolve()


def test_how_people_write_them(record, manifest):
    record("corpus/a.wav")
    for text, lossy in (("FALSE", False), ("1", True), ("perhaps", None)):
        lines = ("path,lossy_source,track", f"a.wav,{text},song 3")
        (clip,) = manifest_set(manifest(*lines, encoding="utf-8-sig")).clips
        assert (clip.lossy_source, clip.cluster) == (lossy, "song 3")
    heading = "Path, Domain ,TRANSCRIPT, source, mood"
    found = manifest_set(manifest(heading, "a.wav, Speech, hello, tape, calm"))
    assert (found.clips[0].domain, found.clips[0].transcript) == ("speech", "hello")
    assert found.notes == ("columns not known and not used: manifest.csv, mood",)
    # What was measured elsewhere is passed over.
    (clip,) = manifest_set(manifest("path,loudness_lufs,brickwall", "a.wav,-23 LUFS,n/a")).clips
    assert clip.measures is None


@pytest.mark.parametrize(("columns", "row", "reason"), [
    ("path", "gone.wav", "gone.wav does not exist; check the path or the manifest"),
    ("path", ".", "is a folder, not a file of audio"),
    ("path", "a sentence " * 30, "does not exist"),  # no disk can hold such a name
    ("path,sha256", f"a.wav,{'0' * 64}", "the manifest says 000000000000...; fetch the file"),
    *(
        ("path,start,num_samples", f"a.wav,{place}", "has 8000 samples, the manifest asks for")
        for place in ("8000,1", "7000,1001", "9000,", "0,0")
    ),
])  # fmt: skip
def test_a_file_that_is_not_as_listed_is_kept_as_broken(record, manifest, columns, row, reason):
    record("corpus/a.wav", seconds=1.0)
    record("corpus/b.wav")
    commas = "," * (columns.count(",") + 1)
    found = manifest_set(manifest(f"{columns},domain", f"{row},music", f"b.wav{commas}"))
    assert [c.id for c in found.clips] == ["corpus/b"]
    assert found.broken[0].domain == "music"
    assert reason in found.broken[0].reason


@pytest.mark.parametrize(("lines", "message"), cases(__file__)["mistakes"])
def test_mistakes_in_a_manifest_are_errors_with_their_line(record, manifest, lines, message):
    for name in ("a", "b"):
        record(f"corpus/{name}.wav")
    with pytest.raises(TestSetError, match=message):
        manifest_set(manifest(*lines))


def test_a_row_may_name_a_segment_and_a_corpus(record, manifest, tmp_path):
    record("corpus/a.wav", seconds=1.0, text="all of it")
    columns = "path,id,start,num_samples,transcript"
    rows = ("a.wav,part,2000,4000,half", "a.wav,,2000,,", "a.wav,,,100,", "a.wav,all,,,")
    clips = manifest_set(manifest(columns, *rows)).clips
    assert {c.id: (c.start, c.num_samples, c.transcript) for c in clips} == {
        "corpus/part": (2000, 4000, "half"),
        "corpus/a+0.250s": (2000, 6000, None),
        "corpus/a+0.000s": (0, 100, None),
        "corpus/all": (0, 8000, "all of it"),
    }
    found = manifest_set(manifest("path,corpus,id", "a.wav,one,x", "a.wav,two,x", "a.wav,,x"))
    assert [c.id for c in found.clips] == ["corpus/x", "one/x", "two/x"]
    assert found.name == "manifest"
    # One missing file does not hide where the others of a corpus are.
    for name in ("b", "c"):
        record(f"audio/deep/{name}.wav")
    path = manifest("path,corpus", "gone.wav,x", "b.wav,x", "c.wav,x")
    found = manifest_set(path, roots={"": tmp_path / "audio"})
    assert [c.id for c in found.clips] == ["x/b", "x/c"]
    assert [b.id for b in found.broken] == ["x/gone"]


@pytest.fixture
def drawn(record, tmp_path):
    """Twelve segments of a second from four speakers' files, two corpora."""
    for number in range(4):
        record(f"here/{('one', 'two')[number % 2]}/s{number}/talk.wav", seconds=3.0)
    corpus = replace(MINIATURE, expected_files=None, expected_clusters=None)
    named = [replace(corpus, name=name) for name in ("one", "two")]
    parts = [corpus_set(of, tmp_path / "here" / of.name) for of in named]
    return draw(joined("both", parts), Choice(12, 1.0))


def moved(folder):
    """The same files as on another machine."""
    return (folder / "here").rename(folder / "elsewhere")


def test_export_and_import_give_the_same_clips(drawn, tmp_path):
    write_manifest(drawn, tmp_path / "both.csv")
    text = (tmp_path / "both.csv").read_text()
    assert str(tmp_path) not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert rows[0].keys() >= {"path", "corpus", "id", "start", "num_samples", "brickwall", "sha256"}
    assert {row["path"] for row in rows} == {f"s{number}/talk.wav" for number in range(4)}
    root = moved(tmp_path)
    found = manifest_set(tmp_path / "both.csv", roots={"": root})
    assert (found.name, found.sha256, len(found.clips)) == ("both", drawn.sha256, 12)
    for was, now in zip(drawn.clips, found.clips, strict=True):
        assert now.path.is_relative_to(root)
        assert replace(now, path=was.path) == was
    write_manifest(found, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == text


@pytest.mark.parametrize("how", ["named", "beside", "settings"])
def test_roots_are_found_in_every_way(drawn, tmp_path, how, own_cache):
    write_manifest(drawn, tmp_path / "both.csv")
    root, manifest, roots = moved(tmp_path), tmp_path / "both.csv", {}
    if how == "named":
        (root / "one").rename(root / "eins")
        roots = {"one": root / "eins", "two": root / "two"}
    elif how == "beside":
        manifest = manifest.rename(root / "both.csv")
    else:
        lines = (f'{name} = "{root / name}"\n' for name in ("one", "two"))
        (own_cache / "config.toml").write_text(f"[roots]\n{''.join(lines)}")
    assert manifest_set(manifest, roots=roots).sha256 == drawn.sha256


def test_the_folder_of_a_corpus_and_the_one_above_are_both_its_root(miniature, tmp_path):
    """The manifest was written with the one, and is read with the other."""
    test_set = corpus_set(MINIATURE, miniature)
    write_manifest(test_set, tmp_path / "set.csv")
    assert manifest_set(tmp_path / "set.csv", roots={"": tmp_path}).sha256 == test_set.sha256
    write_manifest(replace(test_set, roots={"miniature": tmp_path}), tmp_path / "deeper.csv")
    assert manifest_set(tmp_path / "deeper.csv", roots={"": miniature}).sha256 == test_set.sha256


@pytest.mark.parametrize(("stated", "code"), [
    *(("eng", "en"), ("ger-AT", "de-AT"), ("cmn-hans", "zh-Hans"), ("zh-cmn", "zh")),
    *(("zh_HK", "zh-HK"), ("zh-yue-hk", "yue-HK"), ("yue", "yue"), ("haw", "haw"), (" ", "")),
])  # fmt: skip
def test_a_language_has_one_spelling(stated, code):
    assert language_code(stated) == code


def test_what_is_known_of_whole_clips_survives_to_the_last_digit(record, tmp_path):
    record("set/speech/a.wav", text="two\nlines, and “quotes”")
    record("set/b.wav")
    whole = folder_set(tmp_path / "set")
    measures = (Measures(1 / 3, -23.1, None, 7, brickwall=True), Measures(None, None, None, 0))
    facts = ({"language": "zh-Hant"}, {"speaker": "anna", "cluster": "anna", "gender": "other"})
    told = zip(whole.clips, measures, facts, strict=True)
    clips = [replace(clip, measures=of, **fact) for clip, of, fact in told]
    write_manifest(replace(whole, clips=tuple(clips)), tmp_path / "out" / "m.csv")
    found = manifest_set(tmp_path / "out" / "m.csv", roots={"": tmp_path / "set"})
    assert list(found.clips) == clips
    assert found.name == "m"
    # A file outside of the root keeps its whole path.
    path = record("elsewhere/a.wav")
    (tmp_path / "m.csv").write_text(f"path,id\n{path},a\n")
    write_manifest(manifest_set(tmp_path / "m.csv"), tmp_path / "again" / "n.csv")
    assert manifest_set(tmp_path / "again" / "n.csv").clips[0].path == path


def test_a_manifest_that_cannot_be_written_leaves_nothing(drawn, tmp_path, monkeypatch):
    with pytest.raises(TestSetError, match=r"empty has no readable clip to write to .*m.csv"):
        write_manifest(TestSet("empty", ()), tmp_path / "m.csv")
    monkeypatch.setattr(Path, "replace", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match=r"cannot write .*m.csv \(No space left on device"):
        write_manifest(drawn, tmp_path / "m.csv")
    assert not list(tmp_path.glob("*m.csv*"))
