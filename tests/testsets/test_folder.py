from __future__ import annotations

import os

import pytest

from snacbench.audio.io import read
from snacbench.errors import TestSetError
from snacbench.files import sha256_of_file
from snacbench.testsets.folder import folder_set
from snacbench.testsets.records import Reading
from tests.support.containers import by_pyav, by_soundfile
from tests.support.testsets import settle


def ids(test_set) -> list[str]:
    return [clip.id for clip in test_set.clips]


def test_ids_are_paths_below_the_folder_without_suffix(record, tmp_path):
    for name in ("set/b.wav", "set/a.flac", "set/deep/er/c.WAV", "set/notes.md"):
        if name.endswith(".md"):
            (tmp_path / name).write_text("no audio")
        else:
            record(name)
    found = folder_set(tmp_path / "set")
    assert found.name == "set"
    assert ids(found) == ["set/a", "set/b", "set/deep/er/c"]


def test_clips_know_what_their_file_holds(record, tmp_path):
    path = record("set/a.wav", seconds=0.5)
    (clip,) = folder_set(tmp_path / "set").clips
    assert (clip.rate_hz, clip.channels, clip.num_samples, clip.start) == (8000, 1, 4000, 0)
    assert clip.path == path.resolve()
    assert clip.sha256 == sha256_of_file(path)


@pytest.mark.parametrize(
    ("folder", "domain"),
    [
        ("Speech", "speech"),
        ("env/rain", "environment"),
        ("music/voice", "speech"),
        ("songs", "music"),
        ("other", "unknown"),
        (".", "unknown"),
    ],
)
def test_the_nearest_folder_named_after_a_domain_tells_it(record, tmp_path, folder, domain):
    record(f"set/{folder}/a.wav")
    assert [c.domain for c in folder_set(tmp_path / "set").clips] == [domain]


def test_transcripts_lie_beside_the_audio(record, tmp_path):
    record("set/a.wav", text=" Hello wörld.\n")
    record("set/b.wav", text="  \n")
    record("set/c.wav")
    assert [c.transcript for c in folder_set(tmp_path / "set").clips] == [
        "Hello wörld.",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("naïve café".encode("utf-8-sig"), ""),
        ("naïve café".encode("utf-16"), ""),
        ("naïve café".encode("utf-16-be").join([b"\xfe\xff", b""]), ""),
        ("naïve café".encode("cp1252"), "1 transcript not UTF-8, read as Windows-1252: a.txt"),
    ],
)
def test_transcripts_in_other_encodings_are_read(record, tmp_path, data, note):
    record("set/a.wav").with_suffix(".txt").write_bytes(data)
    found = folder_set(tmp_path / "set")
    assert [clip.transcript for clip in found.clips] == ["naïve café"]
    assert found.notes == ((note,) if note else ())


def test_a_transcript_that_is_no_text_is_named(record, tmp_path):
    record("set/a.wav").with_suffix(".txt").write_bytes("word".encode("utf-16-le"))
    found = folder_set(tmp_path / "set")
    assert found.clips[0].transcript is None
    assert "1 transcript left out: cannot read the transcript" in found.notes[0]
    assert "a.txt (line 1 holds a NUL byte" in found.notes[0]


def test_hidden_files_and_folders_are_left_out(record, tmp_path):
    for name in ("a.wav", "._b.wav", ".trash/c.wav", "d.wav/e.wav"):
        record(f".cache/set/{name}")
    found = folder_set(tmp_path / ".cache/set", domain="music")
    assert ids(found) == ["set/a", "set/d.wav/e"]
    assert {clip.domain for clip in found.clips} == {"music"}


def test_a_broken_file_stays_in_the_set(record, tmp_path):
    record("set/a.wav")
    (tmp_path / "set/music").mkdir()
    (tmp_path / "set/music/b.wav").write_text("not audio")
    (tmp_path / "set/c.wav").symlink_to("gone.wav")
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/a"]
    assert [(b.id, b.domain) for b in found.broken] == [
        ("set/c", "unknown"),
        ("set/music/b", "music"),
    ]
    assert "does not exist" in found.broken[0].reason
    assert "is not audio" in found.broken[1].reason


