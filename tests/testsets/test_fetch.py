"""Fetching a corpus: checked, unpacked, once."""

from __future__ import annotations

import errno
import hashlib
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.errors import DigestMismatch, TestSetError
from snacbench.testsets import fetch as fetching
from snacbench.testsets.corpora.corpus import Download
from snacbench.testsets.fetch import downloads_of, fetch, file_name_of, install, unpack
from snacbench.testsets.folder import corpus_set
from tests.support.hosts import Host, Reply, serve
from tests.support.testsets import MINIATURE, Steps, make_tar


@pytest.fixture
def host() -> Iterator[Host]:
    with serve() as running:
        yield running


@pytest.fixture
def archive(miniature, tmp_path, host) -> bytes:
    """The miniature corpus as the host hands it out."""
    names = [p.relative_to(miniature).as_posix() for p in miniature.rglob("*") if p.is_file()]
    files = {name: (miniature / name).read_bytes() for name in names}
    content = make_tar(tmp_path / "miniature.tar.gz", files).read_bytes()
    host.replies["/files/miniature.tar.gz"] = Reply(content, ranges=True, headers={"ETag": '"1"'})
    return content


def item(host: Host, **facts: object) -> Download:
    return replace(Download(f"{host.address}/files/miniature.tar.gz?download=1"), **facts)


def test_a_corpus_is_fetched_unpacked_and_whole_and_not_fetched_again(host, archive, tmp_path):
    root = tmp_path / "fetched"
    known = {"sha256": hashlib.sha256(archive).hexdigest(), "size_bytes": len(archive)}
    known["sha1"] = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    line = install(fetch(item(host, **known), root), root)
    assert line == f"miniature.tar.gz: sha256 {known['sha256']}, 5 files unpacked"
    assert corpus_set(MINIATURE, root).missing == ()
    assert not list(root.rglob("*.tar.gz"))
    asked = len(host.asked)
    assert install(fetch(item(host), root), root) == (
        "miniature.tar.gz: was fetched and unpacked before"
    )
    assert len(host.asked) == asked
    (root / ".snacbench/miniature.tar.gz.done").write_text("half a line")
    fetch(item(host), root)
    assert len(host.asked) > asked


def test_a_plain_file_goes_into_the_root(host, archive, tmp_path):
    root = tmp_path / "fetched"
    line = install(fetch(item(host, archive=False), root), root)
    assert line == f"miniature.tar.gz: sha256 {hashlib.sha256(archive).hexdigest()}"
    assert (root / "miniature.tar.gz").read_bytes() == archive


def test_a_wrong_digest_is_not_unpacked(host, archive, tmp_path):
    root = tmp_path / "fetched"
    with pytest.raises(DigestMismatch, match="has md5"):
        fetch(item(host, md5="0" * 32), root)
    with pytest.raises(TestSetError, match=r"has sha1 \w{40}, expected 0000.*was not kept"):
        fetch(item(host, sha1="0" * 40), root)
    assert not list(root.rglob("*.wav"))
    assert not list(root.rglob("*.tar.gz"))


def test_a_corpus_that_no_program_may_fetch_says_where_it_is():
    text = r"miniature cannot be fetched by a program. Where to get it: It is made"
    with pytest.raises(TestSetError, match=text):
        downloads_of(MINIATURE)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/b.tar.gz", "b.tar.gz"),
        ("https://host/files/my%20set.zip?download=1#x", "my set.zip"),
        ("https://host/files/set.zip/content", "set.zip"),
        ("https://host/v1.0/master.zip", "master.zip"),
        ("https://host/plain", "plain"),
        ("https://host/..%2f..%2fevil.zip/safe.zip", "safe.zip"),
        ("https://host", "download"),
    ],
)
def test_files_are_named_by_their_address(url, name):
    assert file_name_of(url) == name


# ---------------------------------------------------------------------------------- unpacking

FILES = {"set/a.wav": b"first", "set/deep/er/b.wav": b"second" * 1000, "read me.txt": b""}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(params=["zip", "tar.gz", "tar"])
def make(request, tmp_path):
    def archive(files: dict[str, bytes], name: str = "archive") -> Path:
        path = tmp_path / f"{name}.{request.param}"
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
    "name", ["../evil.wav", "/evil.wav", "set/../../evil.wav", "..\\evil.wav", ".."]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(make, tmp_path, name):
    archive = make({"good.wav": b"good", name: b"evil"}, "evil")
    with pytest.raises(TestSetError, match=r"evil\.\S+ holds '.*' ?.*outside of .*root; it is not"):
        unpack(archive, tmp_path / "root")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    # A tar archive is read in one pass.
    assert written == {archive.name, *(() if archive.suffix == ".zip" else ("good.wav",))}


def test_a_link_in_the_folder_is_no_way_out(make, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "set").symlink_to(tmp_path / "outside")
    with pytest.raises(TestSetError, match="would be written outside of"):
        unpack(make(FILES), tmp_path / "root")
    assert not list((tmp_path / "outside").iterdir())


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


def test_a_damaged_archive_is_said_to_be(make, tmp_path):
    archive = make({"a.wav": bytes(range(256)) * 999})
    if archive.suffix == ".zip":
        content = bytearray(archive.read_bytes())
        content[60] ^= 0xFF
        archive.write_bytes(content)
    else:
        archive.write_bytes(
            archive.read_bytes()[:-300][: 200_000 if archive.suffix == ".tar" else None]
        )
    with pytest.raises(TestSetError, match=r"is damaged or not readable \(.*\); delete it and"):
        unpack(archive, tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


def test_an_archive_with_a_password_is_said_to_have_one(tmp_path):
    path = make_zip(tmp_path / "archive.zip", {"a.wav": b"x" * 40})
    content = path.read_bytes()
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # of the file, of the index
        at = content.rindex(header) + flags
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    path.write_bytes(content)
    with pytest.raises(TestSetError, match=r"not readable .*is encrypted, password required"):
        unpack(path, tmp_path / "root")


def test_what_is_no_archive_is_said_to_be_none(tmp_path):
    (tmp_path / "page.zip").write_text("<html>not found</html>")
    with pytest.raises(TestSetError, match="neither a zip nor a tar archive; fetch it again"):
        unpack(tmp_path / "page.zip", tmp_path / "root")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"no room to unpack archive.zip in .*; free some space, run again"),
        (errno.EACCES, r"cannot unpack archive.zip in .*Permission denied.*check its permissions"),
    ],
)
def test_a_folder_that_takes_no_files(tmp_path, monkeypatch, number, message):
    def refuse(*_: object) -> None:
        raise OSError(number, "Permission denied" if number == errno.EACCES else "No space left")

    monkeypatch.setattr(fetching.shutil, "copyfileobj", refuse)
    with pytest.raises(TestSetError, match=message):
        unpack(make_zip(tmp_path / "archive.zip", FILES), tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}
