"""Archives unpacked into a folder, never beside it."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from snacbench.errors import TestSetError
from snacbench.testsets.records import Progress

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}

# A member's name, its size and its bytes.
_Member = tuple[str, int, IO[bytes]]


def unpack(archive: Path, folder: Path, *, progress: Progress | None = None) -> int:
    """Unpack a zip or tar archive and return how many files it holds.

    Files appear complete or not at all; one that is there with the right size stays as it is, so
    that an unpacking that was killed goes on. Only plain files and folders are unpacked.

    Raises
    ------
    TestSetError
        If the archive is damaged, is none, holds a link, a device, or a name that leads out of
        the folder, or the disk is full.
    """
    count = 0
    try:
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        if progress:
            progress.begin("unpacking", _number_of_members(archive))
        for name, size_bytes, stream in _members(archive, folder):
            target = _inside(name, folder, archive)
            if not (target.is_file() and target.stat().st_size == size_bytes):
                _write(stream, target)
            count += 1
            if progress:
                progress.step()
    except _DAMAGED as error:
        raise TestSetError(
            f"{archive} is damaged ({error}); delete it and fetch it again"
        ) from error
    except OSError as error:
        raise TestSetError(_why_unwritable(archive, folder, error)) from error
    return count


def _members(archive: Path, folder: Path) -> Iterator[_Member]:
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive, "r|*") as tar:  # one pass: large ones take minutes to read
            for member in tar:
                if member.isdir():
                    continue
                extracted = tar.extractfile(member) if member.isfile() else None
                if extracted is None:
                    raise TestSetError(
                        f"{archive} holds {member.name!r}, which is no plain file; it is not what "
                        "it should be and is not unpacked"
                    )
                with extracted:
                    yield member.name, member.size, extracted
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            plain = [info for info in opened.infolist() if not info.is_dir()]
            for info in plain:
                _inside(info.filename, folder, archive)  # all names before the first file
            for info in plain:
                with opened.open(info) as stream:
                    yield info.filename, info.file_size, stream
    else:
        raise TestSetError(f"{archive} is neither a zip nor a tar archive; fetch it again")


def _number_of_members(archive: Path) -> int:
    """What a progress bar counts to; 0 where counting means reading the whole archive."""
    if tarfile.is_tarfile(archive) or not zipfile.is_zipfile(archive):
        return 0
    with zipfile.ZipFile(archive) as opened:
        return sum(not info.is_dir() for info in opened.infolist())


def _inside(name: str, folder: Path, archive: Path) -> Path:
    """Where a member goes.

    Raises
    ------
    TestSetError
        If that is outside of the folder, links that lie in it included.
    """
    listed = PurePosixPath(name)
    target = folder / listed
    climbs = listed.is_absolute() or ".." in listed.parts or "\\" in name
    if climbs or not target.resolve().is_relative_to(folder.resolve()):
        raise TestSetError(
            f"{archive} holds {name!r}, which would be written outside of {folder}; it is not "
            "what it should be and is not unpacked"
        )
    return target


def _write(stream: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as written:
            shutil.copyfileobj(stream, written, 1 << 20)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _why_unwritable(archive: Path, folder: Path, error: OSError) -> str:
    text = error.strerror or str(error)
    if error.errno in _OUT_OF_SPACE:
        return f"no room to unpack {archive.name} in {folder} ({text}); free some space, run again"
    return f"cannot unpack {archive.name} in {folder} ({text}); check its permissions"
