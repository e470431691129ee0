"""Where corpora lie on this disk: ``--root``, or the configuration file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from snacbench.errors import TestSetError, did_you_mean
from snacbench.settings import config_file, settings
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus


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
