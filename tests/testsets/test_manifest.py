from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.audio.io import sha256_of_file
from snacbench.errors import TestSetError
from snacbench.testsets.manifest import manifest_set


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
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(TestSetError, match=r"cannot read the manifest .*manifest.csv \(.*decode"):
        manifest_set(path)


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
    assert "is not audio" in broken.reason


def test_an_id_that_occurs_twice_is_an_error(record, manifest):
    record("corpus/a.wav")
    record("corpus/b.wav")
    with pytest.raises(TestSetError, match=r"has the id 'corpus/x' twice: .*a.wav, .*b.wav"):
        manifest_set(manifest("path,id", "a.wav,x", "b.wav,x"))
