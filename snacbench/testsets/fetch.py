"""Corpora whose terms let anyone download them: fetched, checked, unpacked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from snacbench.download import Progress, fetch_file
from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import Corpus, Download
from snacbench.testsets.records import Progress as SetProgress
from snacbench.testsets.unpack import unpack

_WORK_FOLDER = ".snacbench"  # hidden: no layout looks into it


@dataclass(frozen=True)
class Fetched:
    """A file of a corpus that is on this disk; `path` is None if it was unpacked before."""

    item: Download
    name: str
    path: Path | None
    sha256: str


def downloads_of(corpus: Corpus) -> tuple[Download, ...]:
    """What a corpus consists of.

    Raises
    ------
    TestSetError
        If it cannot be downloaded by a program; the message says where to get it.
    """
    if not corpus.downloads:
        raise TestSetError(f"{corpus.name} cannot be fetched by a program. {where(corpus)}")
    return corpus.downloads


def where(corpus: Corpus) -> str:
    """A sentence on where to get a corpus."""
    return f"Where to get it: {corpus.where}"


def fetch(
    item: Download, root: Path, *, progress: Progress | None = None, offline: bool = False
) -> Fetched:
    """Fetch a file of a corpus unless it is there; what a killed fetch left is taken up again.

    Archives go to ``<root>/.snacbench``, other files into the root itself.

    Raises
    ------
    DownloadError
        If the file cannot be fetched, or not be kept.
    TestSetError
        If it has not the sha1 that it must have.
    """
    name = file_name_of(item.url)
    work = root / _WORK_FOLDER
    if item.archive and (digest := _unpacked_before(work / f"{name}.done", item)):
        return Fetched(item, name, None, digest)
    path = work / name if item.archive else root / name
    digest = fetch_file(
        item.url,
        path,
        sha256=item.sha256,
        md5=item.md5,
        size_bytes=item.size_bytes,
        progress=progress,
        offline=offline,
    )
    _check_sha1(path, item)
    return Fetched(item, name, path, digest)


def install(
    fetched: Fetched, root: Path, *, keep_archive: bool = False, progress: SetProgress | None = None
) -> str:
    """Unpack what was fetched, if it is an archive, and say in a line what was done.

    Raises
    ------
    TestSetError
        If the archive is not what it should be, or the disk is full.
    """
    if fetched.path is None:
        return f"{fetched.name}: was fetched and unpacked before"
    line = f"{fetched.name}: sha256 {fetched.sha256}"
    if not fetched.item.archive:
        return line
    count = unpack(fetched.path, root, progress=progress)
    done = fetched.path.with_name(f"{fetched.name}.done")
    done.write_text(f"{fetched.item.url}\n{fetched.sha256}\n", "utf-8")
    if not keep_archive:
        fetched.path.unlink()
    return f"{line}, {count} files unpacked"


def _unpacked_before(done: Path, item: Download) -> str:
    """The digest of this very archive if it was unpacked before; else empty."""
    try:
        url, digest = done.read_text("utf-8").split()
    except (OSError, ValueError):
        return ""
    return digest if url == item.url and digest.startswith(item.sha256) else ""


def _check_sha1(path: Path, item: Download) -> None:
    if not item.sha1:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha1").hexdigest()
    if found != item.sha1:
        path.unlink()
        raise TestSetError(
            f"{item.url} has sha1 {found}, expected {item.sha1}; the file was not kept"
        )


def file_name_of(url: str) -> str:
    """The file that a URL names: the last part of its path that looks like one."""
    parts = [unquote(part) for part in PurePosixPath(urlsplit(url).path).parts]
    names = [part for part in parts if "/" not in part and part.strip(".")]
    with_suffix = [name for name in names if "." in name.strip(".")]
    return (with_suffix or names or ["download"])[-1]
