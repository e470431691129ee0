"""Fetching a corpus: checked, unpacked, once."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from dataclasses import replace
from unittest.mock import Mock

import pytest

from snacbench.errors import DigestMismatch, TestSetError
from snacbench.testsets import fetch as fetching
from snacbench.testsets.corpora.corpus import Download
from snacbench.testsets.fetch import downloads_of, fetch, file_name_of, unpack
from snacbench.testsets.folder import corpus_set
from tests.support.hosts import Reply, serve
from tests.support.testsets import MINIATURE, Steps, make_tar


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
        with pytest.raises(DigestMismatch, match="has md5"):
            fetch(replace(item, md5="0" * 32), root)
        with pytest.raises(TestSetError, match=r"has sha1 \w{40}, expected 0000.*was not kept"):
            fetch(replace(item, sha1="0" * 40), root)
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
        # What is no archive goes into the root.
        assert fetch(replace(item, archive=False), root) == f"miniature.tar.gz: sha256 {digest}"
        assert (root / "miniature.tar.gz").read_bytes() == archive


def test_a_corpus_that_no_program_may_fetch_says_where_it_is():
    text = r"miniature cannot be fetched by a program. Where to get it: It is made"
    with pytest.raises(TestSetError, match=text):
        downloads_of(MINIATURE)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/files/my%20set.zip?download=1#x", "my set.zip"),
        ("https://host/files/set.zip/content", "set.zip"),
        ("https://host/plain", "plain"),
        ("https://host/..%2f..%2fevil.zip/safe.zip", "safe.zip"),
        ("https://host", "download"),
    ],
)
def test_files_are_named_by_their_address(url, name):
    assert file_name_of(url) == name


FILES = {"set/a.wav": b"first", "set/deep/er/b.wav": b"second" * 1000, "read me.txt": b""}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(params=["zip", "tar.gz", "tar"])
def make(request, tmp_path):
    def archive(files):
        path = tmp_path / f"archive.{request.param}"
        if request.param == "zip":
            return make_zip(path, files)
        return make_tar(path, files, mode="w:gz" if request.param == "tar.gz" else "w")

    return archive


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


@pytest.mark.parametrize(
    "name", ["../evil.wav", "/evil.wav", "set/../../evil.wav", "..\\evil.wav", "..", "link/a.wav"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(make, tmp_path, name):
    archive = make({"good.wav": b"good", name: b"evil"})
    for folder in ("outside", "root"):
        (tmp_path / folder).mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(TestSetError, match=r" holds '.*' ?.*outside of .*root; it is not"):
        unpack(archive, tmp_path / "root")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {archive.name, "good.wav"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_tar_archive_may_hold_plain_files_only(tmp_path, kind):
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("set/link.wav")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(TestSetError, match=r"holds 'set/link.wav', which is no plain file"):
        unpack(path, tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


def flipped(content):
    return content[:60] + bytes([content[60] ^ 0xFF]) + content[61:]


def locked(content):
    """As if it had a password."""
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # of the file, of the index
        at = content.rindex(header) + flags
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    return content


@pytest.mark.parametrize(
    ("kind", "harm", "message"),
    [
        ("zip", flipped, r"is damaged or not readable \(.*\); delete it and"),
        ("zip", locked, r"not readable .*is encrypted, password required"),
        ("tar.gz", lambda content: content[:-300], r"is damaged or not readable \("),
        ("tar", lambda content: content[:200_000], r"is damaged or not readable \("),
        ("zip", lambda _: b"<html>not found</html>", "neither a zip nor a tar archive; fetch it"),
    ],
)
def test_what_cannot_be_unpacked_is_named(tmp_path, kind, harm, message):
    path, files = tmp_path / f"archive.{kind}", {"a.wav": bytes(range(256)) * 999}
    mode = "w:gz" if kind == "tar.gz" else "w"
    made = make_zip(path, files) if kind == "zip" else make_tar(path, files, mode=mode)
    made.write_bytes(harm(made.read_bytes()))
    with pytest.raises(TestSetError, match=message):
        unpack(path, tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


def test_a_folder_that_takes_no_files(tmp_path, monkeypatch):
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr(fetching.shutil, "copyfileobj", full)
    text = r"cannot unpack archive.zip in .* \(No space left on device\); see that there is room"
    with pytest.raises(TestSetError, match=text):
        unpack(make_zip(tmp_path / "archive.zip", FILES), tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}
