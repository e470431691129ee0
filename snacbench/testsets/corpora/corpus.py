"""What one file of this folder declares: a known corpus as it lies on a user's disk.

A corpus is declared as ``CORPUS``, several parts or editions of one as ``CORPORA``; adding one is
adding a file. Its `find` walks a local copy and says what each audio file is, from names and
tables alone: no audio is opened, so that finding ten thousand files takes seconds. Reading,
hashing and drawing segments is the same for all corpora and lies in `snacbench.testsets.index`
and `snacbench.testsets.segments`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snacbench.types import Domain


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
    path: str
    domain: Domain
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
        ``find(root)`` yields every file of the evaluation part, in the order of ids; raises
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
    find: Callable[[Path], Iterator[CorpusFile]]
    licence: str
    citation: str
    where: str
    expected_files: int | None = None
    expected_clusters: int | None = None
    known_corrupt: Mapping[str, str] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()
