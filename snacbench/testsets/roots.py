"""Where corpora lie on this disk: ``--root``, or the configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from snacbench.errors import TestSetError, did_you_mean
from snacbench.settings import config_file, settings
from snacbench.testsets.corpora import corpora
from snacbench.testsets.corpora.corpus import Corpus


@dataclass(frozen=True)
class Roots:
    """What ``--root`` gave: a folder for everything, and folders of single corpora."""

    common: Path | None = None
    named: Mapping[str, Path] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.common is not None or bool(self.named)


def parse_roots(texts: Sequence[str]) -> Roots:
    """Read ``DIR`` and ``CORPUS=DIR``.

    Raises `TestSetError` if a folder does not exist, a corpus is unknown, or there are two for
    everything.
    """
    common: list[Path] = []
    named: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).expanduser().is_dir():
            common.append(_folder(text, f"--root {text}"))
        elif name in corpora():
            named[name] = _folder(folder, f"--root {text}")
        else:
            raise TestSetError(
                f"--root {text}: no corpus named {name!r}; {did_you_mean(name, corpora())}"
            )
    if len(common) > 1:
        raise TestSetError(
            f"--root was given {len(common)} folders for everything; give one, or CORPUS=DIR for "
            "each corpus"
        )
    return Roots(common[0] if common else None, named)


def absolute_roots(texts: Sequence[str]) -> tuple[str, ...]:
    """What ``--root`` was given, as it is understood from any folder."""
    roots = parse_roots(texts)
    named = [f"{name}={folder}" for name, folder in roots.named.items()]
    return (*named, *([str(roots.common)] if roots.common else []))


def root_of(corpus: Corpus, given: Roots, *, alone: bool = True) -> Path:
    """The folder of a corpus.

    A corpus that is wanted `alone` may lie in the common root itself; else the common root holds a
    subfolder of its name, in whatever case. Raises `TestSetError` if there is none.
    """
    name = corpus.name
    for known in _names(name):
        if known in given.named:
            return given.named[known]
    if given.common is not None:
        try:
            below = {path.name.lower(): path for path in given.common.iterdir() if path.is_dir()}
        except OSError as error:
            raise TestSetError(f"{given.common} cannot be read ({error.strerror})") from error
        inside = next((below[known] for known in _names(name.lower()) if known in below), None)
        if inside or alone:
            return inside or given.common
    if root := root_from_settings(name):
        return root
    looked = f"{given.common} holds no folder {name}; " if given.common else ""
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
