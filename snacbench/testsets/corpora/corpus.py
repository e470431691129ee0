"""What one file of this folder declares: a known corpus as it lies on a user's disk.

A corpus is declared as ``CORPUS``, several parts or editions of one as ``CORPORA``; adding one is
adding a file. Its `find` walks a local copy and says what each audio file is, from names and
tables alone: no audio is opened, so that finding ten thousand files takes seconds. Most are a
`Layout`, an expression for each level of names, and a function that makes a `CorpusFile` of what
matched: `find_files` does the rest. Reading, hashing and drawing segments is the same for all
corpora and lies in `snacbench.testsets.index` and `snacbench.testsets.segments`.

File systems differ in case and in Unicode normalisation, archives made on macOS bring ``._*`` and
``__MACOSX``, and users name the folder of a corpus or the one above it. All of that ends here.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from snacbench.errors import TestSetError
from snacbench.textfile import read_text
from snacbench.types import Domain

Found = TypeVar("Found")

_LITTER = {"__macosx", "@eadir", "thumbs.db", "desktop.ini"}
_NAMES_SHOWN = 6


@dataclass(frozen=True)
class CorpusFile:
    """One audio file of a corpus, before it is opened.

    Attributes
    ----------
    id : str
        Unique in the corpus, the same on every machine: ``F10/script1``, not a path of this disk.
    path : str
        Relative to the root, with forward slashes.
    domain : str
    cluster : str or None
        Speaker or track: what clips share that are not independent.
    transcript, licence : str or None
    lossy_source : bool or None
        Whether the recording went through a lossy codec before it came here; None: unknown.
    """

    id: str
    path: str = ""
    domain: Domain = "unknown"
    cluster: str | None = None
    transcript: str | None = None
    licence: str | None = None
    lossy_source: bool | None = None


@dataclass(frozen=True)
class Download:
    """A file that the publisher lets anyone fetch; `archive` is unpacked into the root."""

    url: str
    size_bytes: int | None = None
    sha256: str = ""
    md5: str = ""  # some publishers state only this; checked besides, never instead of a sha256
    archive: bool = True
    sha1: str = ""  # as with md5


@dataclass(frozen=True)
class Corpus:
    """A known corpus: its layout on disk, what it should hold, and where it comes from.

    Attributes
    ----------
    name : str
        ``musdb18-hq``: what ``--data`` takes.
    title, licence, citation : str
    summary : str
        One line for ``snacbench sets list``: domain, hours, rate.
    find : callable
        ``find(root)`` gives every file of the evaluation part, in the order of ids; raises
        `TestSetError` that names the layout expected and what was found if this is not it.
        Accepts the folder that the archive unpacks to and the folder above it.
    expected_files : int or None
        Number of audio files of a complete copy; None where it varies (videos disappear).
    expected_clusters : int or None
        Number of speakers or tracks of a complete copy.
    known_corrupt : mapping from id to reason
        Files that are broken in every copy: left out, and said so.
    downloads : tuple of Download
        What may be fetched by ``snacbench sets fetch``; empty where the terms forbid it or ask
        for a form.
    where : str
        One sentence on where to get it, for when there is nothing to download.
    """

    name: str
    title: str
    summary: str
    find: Callable[[Path], Iterable[CorpusFile]]
    licence: str
    citation: str
    where: str
    expected_files: int | None = None
    expected_clusters: int | None = None
    known_corrupt: Mapping[str, str] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a corpus lies on disk, for finding it and for saying what was expected.

    Attributes
    ----------
    title : str
        What the error message calls the corpus.
    folders : tuple of str
        Names of the folder that its archive unpacks to.
    expected : str
        ``test/<track>/mixture.wav``.
    example : str
        One path of a true copy.
    """

    title: str
    folders: tuple[str, ...]
    expected: str
    example: str

    def not_in(self, root: Path, advice: str = "") -> TestSetError:
        """The error that there is no such corpus at a root."""
        if not root.exists():
            seen = "no such folder"
        elif not root.is_dir():
            seen = "a file"
        else:
            names = [entry.name for entry in entries_in(root)]
            more = len(names) - _NAMES_SHOWN
            seen = ", ".join(names[:_NAMES_SHOWN]) or "an empty folder"
            seen += f" and {more} more" if more > 0 else ""
        return TestSetError(
            f"{root} does not hold {self.title}: expected {self.expected} in it or in a folder of "
            f"it, for example {self.example}; found {seen}{advice and '; '}{advice}"
        )


