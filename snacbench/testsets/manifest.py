"""A manifest: a CSV file that names audio files, or segments of them, and what is known of them.

Columns: ``path`` (the only required one), ``id``, ``corpus``, ``domain``, ``start`` and
``num_samples`` (in samples at the file's own rate), ``transcript``, ``speaker``, ``track``,
``licence``, ``lossy_source``, ``sha256`` and the measures, in any case. Rates, channels and
durations are read from the files, not from here, and ``source`` is for people; other columns are
named in a note.

Paths are relative to a root: the manifest's own folder, or what ``--root`` names; rows with a
``corpus`` are looked for where that corpus lies.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from snacbench.audio.io import read_clip, write_flac
from snacbench.errors import AudioError, StoreError, TestSetError
from snacbench.files import sha256_of_file, write_text
from snacbench.testsets.folder import Transcripts
from snacbench.testsets.records import FileIndex, Progress, Reading
from snacbench.testsets.roots import Roots, root_from_settings
from snacbench.testsets.testset import BrokenClip, TestSet, clip_of, make_set, segment_of
from snacbench.textfile import read_table
from snacbench.types import DOMAINS, Clip, Domain, Measures

_MEASURES = tuple(field.name for field in fields(Measures))
_WRITTEN = (
    *("path", "corpus", "id", "domain", "start", "num_samples", "rate_hz", "channels"),
    *("duration_s", "speaker", "track", "transcript", "licence", "lossy_source"),
    *_MEASURES,
    "sha256",
)
_READ = (*_WRITTEN, "sample_rate", "source")
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}
_FIRST_FILES = 8  # one may be missing
_MAX_NAME_CHARACTERS = 60  # at most four bytes each, of 255


@dataclass(frozen=True)
class _Row:
    """A line of a manifest, with where it stands."""

    cells: Mapping[str, str]
    place: str

    def text(self, column: str) -> str | None:
        return (self.cells.get(column) or "").strip() or None

    def whole(self, column: str) -> int | None:
        text = self.text(column)
        if text is not None and not text.isdecimal():
            raise TestSetError(
                f"{self.place}: {column} is {text!r}; expected a whole number of samples"
            )
        return None if text is None else int(text)

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

    def measures(self) -> Measures | None:
        """What was measured; a clip without a count of clipped samples was not."""
        if self.text("clipped_samples") is None:
            return None
        cells: dict[str, Any] = {}
        for each in fields(Measures):
            kind = str(each.type)
            read = self.whole if kind == "int" else self.flag if "bool" in kind else self.number
            cells[each.name] = read(each.name)
        return Measures(**cells)


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
    table = read_table(manifest, _READ, noun="manifest", refuse=TestSetError)
    if "path" not in table.columns:
        raise TestSetError(
            f"{manifest} has no column 'path'; found {', '.join(table.columns) or 'nothing'}; "
            "the columns are described in docs/data.md"
        )
    folder_name = name or manifest.resolve().parent.name
    of_corpus: dict[str, list[_Row]] = {}
    for line, cells in table.rows:
        row = _Row(cells, f"{manifest} line {line}")
        if row.text("path") is None:
            raise TestSetError(f"{row.place}: the cell 'path' is empty")
        of_corpus.setdefault(row.text("corpus") or folder_name, []).append(row)
    notes = list(table.notes)
    transcripts = Transcripts()
    clips: list[Clip | BrokenClip] = []
    bases: dict[str, Path] = {}
    for corpus, rows in of_corpus.items():
        paths = [str(row.text("path")) for row in rows]
        base = bases[corpus] = _base(corpus, paths[:_FIRST_FILES], manifest, roots)
        index = FileIndex(corpus, base)
        records = index.read(paths, reading)
        notes += index.notes()
        for row, listed in zip(rows, paths, strict=True):
            stated = (row.text("domain") or domain).lower()
            if stated not in DOMAINS:
                raise TestSetError(
                    f"{row.place}: unknown domain {stated!r}; expected {', '.join(DOMAINS)}"
                )
            plain, path = PurePosixPath(listed), Path(os.path.normpath(base / listed))
            whole = clip_of(
                f"{corpus}/{row.text('id') or str(plain).removesuffix(plain.suffix)}",
                path,
                records[listed],
                domain=stated,
                transcript=row.text("transcript") or transcripts.beside(path),
                cluster=row.text("speaker") or row.text("track"),
                licence=row.text("licence"),
                lossy_source=row.flag("lossy_source"),
            )
            clips.append(_as_listed(whole, row))
    stands_alone = set(of_corpus) <= {folder_name}
    found = make_set(
        folder_name if stands_alone else manifest.stem, clips, origin=str(manifest), roots=bases
    )
    return replace(found, notes=(*notes, *transcripts.notes()))


def _base(corpus: str, firsts: Sequence[str], manifest: Path, roots: Roots) -> Path:
    """The folder that the paths of a corpus are relative to: where its first files are found.

    The folder that an archive unpacks to and the one above it are both good roots of a corpus,
    and the manifest may have been written with the other one: so those are tried too.
    """
    here = manifest.resolve().parent
    likely = [roots.named[corpus]] if corpus in roots.named else []
    if roots.common is not None:
        inside = roots.common / corpus
        likely += [inside, roots.common] if inside.is_dir() else [roots.common]
    if not roots:
        likely.append(here)

    def places() -> Iterator[Path]:
        yield from likely
        if root := root_from_settings(corpus):
            likely.append(root)
            yield root
        if roots:
            yield here

    for base in places():
        try:
            below = sorted(path for path in base.iterdir() if path.is_dir())
        except OSError:
            below = []
        for near in (base, base.parent, *below):
            if any((near / first).is_file() for first in firsts):
                return near
    return likely[0] if likely else here


def _as_listed(clip: Clip | BrokenClip, row: _Row) -> Clip | BrokenClip:
    """The part of a file that its row asks for; broken if the file is not what the row says."""
    start, length, measures = row.whole("start") or 0, row.whole("num_samples"), row.measures()
    if isinstance(clip, BrokenClip):
        return clip
    digest, problem = row.text("sha256"), ""
    if digest and digest.lower() != clip.sha256:
        problem = (
            f"{clip.path} has sha256 {clip.sha256[:12]}..., the manifest says {digest[:12]}...; "
            "fetch the file again or correct the manifest"
        )
    elif length == 0 or start + (1 if length is None else length) > clip.num_samples:
        problem = (
            f"{clip.path} has {clip.num_samples} samples, the manifest asks for {length} from "
            f"{start}; correct the manifest"
        )
    if problem:
        return BrokenClip(clip.id, clip.path, problem, clip.domain)
    length = clip.num_samples - start if length is None else length
    if (start, length) != (0, clip.num_samples):
        segment = segment_of(clip, start, length)
        own_id = clip.id if row.text("id") else segment.id  # else it is named by its place
        clip = replace(segment, id=own_id, transcript=row.text("transcript"))
    return replace(clip, measures=measures)


# ------------------------------------------------------------------------------------- writing


def write_manifest(test_set: TestSet, path: Path) -> None:
    """Write one row per clip, in the order of ids; the file appears whole or not at all.

    Such a manifest gives the very same clips on another machine. Files that cannot be read have
    no row: there is nothing to reproduce.

    Raises
    ------
    TestSetError
        If there is no clip to write, or the file cannot be written.
    """
    if not test_set.clips:
        raise TestSetError(f"{test_set.name} has no readable clip to write to {path}")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _WRITTEN, lineterminator="\n")
    writer.writeheader()
    for clip in test_set.clips:
        corpus, _, name = clip.id.partition("/")
        root = test_set.roots.get(corpus)
        inside = root is not None and clip.path.is_relative_to(root)
        row: dict[str, object] = {
            column: getattr(clip, column) for column in _WRITTEN if hasattr(clip, column)
        }
        row |= asdict(clip.measures) if clip.measures else {}
        row |= {
            "path": clip.path.relative_to(root).as_posix() if root and inside else clip.path,
            "corpus": corpus,
            "id": name,
            "duration_s": f"{clip.duration_s:.3f}",
            "speaker" if clip.domain == "speech" else "track": clip.cluster,
        }
        writer.writerow(
            {k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()}
        )  # numbers are written in full, so that they read back as they were
    try:
        write_text(path, text.getvalue())
    except OSError as error:
        raise TestSetError(f"cannot write {path} ({error.strerror or error})") from error


@dataclass(frozen=True)
class Copied:
    """What `copy_clips` made: the set as it lies in the new folder, and what went wrong."""

    test_set: TestSet
    problems: tuple[str, ...]
    clipped: tuple[str, ...]


def copy_clips(test_set: TestSet, folder: Path, *, progress: Progress | None = None) -> Copied:
    """Write each clip as a FLAC file of its own: ``<folder>/<corpus>/<id>.flac``, 24 bits.

    Samples of 16- and 24-bit sources are kept as they are. The copies have digests of their own,
    so that the set they make has another digest than the one they were cut from.

    Raises
    ------
    TestSetError
        If the folder cannot be written.
    """
    clips: list[Clip] = []
    problems: list[str] = []
    clipped: list[str] = []
    if progress:
        progress.begin("copying", len(test_set.clips))
    for clip in test_set.clips:
        target = folder / ("/".join(map(_safe, clip.id.split("/"))) + ".flac")
        try:
            if write_flac(target, read_clip(clip)):
                clipped.append(clip.id)
        except AudioError as error:
            problems.append(f"{clip.id}: {error}")
            continue
        except StoreError as error:
            raise TestSetError(str(error)) from error
        clips.append(replace(clip, path=target, sha256=sha256_of_file(target), start=0))
        if progress:
            progress.step()
    roots = {clip.id.partition("/")[0]: folder for clip in clips}
    copied = replace(test_set, clips=tuple(clips), broken=(), roots=roots)
    return Copied(copied, tuple(problems), tuple(clipped))


def _safe(part: str) -> str:
    """Part of an id as a file's name; one that had to change ends in a digest of what it was."""
    safe = re.sub(r"[^\w.@+=-]", "_", part)[:_MAX_NAME_CHARACTERS]
    if safe == part and part.strip("."):
        return part
    return f"{safe.strip('.')}~{hashlib.sha256(part.encode()).hexdigest()[:8]}"
