"""Common Voice: read sentences from volunteers' microphones; the test part of each language.

A release holds one folder per language. All languages below the root are taken; a root that is
one language's folder takes that one.
"""

import hashlib
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora import corpus
from snacbench.testsets.spoken import gender_of, language_code
from snacbench.textfile import read_records

_LAYOUT = corpus.Layout(
    "Common Voice",
    (),
    "<language>/test.tsv and <language>/clips/*.mp3",
    "cv-corpus-17.0-2024-03-15/de/test.tsv",
)
_COLUMNS = ("client_id", "path", "sentence")


def _find(root: Path) -> list[corpus.CorpusFile]:
    def tables(folder: Path) -> list[Path] | None:
        if (folder / "test.tsv").is_file():
            return [folder / "test.tsv"]
        return [path for path, _ in corpus.matching(folder, ".+", r"test\.tsv")] or None

    found: list[corpus.CorpusFile] = []
    for table in _LAYOUT.locate(root, tables):
        clips = corpus.child(table.parent, "clips") or table.parent / "clips"
        here = {entry.name for entry in corpus.entries_in(clips)} if clips.is_dir() else set()
        folder = table.parent.resolve().name
        # Sentences hold single quotation marks: nothing in these tables is quoted.
        records, _ = read_records(
            table, noun="table", refuse=TestSetError, separator="\t", quotes="none"
        )
        heading = records[0].cells if records else []
        if missing := [column for column in _COLUMNS if column not in heading]:
            raise TestSetError(
                f"{table} is not the table of Common Voice (no column {', '.join(missing)}); "
                f"expected columns {', '.join(_COLUMNS)}; unpack the archive again"
            )
        for record in records[1:]:
            row = dict(zip_longest(heading, record.cells, fillvalue=""))
            client, listed = row["client_id"], row["path"]
            # The first releases list names without a suffix.
            name = listed if listed in here else f"{listed}.mp3"
            if not client or name not in here:
                continue
            # The terms forbid to trace people: not even their id enters our files.
            pseudonym = hashlib.sha256(f"common-voice {client}".encode()).hexdigest()[:16]
            language = ""
            with suppress(ValueError):  # of a root that somebody has renamed
                # The first releases have no locale.
                language = language_code(row.get("locale") or folder)
            found.append(
                corpus.CorpusFile(
                    f"{folder}/{Path(name).stem}", (clips / name).relative_to(root).as_posix(),
                    domain="speech", cluster=pseudonym, transcript=row["sentence"].strip() or None,
                    lossy_source=True, language=language, speaker=pseudonym,
                    gender=gender_of(row.get("gender", "")),
                )
            )  # fmt: skip
    if not found:
        raise _LAYOUT.not_in(root, "the tables are there, but none of the clips they list")
    return sorted(found, key=lambda file: file.id)


CORPORA = corpus.Corpus(
    name="common-voice", summary="speech, MP3 at 32 or 48 kHz, many languages, with transcripts",
    find=_find, licence="CC0-1.0",
    where="https://commonvoice.mozilla.org/datasets, which asks to accept its terms for each "
    "language.",
    # The number of clips differs by language and release.
)  # fmt: skip
