"""What a file of this folder declares: a known corpus as it lies on a user's disk.

A local copy is described from names and tables alone; no audio is opened. File systems differ in
case and in Unicode normalisation, archives made on macOS bring ``._*`` and ``__MACOSX``, and users
name the folder of a corpus or the one above it: all of that ends here.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from snacbench.errors import TestSetError
from snacbench.testsets.spoken import gender_of
from snacbench.testsets.testset import some_of
from snacbench.textfile import read_text
from snacbench.types import Domain

Found = TypeVar("Found")

_LITTER = {"__macosx", "@eadir", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class CorpusFile:
    """One audio file of a corpus, before it is opened.

    `id` is unique in the corpus and the same on every machine: ``F10/script1``, not a path of this
    disk. `path` is relative to the root. `cluster` is the speaker or track: what clips share that
    are not independent. `lossy_source` is whether the recording went through a lossy codec before
    it came here; None: unknown. `language` is a code (``de``, ``pt-BR``).
    """

    id: str
    path: str = ""
    domain: Domain = "unknown"
    cluster: str | None = None
    transcript: str | None = None
    licence: str | None = None
    lossy_source: bool | None = None
    language: str = ""
    speaker: str = ""
    gender: str = ""


Make = Callable[..., CorpusFile | None]


@dataclass(frozen=True)
class Download:
    """An archive that the publisher lets anyone fetch, with what is stated of it to be checked."""

    url: str
    size_bytes: int | None = None
    sha256: str = ""
    md5: str = ""
    sha1: str = ""


@dataclass(frozen=True)
class Corpus:
    """A known corpus: its layout on disk, what it should hold, and where it comes from.

    `name` is what ``--data`` takes, `summary` one line for ``snacbench sets list``. ``find(root)``
    gives every file of the evaluation part, in the order of ids, where `root` is the folder that
    the archive unpacks to or the one above it; else it raises `TestSetError`. `where` says in a
    sentence where to get it. A complete copy has `expected_files` and `expected_clusters`, where
    that does not vary. Files that are `known_corrupt` in every copy, by id and with the reason, are
    left out. `downloads` is empty where the terms forbid fetching by a program or ask for a form.
    """

    name: str
    summary: str
    find: Callable[[Path], Iterable[CorpusFile]]
    licence: str
    where: str
    expected_files: int | None = None
    expected_clusters: int | None = None
    known_corrupt: Mapping[str, str] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a corpus lies on disk, for finding it and for saying what was expected.

    `title`, `expected` (``test/<track>/mixture.wav``), `example` (one path of a true copy) and
    `advice` (editions that it is not) are for error messages. `folders` are names of the folder
    that its archive unpacks to, `levels` as in `matching`. `inside` are names of the folder that
    holds all of it, which may be the root itself; without them `folders` hold it directly.
    """

    title: str
    folders: tuple[str, ...]
    expected: str
    example: str
    levels: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    advice: str = ""

    def find(
        self, root: Path, make: Make | None = None, spelt: Callable[[str], str] = str, **facts: Any
    ) -> list[CorpusFile]:
        """Every file of a corpus below a root, in the order of ids; raises as `locate`.

        `make` is told a file's path and the groups of all expressions, and gives what is to be
        known of it; None: the file does not belong to the corpus. Without it the first group, as it
        is `spelt`, is a file's id, and the last one its cluster. `facts` hold for every file.
        """

        def plain(_: Path, *groups: str) -> CorpusFile:
            return CorpusFile(spelt(groups[0]), cluster=spelt(groups[-1]))

        def look(folder: Path) -> list[CorpusFile] | None:
            place: Path | None = folder
            if self.inside and not is_called(folder, self.inside):
                places = (child(folder, name) for name in self.inside)
                place = next((p for p in places if p is not None and p.is_dir()), None)
            found = [
                replace(file, path=path.relative_to(root).as_posix(), **facts)
                for path, groups in (matching(place, *self.levels) if place else ())
                if (file := (make or plain)(path, *groups)) is not None
            ]
            return sorted(found, key=lambda file: file.id) or None

        return self.locate(root, look)

    def locate(
        self, root: Path, look: Callable[[Path], Found | None], *, any_child: bool = True
    ) -> Found:
        """What `look` sees in the root, else in one folder of it: of `folders`, else of any name.

        `look` returns None where a folder does not hold the corpus; `TestSetError` is raised if
        none does, or several of equal right.
        """
        if not root.is_dir():
            raise self.not_in(root)
        here = look(root)
        if here is not None:
            return here
        folders = [root / entry.name for entry in entries_in(root) if entry.is_dir()]
        known = [folder for folder in folders if is_called(folder, self.folders)]
        others = [folder for folder in folders if folder not in known] if any_child else []
        for group in (known, others):
            found = {folder.name: seen for folder in group if (seen := look(folder)) is not None}
            if len(found) > 1:
                raise TestSetError(
                    f"{root} holds {self.title} more than once: {', '.join(found)}; name one of "
                    "them as the root"
                )
            if found:
                return found.popitem()[1]
        raise self.not_in(root)

    def not_in(self, root: Path, advice: str = "") -> TestSetError:
        """The error that there is no such corpus at a root."""
        seen = "a file" if root.exists() else "no such folder"
        if root.is_dir():
            seen = some_of([entry.name for entry in entries_in(root)]) or "an empty folder"
        tail = "; ".join(filter(None, (seen, advice or self.advice)))
        return TestSetError(
            f"{root} does not hold {self.title}: expected {self.expected} in it or in a folder of "
            f"it, for example {self.example}; found {tail}"
        )


