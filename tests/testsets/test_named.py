from __future__ import annotations

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets import NAMED_SETS, open_test_set
from snacbench.testsets.named import debian_music, debian_speech, quick


def test_the_quick_set_is_whole_and_covers_three_domains():
    found = quick()
    assert found.broken == ()
    assert {clip.domain for clip in found.clips} == {"speech", "music", "environment"}
    assert all(clip.id.startswith("quick/") for clip in found.clips)
    assert all(clip.licence for clip in found.clips)


def test_debian_speech_has_transcripts_and_speakers(record, tmp_path):
    record("sense_01-austen-0870.wav")
    record("sense_01-austen-0880.wav")
    (tmp_path / "transcription").write_text(
        "<s> and mister john dashwood </s> (sense_01-austen-0870)\nnot a transcript\n"
    )
    first, second = debian_speech(tmp_path).clips
    assert first.id == "debian-speech/sense_01-austen-0870"
    assert first.transcript == "and mister john dashwood"
    assert second.transcript is None
    assert first.cluster == second.cluster == "sense_01-austen"
    assert (first.domain, first.lossy_source) == ("speech", True)


def test_debian_music_keeps_loops_of_4_seconds_and_broken_files(record, tmp_path):
    record("loop_long.flac", seconds=4.0)
    record("loop_short.flac", seconds=3.9)
    record("ambi_choir.flac", seconds=4.0)
    (tmp_path / "bass_broken.flac").write_text("no")
    found = debian_music(tmp_path)
    assert [clip.id for clip in found.clips] == ["debian-music/loop_long"]
    assert [clip.id for clip in found.broken] == ["debian-music/bass_broken"]
    assert (found.clips[0].domain, found.clips[0].lossy_source) == ("music", False)


@pytest.mark.parametrize(
    ("build", "package"),
    [(debian_speech, "pocketsphinx-testdata"), (debian_music, "sonic-pi-samples")],
)
def test_a_package_that_is_absent_is_named(tmp_path, build, package):
    text = rf"is not on this machine \(.*none is missing\); run: apt-get install {package}"
    with pytest.raises(TestSetError, match=text):
        build(tmp_path / "none")


def test_open_takes_a_name_a_folder_or_a_manifest(record, tmp_path):
    record("set/a.wav")
    (tmp_path / "set/list.csv").write_text("path\na.wav\n")
    assert open_test_set("quick").name == "quick"
    for data in ("set", "set/list.csv"):
        (clip,) = open_test_set(str(tmp_path / data), domain="music").clips
        assert (clip.id, clip.domain) == ("set/a", "music")


def test_open_refuses_a_single_file(record):
    with pytest.raises(TestSetError, match=r"a.wav is a single file; expected a folder, a manif"):
        open_test_set(str(record("set/a.wav")))


def test_open_names_the_nearest_set():
    with pytest.raises(TestSetError, match=r"no such folder, .*; did you mean debian-music"):
        open_test_set("debian-musik")
    assert "debian-music" in NAMED_SETS
