"""A folder of audio files as a test set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from snacbench.audio.io import AUDIO_SUFFIXES
from snacbench.errors import TestSetError
from snacbench.testsets.records import FileIndex, Reading
from snacbench.testsets.testset import TestSet, clip_of, make_set
from snacbench.types import DOMAINS, Domain

_DOMAIN_WORDS: dict[str, Domain] = {
    **{domain: domain for domain in DOMAINS},
    "env": "environment",
    "environmental": "environment",
    "sounds": "environment",
    "voice": "speech",
    "songs": "music",
}


def folder_set(
    folder: Path,
    *,
    domain: Domain = "unknown",
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """Every audio file below a folder; subfolders named after a domain tell it.

    A transcript is read from a text file of the same name beside the audio.

    Parameters
    ----------
    folder : Path
    domain : str
        Domain of clips whose folders tell none.
    reading : Reading

    Raises
    ------
    TestSetError
        If the folder holds no audio or may not be read.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        raise TestSetError(f"{folder} may not be read by this user; check its permissions")
    root = folder.resolve()
    paths = sorted(audio_files(root))
    stems = Counter(path.with_suffix("") for path in paths)
    relative = {path: path.relative_to(root).as_posix() for path in paths}
    records = FileIndex(root.name, root).read(list(relative.values()), reading)
    clips = (
        clip_of(
            f"{root.name}/{_name(path, root, unique=stems[path.with_suffix('')] == 1)}",
            path,
            records[relative[path]],
            domain=_domain_of(path.relative_to(root), domain),
            transcript=transcript_beside(path),
        )
        for path in paths
    )
    return make_set(root.name, clips, origin=str(folder), roots={root.name: root})


def audio_files(root: Path) -> Iterator[Path]:
    """Every audio file below a folder, hidden ones excepted, in no fixed order."""
    for path in root.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in AUDIO_SUFFIXES and not hidden and not path.is_dir():
            yield path


def _name(path: Path, root: Path, *, unique: bool) -> str:
    relative = path.relative_to(root)
    return (relative.with_suffix("") if unique else relative).as_posix()


def _domain_of(relative: Path, otherwise: Domain) -> Domain:
    for part in reversed(relative.parts[:-1]):
        if part.lower() in _DOMAIN_WORDS:
            return _DOMAIN_WORDS[part.lower()]
    return otherwise


def transcript_beside(path: Path) -> str | None:
    """Text of ``NAME.txt`` beside ``NAME.wav``, if there is such a file."""
    text = path.with_suffix(".txt")
    try:
        return text.read_text("utf-8").strip() or None if text.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None