def matching(folder: Path, *levels: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Files below a folder whose names match one expression per level, in any case.

    With each come the groups of all expressions, as the names are written, but composed (NFC):
    macOS hands out decomposed letters.
    """
    first, *rest = levels
    for entry in entries_in(folder):
        match = re.fullmatch(first, unicodedata.normalize("NFC", entry.name), re.IGNORECASE)
        if match and rest and entry.is_dir():
            for path, groups in matching(folder / entry.name, *rest):
                yield path, (*match.groups(), *groups)
        elif match and not rest and entry.is_file():
            yield folder / entry.name, match.groups()


def entries_in(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without hidden files and litter."""
    try:
        with os.scandir(folder) as found:
            kept = [e for e in found if e.name[:1] != "." and e.name.casefold() not in _LITTER]
    except PermissionError as error:
        text = f"{folder} may not be read by this user; check its permissions"
        raise TestSetError(text) from error
    return sorted(kept, key=lambda entry: entry.name)


def child(folder: Path, *names: str) -> Path | None:
    """``folder/name/name``, whatever the case of the names on this disk."""
    exact = folder.joinpath(*names)
    if exact.exists():  # asked first: for thousands of files one look at the disk each
        return exact
    here = entries_in(folder) if folder.is_dir() else []
    alike = next((folder / e.name for e in here if _fold(e.name) == _fold(names[0])), None)
    return child(alike, *names[1:]) if alike and names[1:] else alike


def is_called(folder: Path, names: Sequence[str]) -> bool:
    """Whether a folder, or what it links to, has one of these names."""
    wanted = {_fold(name) for name in names}
    return bool(wanted & {_fold(folder.name), _fold(folder.resolve().name)})


def _fold(name: str) -> str:
    """A name without case and Unicode normalisation, for comparing."""
    return unicodedata.normalize("NFC", name).casefold()


def text_of(path: Path | None) -> str | None:
    """The text of a small file; None if there is no file or nothing in it."""
    if path is None:
        return None
    return read_text(path, noun="transcript", refuse=TestSetError).text.strip() or None


@lru_cache(maxsize=8)  # asked for each file of a corpus
def genders_in(table: Path | None, column: int, separator: str | None = None) -> dict[str, str]:
    """Gender by speaker, in lower case, of a list of speakers; empty where there is none.

    Each line begins with a speaker and has the gender in a column; lines with a ``;`` are comments.
    """
    lines = (text_of(table) or "").splitlines()
    rows = [line.split(separator) for line in lines if not line.startswith(";")]
    return {row[0].strip().lower(): gender_of(row[column]) for row in rows if len(row) > column}
