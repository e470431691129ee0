"""Common Voice: read sentences from volunteers' microphones; the test part of each language.

A release holds one folder per language. All languages below the root are taken; a root that is
one language's folder takes that one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora._tree import Layout, child, folders_in, locate, names_in
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile
from snacbench.textfile import read_records

_LAYOUT = Layout(
    "Common Voice",
    (),
    "<language>/test.tsv and <language>/clips/*.mp3",
    "cv-corpus-17.0-2024-03-15/de/test.tsv",
)
_COLUMNS = ("client_id", "path", "sentence")
_SPEAKER_DIGITS = 16


def find(root: Path) -> Iterator[CorpusFile]:
    """Every clip that a test.tsv lists and that is on the disk.

    Raises
    ------
    TestSetError
        If the root is not Common Voice, holds several releases, or no clip of a table is there.
    """
    languages = locate(root, _LAYOUT, _languages)
    found = [file for language in languages for file in _of_language(root, language)]
    if not found:
        raise _LAYOUT.not_in(root, "the tables are there, but none of the clips they list")
    return iter(sorted(found, key=lambda file: file.id))


def _languages(folder: Path) -> list[Path] | None:
    if (folder / "test.tsv").is_file():
        return [folder]
    return [each for each in folders_in(folder) if (each / "test.tsv").is_file()] or None


def _of_language(root: Path, folder: Path) -> Iterator[CorpusFile]:
    clips = child(folder, "clips")
    if clips is None or not clips.is_dir():
        return
    here = set(names_in(clips))
    language = folder.resolve().name
    for client, path, sentence in _rows(folder / "test.tsv"):
        # The first releases list names without a suffix.
        name = path if path in here else f"{path}.mp3"
        if name in here:
            yield CorpusFile(
                id=f"{language}/{Path(name).stem}",
                path=(clips / name).relative_to(root).as_posix(),
                domain="speech",
                cluster=_pseudonym(client),
                transcript=sentence.strip() or None,
                lossy_source=True,
            )


def _rows(table: Path) -> Iterator[tuple[str, str, str]]:
    # Sentences hold single quotation marks: nothing in these tables is quoted.
    records, _ = read_records(
        table, noun="table", refuse=TestSetError, separator="\t", quotes="none"
    )
    heading = records[0].cells if records else []
    if missing := [column for column in _COLUMNS if column not in heading]:
        raise TestSetError(
            f"{table} is not a table of Common Voice (no column {', '.join(missing)}); expected "
            f"columns {', '.join(_COLUMNS)}; unpack the archive again"
        )
    for record in records[1:]:
        row = dict(zip(heading, record.cells, strict=False))
        client, path, sentence = (row.get(column, "") for column in _COLUMNS)
        if client and path:
            yield client, path, sentence


def _pseudonym(client: str) -> str:
    """A speaker's name in our files: the terms forbid to trace people, so not even their id."""
    return hashlib.sha256(f"common-voice {client}".encode()).hexdigest()[:_SPEAKER_DIGITS]


CORPUS = Corpus(
    name="common-voice",
    title="Common Voice, test part",
    summary="speech, MP3 at 32 or 48 kHz, many languages, with transcripts",
    find=find,
    licence="CC0-1.0",
    citation="R. Ardila et al., Common Voice: A Massively-Multilingual Speech Corpus, LREC 2020",
    where="https://commonvoice.mozilla.org/datasets, which asks to accept its terms for each "
    "language.",
    # The number of clips differs by language and release.
)
