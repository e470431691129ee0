"""Looking at a local copy: listings without archivers' litter, and errors that show what is there.

File systems differ in case and in Unicode normalisation, archives made on macOS bring ``._*`` and
``__MACOSX``, and users name the folder of a corpus or the one above it. All of that ends here.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from snacbench.errors import TestSetError
from snacbench.textfile import read_text

Found = TypeVar("Found")

_LITTER = {"__macosx", "@eadir", "thumbs.db", "desktop.ini"}
_NAMES_SHOWN = 6


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
        return TestSetError(
            f"{root} does not hold {self.title}: expected {self.expected} in it or in a folder of "
            f"it, for example {self.example}; found {_seen(root)}{advice and '; '}{advice}"
        )


def fold(name: str) -> str:
    """A name without case and Unicode normalisation, for comparing."""
    return unicodedata.normalize("NFC", name).casefold()


def stable(name: str) -> str:
    """A name as it enters an id: macOS hands out decomposed letters, Linux what was written."""
    return unicodedata.normalize("NFC", name)


def names_in(folder: Path) -> list[str]:
    """Names in a folder, sorted, without hidden ones and litter; folders count too.

    Raises
    ------
    TestSetError
        If the folder may not be read.
    """
    return [entry.name for entry in _entries(folder)]


def folders_in(folder: Path) -> list[Path]:
    """Subfolders, links to folders among them, sorted by name."""
    return [folder / entry.name for entry in _entries(folder) if entry.is_dir()]


def files_in(folder: Path, suffixes: Iterable[str]) -> list[str]:
    """Names of the files with one of the suffixes (``.wav``), in any case, sorted."""
    endings = tuple(suffixes)
    return [
        entry.name
        for entry in _entries(folder)
        if entry.name.casefold().endswith(endings) and entry.is_file()
    ]


def child(folder: Path, *names: str) -> Path | None:
    """``folder/name/name``, whatever the case of the names on this disk."""
    exact = folder.joinpath(*names)
    if exact.exists():
        return exact
    here: Path | None = folder
    for name in names:
        if here is None or not here.is_dir():
            return None
        matches = (here / n for n in names_in(here) if fold(n) == fold(name))
        here = next(matches, None)
    return here


def is_called(folder: Path, names: Sequence[str]) -> bool:
    """Whether a folder, or what it links to, has one of these names."""
    wanted = {fold(name) for name in names}
    return bool(wanted & {fold(folder.name), fold(folder.resolve().name)})


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
    for group in _children(root, layout.folders, any_child=any_child):
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


def text_of(path: Path) -> str:
    """The text of a small file.

    Raises
    ------
    TestSetError
        If it cannot be read or is no text.
    """
    return read_text(path, noun="transcript", refuse=TestSetError).text.strip()


def _children(root: Path, names: tuple[str, ...], *, any_child: bool) -> Iterator[list[Path]]:
    folders = folders_in(root)
    known = [folder for folder in folders if is_called(folder, names)]
    yield known
    if any_child:
        yield [folder for folder in folders if folder not in known]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
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


def _seen(root: Path) -> str:
    if not root.exists():
        return "no such folder"
    if not root.is_dir():
        return "a file"
    names = names_in(root)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more if names else "an empty folder"
