"""Archives: unpacked into the folder, never beside it, and again after a kill."""

from __future__ import annotations

import errno
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets import unpack as unpacking
from snacbench.testsets.unpack import unpack
from tests.testsets.test_index import Steps

FILES = {"set/a.wav": b"first", "set/deep/er/b.wav": b"second" * 1000, "read me.txt": b""}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
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


def test_everything_lands_in_the_folder(make, tmp_path):
    assert unpack(make(FILES), tmp_path / "new" / "root") == 3
    assert unpacked(tmp_path / "new" / "root") == FILES


def test_an_unpacking_that_was_killed_goes_on(make, tmp_path):
    root = tmp_path / "root"
    archive = make(FILES)
    unpack(archive, root)
    (root / "set/a.wav").unlink()
    kept = root / "set/deep/er/b.wav"
    before = kept.stat().st_mtime_ns
    unpack(archive, root)
    assert unpacked(root) == FILES
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name", ["../evil.wav", "/evil.wav", "set/../../evil.wav", "..\\evil.wav", ".."]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(make, tmp_path, name):
    archive = make({"good.wav": b"good", name: b"evil"}, "evil")
    with pytest.raises(TestSetError, match=r"evil\.\S+ holds '.*' ?.*outside of .*root; it is not"):
        unpack(archive, tmp_path / "root")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {archive.name, "good.wav"}


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
    with pytest.raises(TestSetError, match=r"is damaged \(.*\); delete it and fetch it again"):
        unpack(archive, tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


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

    monkeypatch.setattr(unpacking.shutil, "copyfileobj", refuse)
    with pytest.raises(TestSetError, match=message):
        unpack(make_zip(tmp_path / "archive.zip", FILES), tmp_path / "root")
    assert unpacked(tmp_path / "root") == {}


def test_progress_counts_the_files_of_a_zip(tmp_path):
    steps = Steps()
    unpack(make_zip(tmp_path / "archive.zip", FILES), tmp_path / "root", progress=steps)
    assert (steps.stages, steps.done) == ([("unpacking", 3)], 3)
