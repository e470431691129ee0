from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.audio.io import sha256_of_file
from snacbench.errors import TestSetError
from snacbench.testsets.manifest import manifest_set
from snacbench.testsets.roots import Roots


@pytest.fixture
def manifest(tmp_path):
    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "corpus" / "manifest.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding)
        return path

    return write


def test_every_column_reaches_its_clip(record, manifest):
    digest = sha256_of_file(record("corpus/x/a.wav"))
    path = manifest(
        "path,id,domain,transcript,speaker,track,licence,lossy_source,sha256,duration_s",
        f'x/a.wav,first,speech,"Hello, you.",anna,,CC0-1.0,yes,{digest.upper()},99',
    )
    found = manifest_set(path)
    (clip,) = found.clips
    assert (found.name, clip.id, clip.domain) == ("corpus", "corpus/first", "speech")
    assert (clip.transcript, clip.cluster, clip.licence) == ("Hello, you.", "anna", "CC0-1.0")
    assert clip.lossy_source is True
    assert clip.sha256 == digest
    assert clip.duration_s == 0.05


def test_the_path_is_the_only_column_needed(record, manifest):
    record("corpus/x/a.wav", text="spoken")
    (clip,) = manifest_set(manifest("path", "x/a.wav"), domain="music").clips
    assert (clip.id, clip.domain, clip.transcript) == ("corpus/x/a", "music", "spoken")
    assert (clip.cluster, clip.licence, clip.lossy_source) == (None, None, None)


@pytest.mark.parametrize(("text", "lossy"), [("FALSE", False), ("1", True), ("perhaps", None)])
def test_lossy_source_is_true_false_or_not_known(record, manifest, text, lossy):
    record("corpus/a.wav")
    (clip,) = manifest_set(manifest("path,lossy_source", f"a.wav,{text}")).clips
    assert clip.lossy_source is lossy


def test_a_track_is_a_cluster_too(record, manifest):
    record("corpus/a.wav")
    (clip,) = manifest_set(manifest("path,speaker,track", "a.wav,,song 3")).clips
    assert clip.cluster == "song 3"


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_column(record, manifest):
    record("corpus/a.wav")
    assert len(manifest_set(manifest("path", "a.wav", encoding="utf-8-sig")).clips) == 1


def test_an_id_is_the_path_without_its_suffix_as_short_as_it_goes(record, manifest):
    record("corpus/a.b.wav")
    (clip,) = manifest_set(manifest("path", "./a.b.wav")).clips
    assert clip.id == "corpus/a.b"


def test_paths_may_be_absolute(record, manifest):
    path = record("elsewhere/a.wav")
    (clip,) = manifest_set(manifest("path,id", f"{path},a")).clips
    assert (clip.id, clip.path) == ("corpus/a", path.resolve())


def test_a_missing_file_is_kept_as_broken(record, manifest):
    record("corpus/a.wav")
    found = manifest_set(manifest("path,domain", "a.wav,music", "gone.wav,speech"))
    assert [c.id for c in found.clips] == ["corpus/a"]
    assert [(b.id, b.domain) for b in found.broken] == [("corpus/gone", "speech")]
    assert "gone.wav does not exist; check the path or the manifest" in found.broken[0].reason


def test_a_file_with_another_digest_is_kept_as_broken(record, manifest):
    record("corpus/a.wav")
    (broken,) = manifest_set(manifest("path,domain,sha256", f"a.wav,music,{'0' * 64}")).broken
    assert (broken.id, broken.domain) == ("corpus/a", "music")
    assert "the manifest says 000000000000...; fetch the file again" in broken.reason


def test_a_manifest_without_paths_is_an_error(manifest):
    with pytest.raises(TestSetError, match=r"has no column 'path'; found file, domain; the col"):
        manifest_set(manifest("file,domain", "a.wav,music"))


def test_an_empty_manifest_is_an_error(manifest):
    with pytest.raises(TestSetError, match="has no column 'path'; found nothing"):
        manifest_set(manifest())
    with pytest.raises(TestSetError, match=r"manifest.csv holds no audio"):
        manifest_set(manifest("path"))


def test_a_manifest_that_is_no_text_is_an_error(manifest):
    path = manifest()
    path.write_bytes(b"path\r\na.wav\r\nb\x00.wav")
    with pytest.raises(TestSetError, match=r"cannot read the manifest .*\(line 3 holds a NUL byte"):
        manifest_set(path)
    path.write_bytes(b"\xff\xfea")
    with pytest.raises(TestSetError, match=r"cannot read the manifest .*manifest.csv \(.*decode"):
        manifest_set(path)


def test_columns_are_known_in_any_case_and_with_spaces_around_them(record, manifest):
    record("corpus/a.wav")
    found = manifest_set(
        manifest("Path, Domain ,TRANSCRIPT, source, mood", "a.wav, Speech, hello, tape, calm")
    )
    assert (found.clips[0].domain, found.clips[0].transcript) == ("speech", "hello")
    assert found.notes == ("columns not known and not used: manifest.csv, mood",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['a.wav,"oops it is', "b.wav,two", "c.wav,three"], r"line 2: the quote that opens here"),
        (['a.wav,"oops it is', "b.wav,two", 'c.wav",three'], r"line 2: the quote that opens here"),
        (["a.wav,one", "b.wav,two, three"], r"line 3: 3 cells under 2 columns; a cell that holds"),
        (["a.wav,one", "b.wav"], r"line 3: 1 cells under 2 columns"),
    ],
)
def test_rows_that_are_not_what_they_seem_are_errors_with_their_line(manifest, rows, message):
    with pytest.raises(TestSetError, match=message):
        manifest_set(manifest("path,transcript", *rows))


