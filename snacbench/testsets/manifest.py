"""A manifest: a CSV file that names audio files, or segments of them, and what is known of them.

Columns: ``path`` (the only required one), ``id``, ``corpus``, ``domain``, ``start`` and
``num_samples`` (in samples at the file's own rate), ``transcript``, ``speaker``, ``track``,
``licence``, ``lossy_source``, ``sha256`` and the measures, in any case. Rates, channels and
durations are read from the files, not from here, and ``source`` is for people; other columns are
named in a note.
`snacbench.testsets.export` writes what is read here.

Paths are relative to a root: the manifest's own folder, or what ``--root`` names; rows with a
``corpus`` are looked for where that corpus lies.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from snacbench.errors import TestSetError
from snacbench.testsets.folder import Transcripts
from snacbench.testsets.records import FileIndex, FileRecord, Reading
from snacbench.testsets.roots import Roots, root_from_settings
from snacbench.testsets.testset import BrokenClip, TestSet, clip_of, make_set, segment_of
from snacbench.textfile import read_table
from snacbench.types import DOMAINS, Clip, Domain, Measures

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}
_COLUMNS = (
    *("path", "id", "corpus", "domain", "start", "num_samples", "transcript", "speaker", "track"),
    *("licence", "lossy_source", "sha256", "rate_hz", "sample_rate", "channels", "duration_s"),
    "source",
    *(each.name for each in dataclasses.fields(Measures)),
)
_FIRST_FILES = 8  # one may be missing
_DESCRIBED = "the columns are described in docs/data.md"


@dataclass(frozen=True)
class _Row:
    """A line of a manifest, with where it stands."""

    cells: Mapping[str, str]
    place: str

    def text(self, column: str) -> str | None:
        return (self.cells.get(column) or "").strip() or None

    def whole(self, column: str) -> int | None:
        """A count of samples."""
        text = self.text(column)
        if text is None:
            return None
        if not text.isdecimal():
            raise TestSetError(
                f"{self.place}: {column} is {text!r}; expected a whole number of samples"
            )
        return int(text)

    def number(self, column: str) -> float | None:
        text = self.text(column)
        try:
            return None if text is None else float(text)
        except ValueError as error:
            raise TestSetError(f"{self.place}: {column} is {text!r}; expected a number") from error

    def flag(self, column: str) -> bool | None:
        """True, false, or not known."""
        lowered = (self.text(column) or "").lower()
        return True if lowered in _TRUE else False if lowered in _FALSE else None


@dataclass(frozen=True)
class _Given:
    """What holds for every row."""

    domain: Domain
    reading: Reading
    transcripts: Transcripts = field(default_factory=Transcripts)
    notes: list[str] = field(default_factory=list)


def manifest_set(
    manifest: Path,
    *,
    domain: Domain = "unknown",
    name: str | None = None,
    roots: Roots = Roots(),  # noqa: B008 - immutable
    reading: Reading = Reading(),  # noqa: B008
) -> TestSet:
    """The clips that a manifest lists.

    A file that is missing, unreadable, or differs from the digest in the manifest is kept as
    broken.

    Parameters
    ----------
    manifest : Path
    domain : str
        Domain of rows that name none.
    name : str, optional
        What ids begin with where no corpus is named; else the name of the manifest's folder.
    roots : Roots
        Where the files lie, if not beside the manifest.
    reading : Reading

    Raises
    ------
    TestSetError
        If the manifest is no CSV table with a column ``path``, is empty, or a row names an
        unknown domain or a place that is no number.
    """
    rows, notes = _rows(manifest)
    folder_name = name or manifest.resolve().parent.name
    of_corpus: dict[str, list[_Row]] = {}
    for row in rows:
        of_corpus.setdefault(row.text("corpus") or folder_name, []).append(row)
    bases = {corpus: _base(corpus, listed, manifest, roots) for corpus, listed in of_corpus.items()}
    given = _Given(domain, reading)
    clips = [
        clip
        for corpus, listed in of_corpus.items()
        for clip in _clips(corpus, bases[corpus], listed, given)
    ]
    stands_alone = set(of_corpus) <= {folder_name}
    found = make_set(
        folder_name if stands_alone else manifest.stem, clips, origin=str(manifest), roots=bases
    )
    return replace(found, notes=(*notes, *given.transcripts.notes(), *given.notes))


def _rows(manifest: Path) -> tuple[list[_Row], tuple[str, ...]]:
    """The rows, and what to know of how they were read."""
    table = read_table(manifest, _COLUMNS, noun="manifest", refuse=TestSetError)
    if "path" not in table.columns:
        raise TestSetError(
            f"{manifest} has no column 'path'; found {', '.join(table.columns) or 'nothing'}; "
            f"{_DESCRIBED}"
        )
    rows = [_Row(cells, f"{manifest} line {line}") for line, cells in table.rows]
    for row in rows:
        if row.text("path") is None:
            raise TestSetError(f"{row.place}: the cell 'path' is empty")
    return rows, table.notes


def _base(corpus: str, rows: Sequence[_Row], manifest: Path, roots: Roots) -> Path:
    """The folder that the paths of a corpus are relative to: where its first files are found.

    The folder that an archive unpacks to and the one above it are both good roots of a corpus,
    and the manifest may have been written with the other one: so those are tried too.
    """
    firsts = [str(row.text("path")) for row in rows[:_FIRST_FILES]]
    likely: list[Path] = []
    for base in _likely(corpus, manifest.resolve().parent, roots):
        for near in (base, base.parent, *_subfolders(base)):
            if any((near / first).is_file() for first in firsts):
                return near
        likely.append(base)
    return likely[0]


def _likely(corpus: str, here: Path, roots: Roots) -> Iterator[Path]:
    if corpus in roots.named:
        yield roots.named[corpus]
    if roots.common is not None:
        if (roots.common / corpus).is_dir():
            yield roots.common / corpus
        yield roots.common
    if not roots:
        yield here
    if root := root_from_settings(corpus):
        yield root
    if roots:
        yield here


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _clips(
    corpus: str, base: Path, rows: Sequence[_Row], given: _Given
) -> Iterator[Clip | BrokenClip]:
    paths = [str(row.text("path")) for row in rows]
    index = FileIndex(corpus, base)
    records = index.read(paths, given.reading)
    given.notes.extend(index.notes())
    for row, path in zip(rows, paths, strict=True):
        yield _clip(row, corpus, base, records[path], given)


def _clip(
    row: _Row, corpus: str, base: Path, record: FileRecord, given: _Given
) -> Clip | BrokenClip:
    stated = (row.text("domain") or given.domain).lower()
    if stated not in DOMAINS:
        raise TestSetError(f"{row.place}: unknown domain {stated!r}; expected {', '.join(DOMAINS)}")
    listed = PurePosixPath(record.path)
    path = Path(os.path.normpath(base / record.path))
    named = row.text("id")
    clip = clip_of(
        f"{corpus}/{named or str(listed).removesuffix(listed.suffix)}",
        path,
        record,
        domain=stated,
        transcript=row.text("transcript") or given.transcripts.beside(path),
        cluster=row.text("speaker") or row.text("track"),
        licence=row.text("licence"),
        lossy_source=row.flag("lossy_source"),
    )
    start, length = row.whole("start"), row.whole("num_samples")
    measures = _measures(row)
    if isinstance(clip, BrokenClip):
        return clip
    if problem := _problem(clip, row.text("sha256"), start or 0, length):
        return BrokenClip(clip.id, clip.path, problem, clip.domain)
    return replace(_cut(clip, start or 0, length, named, row), measures=measures)


def _cut(clip: Clip, start: int, length: int | None, named: str | None, row: _Row) -> Clip:
    """The segment that a row asks for; without an id of its own it is named by its place."""
    length = clip.num_samples - start if length is None else length
    if (start, length) == (0, clip.num_samples):
        return clip
    segment = segment_of(clip, start, length)
    return replace(segment, id=clip.id if named else segment.id, transcript=row.text("transcript"))


def _problem(clip: Clip, digest: str | None, start: int, length: int | None) -> str:
    """Why a file is not what its row says; empty if it is."""
    if digest and digest.lower() != clip.sha256:
        return (
            f"{clip.path} has sha256 {clip.sha256[:12]}..., the manifest says {digest[:12]}...; "
            "fetch the file again or correct the manifest"
        )
    end = start + (1 if length is None else length)
    if length == 0 or end > clip.num_samples:
        return (
            f"{clip.path} has {clip.num_samples} samples, the manifest asks for {length} from "
            f"{start}; correct the manifest"
        )
    return ""


def _measures(row: _Row) -> Measures | None:
    """What the manifest says was measured; a clip without a count of clipped samples was not."""
    if row.text("clipped_samples") is None:
        return None
    cells: dict[str, Any] = {}
    for each in dataclasses.fields(Measures):
        kind = str(each.type)
        read = row.whole if kind == "int" else row.flag if "bool" in kind else row.number
        cells[each.name] = read(each.name)
    return Measures(**cells)
