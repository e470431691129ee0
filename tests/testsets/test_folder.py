"""Folders and corpora on a disk: every file found, read, counted, and nothing silently gone."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from snacbench.audio.io import read
from snacbench.errors import TestSetError
from snacbench.files import sha256_of_file
from snacbench.testsets.folder import corpus_set, folder_set, verify
from snacbench.testsets.records import Reading
from snacbench.testsets.testset import joined
from tests.support.containers import by_pyav, by_soundfile
from tests.support.testsets import MINIATURE, Steps, settle


def ids(test_set):
    return [clip.id for clip in test_set.clips]


def test_clips_of_a_folder_know_what_their_files_hold(record, tmp_path):
    for name in ("b.flac", "deep/er/c.WAV", "._d.wav", ".trash/e.wav", "two.wav", "two.flac"):
        record(f"set/{name}")
    path = record("set/a.wav", seconds=0.5, text=" Hello wörld.\n")
    record("set/d.wav/e.wav", text="  \n")
    found = folder_set(tmp_path / "set", domain="music")
    assert found.name == "set"
    names = ("a", "b", "d.wav/e", "deep/er/c", "two.flac", "two.wav")
    assert ids(found) == [f"set/{name}" for name in names]
    clip = found.clips[0]
    assert (clip.rate_hz, clip.channels, clip.num_samples, clip.start) == (8000, 1, 4000, 0)
    assert (clip.path, clip.sha256) == (path.resolve(), sha256_of_file(path))
    assert [c.transcript for c in found.clips] == ["Hello wörld.", *[None] * 5]
    assert {c.domain for c in found.clips} == {"music"}


def test_the_nearest_folder_named_after_a_domain_tells_it(record, tmp_path):
    expected = {
        "Speech": "speech",
        "env/rain": "environment",
        "music/voice": "speech",
        "songs": "music",
        "other": "unknown",
    }
    for folder in expected:
        record(f"set/{folder}/a.wav")
    found = {clip.id: clip.domain for clip in folder_set(tmp_path / "set").clips}
    assert found == {f"set/{folder}/a": domain for folder, domain in expected.items()}


def test_transcripts_in_other_encodings_are_read_and_what_is_no_text_is_named(record, tmp_path):
    record("set/a.wav").with_suffix(".txt").write_bytes("naïve café".encode("utf-16"))
    record("set/b.wav").with_suffix(".txt").write_bytes("naïve café".encode("cp1252"))
    record("set/c.wav").with_suffix(".txt").write_bytes("word".encode("utf-16-le"))
    found = folder_set(tmp_path / "set")
    assert [clip.transcript for clip in found.clips] == ["naïve café", "naïve café", None]
    (note,) = found.notes
    assert note.startswith("2 transcripts not UTF-8, for example: left out, cannot read the")
    assert "c.txt (line 1 holds a NUL byte" in note


def test_files_that_cannot_be_read_stay_in_the_set(record, tmp_path):
    record("set/a.wav")
    (tmp_path / "set/music").mkdir()
    (tmp_path / "set/music/b.wav").write_text("not audio")
    (tmp_path / "set/c.wav").symlink_to("gone.wav")
    os.mkfifo(tmp_path / "set/d.wav")
    # Rows and digests are UTF-8; such a name would end the whole run.
    record(f"set/{os.fsdecode(b'caf' + bytes([0xE9]))}.wav")
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/a"]
    reasons = {(b.id, b.domain): b.reason for b in found.broken}
    expected = {
        ("set/c", "unknown"): "does not exist",
        (r"set/caf\udce9", "unknown"): "not UTF-8; rename the file",
        ("set/d", "unknown"): "is a named pipe (FIFO)",
        ("set/music/b", "music"): "is not audio",
    }
    assert list(reasons) == list(expected)
    assert all(text in reasons[key] for key, text in expected.items())
    assert [reason.encode() for reason in reasons.values()]


def test_a_folder_that_holds_no_audio_or_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(TestSetError, match=r"holds no audio; expected WAV, FLAC"):
        folder_set(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(TestSetError, match=r"may not be read by this user; check its perm"):
        folder_set(tmp_path)


def test_other_kinds_of_audio_are_read_and_the_rest_is_named(record, tmp_path):
    for name in ("a.wav", "b.au", "c.caf", "d.w64"):
        record(f"set/{name}")
    (tmp_path / "set/f.m4a").write_bytes(by_pyav("ipod", "alac"))
    (tmp_path / "set/g.sph").write_bytes(by_soundfile("NIST", "PCM_16"))
    (tmp_path / "set/e.mp3").write_bytes(by_pyav("mp3", "libmp3lame", write_xing="0"))
    settle(tmp_path / "set/e.mp3")
    (tmp_path / "set/a.txt").write_text("what is said in a.wav")
    for name in ("README", "notes.txt", "h.raw", "i.raw"):
        (tmp_path / "set" / name).write_bytes(b"x")
    for _ in range(2):
        found = folder_set(tmp_path / "set", reading=Reading(keep=True))
        assert ids(found) == [f"set/{name}" for name in "abcdefg"]
        assert found.notes == (
            "4 files left out, not read as audio: 2 .raw, 1 without suffix, 1 .txt (README)",
        )
        notes = {clip.id: (clip.note, clip.num_samples) for clip in found.clips if clip.note}
        mp3 = read(tmp_path / "set/e.mp3").num_samples
        assert notes == {"set/e": ("length not stated", mp3)}  # kept in the index, too


def test_links_are_followed_once_and_closed_folders_missing(record, tmp_path, monkeypatch):
    for name in ("elsewhere/b.wav", "set/real/a.wav", "set/closed/c.wav"):
        record(name)
    (tmp_path / "set/an_alias").symlink_to("real")
    (tmp_path / "set/real/around").symlink_to("..")
    (tmp_path / "set/more").symlink_to(tmp_path / "elsewhere")
    scandir = os.scandir

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/more/b", "set/real/a"]
    twice = "linked folders whose files are in the set already: an_alias, real/around"
    assert found.notes == (twice,)
    assert found.missing == (f"{tmp_path / 'set/closed'} cannot be read (Permission denied)",)


def test_a_complete_copy_and_one_that_lacks_files(miniature):
    steps = Steps()
    for _ in range(2):  # read once
        found = corpus_set(MINIATURE, miniature, reading=Reading(progress=steps))
    assert (steps.stages, steps.done) == ([("reading files", 4)], 4)
    assert ids(found) == [f"miniature/{name}" for name in ("a/one", "a/two", "b/one", "b/two")]
    clip = found.clips[0]
    assert (clip.domain, clip.cluster, clip.transcript) == ("speech", "a", "says one")
    assert (clip.licence, clip.lossy_source) == ("CC0-1.0", False)
    assert clip.path == miniature / "a/one.wav"
    assert found.roots == {"miniature": miniature}
    assert (found.broken, found.missing) == ((), ())
    corrupt = "miniature/b/bad is left out, corrupt in every copy: was never readable"
    assert found.notes == (corrupt,)
    # Several corpora are one set.
    two = corpus_set(replace(MINIATURE, name="other"), miniature)
    both = joined("both", [found, two])
    assert (both.name, len(both.clips), set(both.roots)) == ("both", 8, {"miniature", "other"})
    assert both.notes == found.notes + two.notes
    with pytest.raises(TestSetError, match="has the id 'miniature/a/one' twice"):
        joined("both", [found, found])
    # A file that is broken here alone stays in the set.
    (miniature / "a/one.wav").write_bytes((miniature / "a/one.wav").read_bytes()[:500])
    for name in ("bad", "one", "two"):
        (miniature / f"b/{name}.wav").unlink()
    found = corpus_set(MINIATURE, miniature)
    assert [clip.id for clip in found.broken] == ["miniature/a/one"]
    assert "holds 0.03 of the 0.10 s that its header states" in found.broken[0].reason
    assert found.missing == (
        "miniature: 2 files, a complete copy has 5",
        "miniature: 1 speakers or tracks, a complete copy has 2",
    )


def test_verifying_finds_every_difference_and_accepts_none(miniature, record):
    with pytest.raises(TestSetError, match=r"no index of miniature --root .* snacbench sets index"):
        verify(miniature, MINIATURE)
    with pytest.raises(TestSetError, match=r"no index of .*copy to compare with"):
        verify(miniature)
    corpus_set(MINIATURE, miniature)
    assert verify(miniature, MINIATURE) == (4, [])
    flipped = bytearray((miniature / "a/one.wav").read_bytes())
    flipped[-1] ^= 1
    (miniature / "a/one.wav").write_bytes(flipped)
    settle(miniature / "a/one.wav")
    (miniature / "a/two.wav").unlink()
    (miniature / "b/one.wav").write_text("no longer audio")
    record("copy/b/new.wav")
    for _ in range(2):
        _, (changed, gone, new, broken) = verify(miniature, MINIATURE)
        assert changed.startswith("a/one.wav: has changed, sha256 was ")
        assert gone == "a/two.wav: is gone"
        assert new == "b/new.wav: is new, not in the index"
        assert broken.startswith("b/one.wav: ")
        assert "is not audio" in broken
    corpus_set(MINIATURE, miniature, reading=Reading(trust=False))  # accepts what is there
    assert len(verify(miniature, MINIATURE)[1]) == 1
