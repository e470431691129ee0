"""Where corpora lie on this disk (``--root``, or the configuration file), and how they get there.

Those whose terms let anyone download them are fetched, checked and unpacked.
"""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

from snacbench import download
from snacbench.errors import TestSetError, did_you_mean
from snacbench.files import atomic
from snacbench.progress import Progress, Silent
from snacbench.settings import config_file, settings
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus, Download

# zipfile raises RuntimeError at a password, NotImplementedError at an unknown compression.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def parse_roots(texts: Sequence[str]) -> dict[str, Path]:
    """Read ``DIR`` and ``CORPUS=DIR``: folders by corpus, that for everything under ``""``.

    Raises `TestSetError` if a folder is not there, a corpus is unknown, or two are for everything.
    """
    roots: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).expanduser().is_dir():
            name, folder = "", text
        elif name not in corpora():
            why = f"--root {text}: no corpus named {name!r}; {did_you_mean(name, corpora())}"
            raise TestSetError(why)
        if not name and "" in roots:
            raise TestSetError(
                "--root was given several folders for everything; give one, or CORPUS=DIR for "
                "each corpus"
            )
        roots[name] = _folder(folder, f"--root {text}")
    return roots


def root_of(corpus: Corpus, given: Mapping[str, Path], *, alone: bool = True) -> Path:
    """The folder of a corpus.

    A corpus that is wanted `alone` may lie in the common root itself; else the common root holds a
    subfolder of its name, in whatever case. Raises `TestSetError` if there is none.
    """
    name, common = corpus.name, given.get("")
    for known in _names(name):
        if known in given:
            return given[known]
    if common is not None:
        try:
            below = {path.name.lower(): path for path in common.iterdir() if path.is_dir()}
        except OSError as error:
            raise TestSetError(f"{common} cannot be read ({error.strerror})") from error
        inside = next((below[known] for known in _names(name.lower()) if known in below), None)
        if inside or alone:
            return inside or common
    if root := root_from_settings(name):
        return root
    looked = f"{common} holds no folder {name}; " if common else ""
    raise TestSetError(
        f"{looked}where does {name} lie on this disk? Say it by --root {name}=DIR, or by "
        f'{name} = "DIR" under [roots] in {config_file()}. Where to get it: {corpus.where}'
    )


def root_from_settings(name: str) -> Path | None:
    """The folder of a corpus that the configuration file names.

    Raises `TestSetError` if that folder does not exist.
    """
    roots = settings().roots
    known = next((known for known in _names(name) if known in roots), None)
    if known is None:
        return None
    return _folder(str(roots[known]), f"{config_file()}, [roots] {known} = {roots[known]}")


def _names(name: str) -> Iterator[str]:
    """``daps-all``, then ``daps``: parts and editions of a corpus lie in one folder."""
    while name:
        yield name
        name = name.rpartition("-")[0]


def _folder(text: str, origin: str) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise TestSetError(f"{origin}: there is no folder {folder}")
    return folder.resolve()


def fetch(
    item: Download, root: Path, *, progress: Progress | None = None, offline: bool = False
) -> str:
    """Fetch an archive of a corpus unless that was done, unpack it, and say what was done.

    What a killed fetch left, in ``<root>/.snacbench``, is taken up again. Raises `DownloadError` if
    it cannot be fetched or kept or is not what it must be; `TestSetError` if it cannot be unpacked.
    """
    name = PurePosixPath(unquote(urlsplit(item.url).path)).name or "download"
    path = root / ".snacbench" / name  # hidden: no layout looks into it
    done = path.with_name(f"{name}.done")
    with suppress(OSError, ValueError):
        url, digest = done.read_text("utf-8").split()
        if url == item.url and digest.startswith(item.sha256):
            return f"{name}: was fetched and unpacked before"
    digest = download.fetch_file(
        item.url, path, sha256=item.sha256, sha1=item.sha1, md5=item.md5,
        size_bytes=item.size_bytes, progress=progress, offline=offline,
    )  # fmt: skip
    count = unpack(path, root, progress=progress)
    done.write_text(f"{item.url}\n{digest}\n", "utf-8")
    path.unlink()
    return f"{name}: sha256 {digest}, {count} files unpacked"


def unpack(archive: Path, folder: Path, *, progress: Progress | None = None) -> int:
    """Unpack a zip or tar archive into a folder, never beside it; how many files it holds.

    Files appear complete or not at all; one that is there with the right size stays as it is, so
    that an unpacking that was killed goes on. Raises `TestSetError` if the archive is damaged, is
    none, holds a link, a device, or a name that leads out of the folder, or the disk is full.
    """
    progress, count = progress or Silent(), 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, size_bytes, stream in _members(archive, progress):
            target = folder / name
            if stream is None or not target.resolve().is_relative_to(folder.resolve()):
                raise TestSetError(
                    f"{archive} holds {name!r}, which is no plain file inside of {folder}; it is "
                    "not what it should be; what it held before that is unpacked"
                )
            if not (target.is_file() and target.stat().st_size == size_bytes):
                with atomic(target) as partial, partial.open("wb") as written:
                    shutil.copyfileobj(stream, written, 1 << 20)
            count += 1
            progress.step()
    except _DAMAGED as error:
        text = f"{archive} is damaged or not readable ({error}); delete it and fetch it again"
        raise TestSetError(text) from error
    except OSError as error:
        raise TestSetError(
            f"cannot unpack {archive.name} in {folder} ({error.strerror or error}); see that there "
            "is room and that you may write there, and run again"
        ) from error
    return count


def _members(archive: Path, progress: Progress) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """Of each file of an archive its name, its size and its bytes; None: it is no plain file."""
    if tarfile.is_tarfile(archive):
        progress.begin("unpacking", None)  # counting means reading the whole archive
        with tarfile.open(archive, "r|*") as tar:  # one pass: large ones take minutes to read
            for member in tar:
                if not member.isdir():
                    plain = tar.extractfile(member) if member.isfile() else None
                    yield member.name, member.size, plain
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            files = [info for info in opened.infolist() if not info.is_dir()]
            progress.begin("unpacking", len(files))
            for info in files:
                with opened.open(info) as stream:
                    yield info.filename, info.file_size, stream
    else:
        raise TestSetError(f"{archive} is neither a zip nor a tar archive; fetch it again")