def test_a_manifest_in_another_encoding_is_read_with_a_note(record, manifest):
    record("corpus/a.wav")
    path = manifest("path,transcript", "a.wav,naïve", "a.wav,café")
    path.write_bytes(path.read_text("utf-8").replace("a.wav,café\n", "").encode("cp1252"))
    found = manifest_set(path)
    assert found.clips[0].transcript == "naïve"
    assert found.notes == ("not UTF-8, read as Windows-1252: manifest.csv, line 2",)


def test_a_missing_manifest_is_an_error(tmp_path):
    with pytest.raises(TestSetError, match=r"cannot read the manifest .*No such file"):
        manifest_set(tmp_path / "none.csv")


def test_an_unknown_domain_is_an_error_with_its_line(record, manifest):
    record("corpus/a.wav")
    path = manifest("path,domain,transcript", 'a.wav,music,"two', 'lines"', "", "b.wav,noise,")
    with pytest.raises(TestSetError, match="line 5: unknown domain 'noise'; expected speech, "):
        manifest_set(path)


def test_an_empty_path_is_an_error_with_its_line(record, manifest):
    record("corpus/a.wav")
    with pytest.raises(TestSetError, match="line 3: the cell 'path' is empty"):
        manifest_set(manifest("path,domain", "a.wav,music", ",music"))


def test_a_path_without_a_name_is_broken_and_no_crash(manifest):
    (broken,) = manifest_set(manifest("path", ".")).broken
    assert "is a folder, not a file of audio" in broken.reason


def test_an_id_that_occurs_twice_is_an_error(record, manifest):
    record("corpus/a.wav")
    record("corpus/b.wav")
    with pytest.raises(TestSetError, match=r"has the id 'corpus/x' twice: .*a.wav, .*b.wav"):
        manifest_set(manifest("path,id", "a.wav,x", "b.wav,x"))


def test_a_row_may_name_a_segment(record, manifest):
    record("corpus/a.wav", seconds=1.0)
    path = manifest(
        "path,id,start,num_samples",
        "a.wav,part,2000,4000",
        "a.wav,,2000,",
        "a.wav,,,100",
        "a.wav,all,,",
    )
    segments = {c.id: (c.start, c.num_samples) for c in manifest_set(path).clips}
    assert segments == {
        "corpus/part": (2000, 4000),
        "corpus/a+0.250s": (2000, 6000),
        "corpus/a+0.000s": (0, 100),
        "corpus/all": (0, 8000),
    }


def test_the_transcript_beside_a_file_is_not_that_of_its_segment(record, manifest):
    record("corpus/a.wav", seconds=1.0, text="all of it")
    path = manifest("path,id,start,transcript", "a.wav,x,2000,", "a.wav,y,2000,half", "a.wav,z,0,")
    texts = {c.id: c.transcript for c in manifest_set(path).clips}
    assert texts == {"corpus/x": None, "corpus/y": "half", "corpus/z": "all of it"}


@pytest.mark.parametrize("place", ["8000,1", "7000,1001", "9000,", "0,0"])
def test_a_segment_outside_of_its_file_is_broken(record, manifest, place):
    record("corpus/a.wav", seconds=1.0)
    (broken,) = manifest_set(manifest("path,start,num_samples", f"a.wav,{place}")).broken
    assert "has 8000 samples, the manifest asks for" in broken.reason


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("start", "1.5", "line 2: start is '1.5'; expected a whole number of samples"),
        ("num_samples", "-1", "line 2: num_samples is '-1'; expected a whole number"),
        ("clipped_samples", "many", "line 2: clipped_samples is 'many'; expected a whole number"),
    ],
)
def test_places_are_counts_of_samples(record, manifest, column, text, message):
    record("corpus/a.wav")
    with pytest.raises(TestSetError, match=message):
        manifest_set(manifest(f"path,{column}", f"a.wav,{text}"))


def test_measures_are_numbers(record, manifest):
    record("corpus/a.wav")
    path = manifest("path,clipped_samples,loudness_lufs", "a.wav,0,loud")
    with pytest.raises(TestSetError, match="line 2: loudness_lufs is 'loud'; expected a number"):
        manifest_set(path)


def test_rows_of_several_corpora_begin_their_ids_with_them(record, manifest):
    record("corpus/a.wav")
    path = manifest("path,corpus,id", "a.wav,one,x", "a.wav,two,x", "a.wav,,x")
    found = manifest_set(path)
    assert [c.id for c in found.clips] == ["corpus/x", "one/x", "two/x"]
    assert found.name == "manifest"


def test_one_missing_file_does_not_hide_where_the_others_are(record, manifest, tmp_path):
    for name in ("b", "c"):
        record(f"audio/deep/{name}.wav")
    path = manifest("path,corpus", "gone.wav,x", "b.wav,x", "c.wav,x")
    found = manifest_set(path, roots=Roots(tmp_path / "audio"))
    assert [c.id for c in found.clips] == ["x/b", "x/c"]
    assert [b.id for b in found.broken] == ["x/gone"]
