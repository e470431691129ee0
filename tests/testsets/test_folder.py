"""Corpora: fetched, checked and unpacked once; folders: every file found, read and counted."""

import hashlib
import os
import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from unittest.mock import Mock

import pytest

from snacbench.audio.io import read
from snacbench.errors import DigestMismatch, TestSetError
from snacbench.files import sha256_of_file
from snacbench.testsets import roots
from snacbench.testsets.corpora.corpus import Download
from snacbench.testsets.folder import corpus_set, folder_set, verify
from snacbench.testsets.records import Reading
from snacbench.testsets.roots import fetch, unpack
from snacbench.testsets.testset import joined
from tests.support.containers import by_pyav, by_soundfile
from tests.support.hosts import Reply, serve
from tests.support.testsets import MINIATURE, Steps, make_tar, settle


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
    # The nearest folder that is named after a domain tells it.
    expected = {"Speech": "speech", "env/rain": "environment", "music/voice": "speech"}
    expected |= {"songs": "music", "other": "unknown"}
    for folder in expected:
        record(f"named/{folder}/a.wav")
    domains = {clip.id: clip.domain for clip in folder_set(tmp_path / "named").clips}
    assert domains == {f"named/{folder}/a": domain for folder, domain in expected.items()}


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
    denied = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(os, "scandir", denied)  # root may read everything
    with pytest.raises(TestSetError, match=r"be read \(Permission denied\)\) holds no audio"):
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
        left = "4 files left out, not read as audio: 2 .raw, 1 without suffix, 1 .txt (README)"
        assert found.notes == (left,)
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
    lacks = ("2 files, a complete copy has 5", "1 speakers or tracks, a complete copy has 2")
    assert found.missing == tuple(f"miniature: {of}" for of in lacks)


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


@pytest.fixture
def archive(miniature, tmp_path):
    """The miniature corpus."""
    names = [p.relative_to(miniature).as_posix() for p in miniature.rglob("*") if p.is_file()]
    files = {name: (miniature / name).read_bytes() for name in names}
    return make_tar(tmp_path / "miniature.tar.gz", files).read_bytes()


def test_a_corpus_is_fetched_unpacked_and_whole_and_not_fetched_again(archive, tmp_path):
    root, digest = tmp_path / "fetched", hashlib.sha256(archive).hexdigest()
    sha1 = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    with serve() as host:
        path = "/files/miniature.tar.gz"
        host.replies[path] = Reply(archive, ranges=True, headers={"ETag": '"1"'})
        item = Download(f"{host.address}{path}?download=1")
        for digests in ({"md5": "0" * 32}, {"sha1": "0" * 40}, {"sha256": "0" * 64}):
            message = rf"has {next(iter(digests))} \w+, expected 0000.*was not kept"
            with pytest.raises(DigestMismatch, match=message):
                fetch(replace(item, **digests), root)
        assert [path for path in root.rglob("*") if path.suffix in (".wav", ".gz")] == []
        known = replace(item, sha256=digest, sha1=sha1, size_bytes=len(archive))
        assert fetch(known, root) == f"miniature.tar.gz: sha256 {digest}, 5 files unpacked"
        assert corpus_set(MINIATURE, root).missing == ()
        assert not list(root.rglob("*.tar.gz"))
        asked = len(host.asked)
        assert fetch(item, root) == "miniature.tar.gz: was fetched and unpacked before"
        assert len(host.asked) == asked
        (root / ".snacbench/miniature.tar.gz.done").write_text("half a line")
        fetch(item, root)
        assert len(host.asked) > asked


FILES = {"set/a.wav": b"first", "set/deep/er/b.wav": b"second" * 1000, "read me.txt": b""}
OUTSIDE = ["../evil.wav", "/evil.wav", "set/../../evil.wav", "..", "link/a.wav"]


def archive_of(folder, kind, files):
    path = folder / f"archive.{kind}"
    if kind != "zip":
        return make_tar(path, files, mode="w:gz" if kind == "tar.gz" else "w")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["zip", "tar.gz", "tar"])
def make(request, tmp_path):
    return partial(archive_of, tmp_path, request.param)


def unpacked(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_everything_lands_in_the_folder_and_a_killed_unpacking_goes_on(make, tmp_path):
    root = tmp_path / "new" / "root"
    archive = make(FILES)
    assert unpack(archive, root) == 3
    assert unpacked(root) == FILES
    (root / "set/a.wav").unlink()
    kept = root / "set/deep/er/b.wav"
    before = kept.stat().st_mtime_ns
    steps = Steps()
    unpack(archive, root, progress=steps)
    assert unpacked(root) == FILES
    assert kept.stat().st_mtime_ns == before
    known = 3 if archive.suffix == ".zip" else None
    assert (steps.stages, steps.done) == ([("unpacking", known)], 3)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_of_the_folder_is_refused(make, tmp_path, name):
    archive = make({"good.wav": b"good", name: b"evil"})
    for folder in ("outside", "root"):
        (tmp_path / folder).mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(TestSetError, match=r" holds '.*', which is no plain file inside of .*root"):
        unpack(archive, tmp_path / "root")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {archive.name, "good.wav"}
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        with tarfile.open(tmp_path / "odd.tar", "w") as odd:
            member = tarfile.TarInfo("set/link.wav")
            member.type, member.linkname = kind, "/etc/passwd"
            odd.addfile(member)
        with pytest.raises(TestSetError, match=r"holds 'set/link.wav', which is no plain file"):
            unpack(tmp_path / "odd.tar", tmp_path / "root")


def flipped(content):
    return content[:60] + bytes([content[60] ^ 0xFF]) + content[61:]


def locked(content):
    """As if it had a password."""
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # of the file, of the index
        at = content.rindex(header) + flags
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    return content


@pytest.mark.parametrize(("kind", "harm", "message"), [
    ("zip", flipped, r"is damaged or not readable \(.*\); delete it and"),
    ("zip", locked, r"not readable .*is encrypted, password required"),
    ("tar.gz", lambda content: content[:-300], r"is damaged or not readable \("),
    ("tar", lambda content: content[:200_000], r"is damaged or not readable \("),
    ("zip", lambda _: b"<html>not found</html>", "neither a zip nor a tar archive; fetch it"),
])  # fmt: skip
def test_what_cannot_be_unpacked_is_named(tmp_path, kind, harm, message):
    made = archive_of(tmp_path, kind, {"a.wav": bytes(range(256)) * 999})
    made.write_bytes(harm(made.read_bytes()))
    with pytest.raises(TestSetError, match=message):
        unpack(made, tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


def test_a_folder_that_takes_no_files(tmp_path, monkeypatch):
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(roots.shutil, "copyfileobj", full)
    text = r"cannot unpack archive.zip in .* \(No space left on device\); see that there is room"
    with pytest.raises(TestSetError, match=text):
        unpack(archive_of(tmp_path, "zip", FILES), tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}
