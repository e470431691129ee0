"""Corpora whose terms let anyone download them: fetched, checked, unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

from snacbench import download
from snacbench.errors import TestSetError
from snacbench.files import atomic
from snacbench.progress import Progress, Silent
from snacbench.testsets.corpora.corpus import Corpus, Download

_WORK_FOLDER = ".snacbench"  # hidden: no layout looks into it
# zipfile raises RuntimeError at a password, NotImplementedError at an unknown compression.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def downloads_of(corpus: Corpus) -> tuple[Download, ...]:
    """What a corpus consists of.

    Raises `TestSetError` if it cannot be downloaded by a program; the message says where to get it.
    """
    if not corpus.downloads:
        raise TestSetError(
            f"{corpus.name} cannot be fetched by a program. Where to get it: {corpus.where}"
        )
    return corpus.downloads


def fetch(
    item: Download, root: Path, *, progress: Progress | None = None, offline: bool = False
) -> str:
    """Fetch a file of a corpus unless it is there, unpack an archive, and say what was done.

    What a killed fetch left is taken up again. Archives go to ``<root>/.snacbench`` until they are
    unpacked, other files into the root itself. Raises `DownloadError` if the file cannot be
    fetched, or not be kept; `TestSetError` if it has not the sha1 that it must have or cannot be
    unpacked.
    """
    name = file_name_of(item.url)
    path = root / _WORK_FOLDER / name if item.archive else root / name
    done = path.with_name(f"{name}.done")
    if item.archive:
        with suppress(OSError, ValueError):
            url, digest = done.read_text("utf-8").split()
            if url == item.url and digest.startswith(item.sha256):
                return f"{name}: was fetched and unpacked before"
    digest = download.fetch_file(
        item.url,
        path,
        sha256=item.sha256,
        md5=item.md5,
        size_bytes=item.size_bytes,
        progress=progress,
        offline=offline,
    )
    if item.sha1:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha1").hexdigest()
        if found != item.sha1:
            path.unlink()
            raise TestSetError(
                f"{item.url} has sha1 {found}, expected {item.sha1}; the file was not kept"
            )
    line = f"{name}: sha256 {digest}"
    if not item.archive:
        return line
    count = unpack(path, root, progress=progress)
    done.write_text(f"{item.url}\n{digest}\n", "utf-8")
    path.unlink()
    return f"{line}, {count} files unpacked"


def file_name_of(url: str) -> str:
    """The file that a URL names: the last part of its path that looks like one."""
    parts = [unquote(part) for part in PurePosixPath(urlsplit(url).path).parts]
    names = [part for part in parts if "/" not in part and part.strip(".")]
    with_suffix = [name for name in names if "." in name.strip(".")]
    return (with_suffix or names or ["download"])[-1]


def unpack(archive: Path, folder: Path, *, progress: Progress | None = None) -> int:
    """Unpack a zip or tar archive into a folder, never beside it; how many files it holds.

    Files appear complete or not at all; one that is there with the right size stays as it is, so
    that an unpacking that was killed goes on. Only plain files and folders are unpacked. Raises
    `TestSetError` if the archive is damaged, is none, holds a link, a device, or a name that leads
    out of the folder, or the disk is full.
    """
    progress, count = progress or Silent(), 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, size_bytes, stream in _members(archive, folder, progress):
            if not (target.is_file() and target.stat().st_size == size_bytes):
                with atomic(target) as partial, partial.open("wb") as written:
                    shutil.copyfileobj(stream, written, 1 << 20)
            count += 1
            progress.step()
    except _DAMAGED as error:
        raise TestSetError(
            f"{archive} is damaged or not readable ({error}); delete it and fetch it again"
        ) from error
    except OSError as error:
        raise TestSetError(
            f"cannot unpack {archive.name} in {folder} ({error.strerror or error}); see that there "
            "is room and that you may write there, and run again"
        ) from error
    return count


def _members(
    archive: Path, folder: Path, progress: Progress
) -> Iterator[tuple[Path, int, IO[bytes]]]:
    """Of each file of an archive its place, its size and its bytes."""

    def inside(name: str) -> Path:
        """Its place; an error if that is outside of the folder, or behind a link in it."""
        target, listed = folder / name, PurePosixPath(name)
        climbs = listed.is_absolute() or ".." in listed.parts or "\\" in name
        if climbs or not target.resolve().is_relative_to(folder.resolve()):
            raise TestSetError(
                f"{archive} holds {name!r}, which would be written outside of {folder}; it is not "
                "what it should be and is not unpacked"
            )
        return target

    if tarfile.is_tarfile(archive):
        progress.begin("unpacking", None)  # counting means reading the whole archive
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
                    yield inside(member.name), member.size, extracted
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            # Every place first: nothing is unpacked if one is wrong.
            files = [
                (info, inside(info.filename)) for info in opened.infolist() if not info.is_dir()
            ]
            progress.begin("unpacking", len(files))
            for info, target in files:
                with opened.open(info) as stream:
                    yield target, info.file_size, stream
    else:
        raise TestSetError(f"{archive} is neither a zip nor a tar archive; fetch it again")