def test_a_file_name_that_is_not_utf8_becomes_a_broken_clip(record, tmp_path):
    """Rows and digests are UTF-8; such a name would end the whole run."""
    record(f"set/{os.fsdecode(b'caf' + bytes([0xE9]))}.wav")
    record("set/a.wav")
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/a"]
    (broken,) = found.broken
    assert broken.id == r"set/caf\udce9"
    assert "not UTF-8; rename the file" in broken.reason
    broken.reason.encode()


@pytest.mark.parametrize("hold", ["nothing", "no audio"])
def test_a_folder_without_audio_is_an_error(tmp_path, hold):
    if hold == "no audio":
        (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(TestSetError, match=r"holds no audio; expected WAV, FLAC"):
        folder_set(tmp_path)


def test_a_folder_that_may_not_be_read_is_an_error(record, tmp_path, monkeypatch):
    record("set/a.wav")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(TestSetError, match=r"set may not be read by this user; check its perm"):
        folder_set(tmp_path / "set")


def test_other_kinds_of_audio_are_read_and_the_rest_is_named(record, tmp_path):
    for name in ("a.wav", "b.au", "c.caf", "d.w64"):
        record(f"set/{name}")
    (tmp_path / "set/f.m4a").write_bytes(by_pyav("ipod", "alac"))
    (tmp_path / "set/g.sph").write_bytes(by_soundfile("NIST", "PCM_16"))
    (tmp_path / "set/a.txt").write_text("what is said in a.wav")
    for name in ("README", "notes.txt", "h.raw", "i.raw"):
        (tmp_path / "set" / name).write_bytes(b"x")
    found = folder_set(tmp_path / "set")
    assert ids(found) == [f"set/{name}" for name in "abcdfg"]
    assert found.notes == (
        "4 files left out, not read as audio: 2 .raw, 1 without suffix, 1 .txt (README)",
    )


def test_a_file_keeps_its_id_beside_one_of_a_kind_that_was_not_read_before(record, tmp_path):
    for name in ("a.wav", "a.au", "b.au", "b.caf", "c.flac", "c.wav"):
        record(f"set/{name}")
    assert ids(folder_set(tmp_path / "set")) == [
        "set/a",
        "set/a.au",
        "set/b.au",
        "set/b.caf",
        "set/c.flac",
        "set/c.wav",
    ]


def test_linked_folders_are_followed_once(record, tmp_path):
    record("elsewhere/b.wav")
    record("set/real/a.wav")
    (tmp_path / "set/an_alias").symlink_to("real")
    (tmp_path / "set/real/around").symlink_to("..")
    (tmp_path / "set/more").symlink_to(tmp_path / "elsewhere")
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/more/b", "set/real/a"]
    assert found.notes == (
        "linked folders whose files are in the set already: an_alias, real/around",
    )


def test_a_folder_below_that_may_not_be_read_is_missing(record, tmp_path, monkeypatch):
    record("set/a.wav")
    record("set/closed/b.wav")
    scandir = os.scandir

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    found = folder_set(tmp_path / "set")
    assert ids(found) == ["set/a"]
    assert found.missing == (f"{tmp_path / 'set/closed'} cannot be read (Permission denied)",)


def test_a_pipe_among_files_is_a_broken_clip(record, tmp_path):
    record("set/a.wav")
    os.mkfifo(tmp_path / "set/b.wav")
    found = folder_set(tmp_path / "set")
    assert [b.id for b in found.broken] == ["set/b"]
    assert "is a named pipe (FIFO)" in found.broken[0].reason


def test_a_length_that_is_not_stated_is_noted_and_kept_in_the_index(record, tmp_path):
    bare = by_pyav("mp3", "libmp3lame", write_xing="0")
    record("set/a.wav")
    (tmp_path / "set/b.mp3").write_bytes(bare)
    settle(tmp_path / "set/b.mp3")
    for _ in range(2):
        a, b = folder_set(tmp_path / "set", reading=Reading(keep=True)).clips
        assert (a.note, b.note) == ("", "length not stated")
        assert b.num_samples == read(b.path).num_samples