def find_files(
    root: Path,
    layout: Layout,
    make: Callable[..., CorpusFile | None],
    *levels: str,
    inside: Sequence[str] = (),
    advice: str = "",
) -> list[CorpusFile]:
    """Every file of a corpus below a root, in the order of ids.

    Parameters
    ----------
    root : Path
    layout : Layout
    make : callable
        Told a file's path and the groups of all expressions, gives what is to be known of it;
        `CorpusFile.path` is filled in here. None: the file does not belong to the corpus.
    levels : str
        As in `matching`.
    inside : sequence of str
        Names of the folder that holds all of it, which may be the root itself; the first of
        several that is there. Empty: the folders of the layout hold it directly.
    advice : str
        Ends the error message.

    Raises
    ------
    TestSetError
        If the corpus is not there, or twice.
    """

    def look(folder: Path) -> list[CorpusFile] | None:
        place: Path | None = folder
        if inside and not is_called(folder, inside):
            places = (child(folder, name) for name in inside)
            place = next((p for p in places if p is not None and p.is_dir()), None)
        if place is None:
            return None
        found = [
            replace(file, path=path.relative_to(root).as_posix())
            for path, groups in matching(place, *levels)
            if (file := make(path, *groups)) is not None
        ]
        return sorted(found, key=lambda file: file.id) or None

    return locate(root, layout, look, advice=advice)


def locate(
    root: Path,
    layout: Layout,
    look: Callable[[Path], Found | None],
    *,
    any_child: bool = True,
    advice: str = "",
) -> Found:
    """What `look` sees in the root, else in a folder of it; known names go before others.

    Parameters
    ----------
    root : Path
    layout : Layout
    look : callable
        Returns None where a folder does not hold the corpus.
    any_child : bool
        Whether folders of any name are looked into; else only those that the layout names.
    advice : str
        Ends the error message.

    Raises
    ------
    TestSetError
        If nothing is found, or several folders of the root hold the corpus.
    """
    if not root.is_dir():
        raise layout.not_in(root, advice)
    here = look(root)
    if here is not None:
        return here
    folders = [root / entry.name for entry in entries_in(root) if entry.is_dir()]
    known = [folder for folder in folders if is_called(folder, layout.folders)]
    others = [folder for folder in folders if folder not in known] if any_child else []
    for group in (known, others):
        found = [(folder.name, seen) for folder in group if (seen := look(folder)) is not None]
        if len(found) > 1:
            several = ", ".join(name for name, _ in found)
            raise TestSetError(
                f"{root} holds {layout.title} more than once: {several}; name one of them as the "
                "root"
            )
        if found:
            return found[0][1]
    raise layout.not_in(root, advice)


def matching(folder: Path, *levels: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Files below a folder whose names match one expression per level, in any case.

    Yields
    ------
    path, groups
        The groups of all expressions, as the names are written, but composed (NFC): macOS hands
        out decomposed letters.
    """
    first, *rest = levels
    for entry in entries_in(folder):
        name = unicodedata.normalize("NFC", entry.name)
        match = re.fullmatch(first, name, re.IGNORECASE)
        if match is None:
            continue
        if rest and entry.is_dir():
            for path, groups in matching(folder / entry.name, *rest):
                yield path, (*match.groups(), *groups)
        elif not rest and entry.is_file():
            yield folder / entry.name, match.groups()


def entries_in(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without hidden files and litter.

    Raises
    ------
    TestSetError
        If the folder may not be read.
    """
    try:
        with os.scandir(folder) as found:
            kept = [
                entry
                for entry in found
                if not entry.name.startswith(".") and entry.name.casefold() not in _LITTER
            ]
    except PermissionError as error:
        raise TestSetError(
            f"{folder} may not be read by this user; check its permissions"
        ) from error
    return sorted(kept, key=lambda entry: entry.name)


def child(folder: Path, *names: str) -> Path | None:
    """``folder/name/name``, whatever the case of the names on this disk."""
    exact = folder.joinpath(*names)
    if exact.exists():
        return exact
    here: Path | None = folder
    for name in names:
        if here is None or not here.is_dir():
            return None
        matches = (here / e.name for e in entries_in(here) if _fold(e.name) == _fold(name))
        here = next(matches, None)
    return here


def is_called(folder: Path, names: Sequence[str]) -> bool:
    """Whether a folder, or what it links to, has one of these names."""
    wanted = {_fold(name) for name in names}
    return bool(wanted & {_fold(folder.name), _fold(folder.resolve().name)})


def _fold(name: str) -> str:
    """A name without case and Unicode normalisation, for comparing."""
    return unicodedata.normalize("NFC", name).casefold()


def text_of(path: Path | None) -> str | None:
    """The text of a small file; None if there is no file or nothing in it.

    Raises
    ------
    TestSetError
        If it cannot be read or is no text.
    """
    if path is None:
        return None
    return read_text(path, noun="transcript", refuse=TestSetError).text.strip() or None
