"""A manifest: a CSV file that names audio files, or segments of them, and what is known of them.

Its columns are described in docs/data.md; ``path`` is the only required one. Rates, channels and
durations are read from the files, not from here. Paths are relative to a root: the manifest's own
folder, or what ``--root`` names; rows with a ``corpus`` are looked for where that corpus lies.
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, NonNegativeInt, ValidationError

from snacbench.errors import TestSetError
from snacbench.files import write_text, writing
from snacbench.testsets.folder import Transcripts
from snacbench.testsets.records import AS_USUAL, FileIndex, Reading
from snacbench.testsets.roots import root_from_settings
from snacbench.testsets.spoken import gender_of, language_code
from snacbench.testsets.testset import BrokenClip, TestSet, clip_of, make_set, segment_of
from snacbench.textfile import read_table
from snacbench.types import Clip, Domain, Measures

_MEASURES = tuple(field.name for field in fields(Measures))
_WRITTEN = (
    *("path", "corpus", "id", "domain", "start", "num_samples", "rate_hz", "channels"),
    *("duration_s", "language", "speaker", "gender", "track", "transcript", "licence"),
    "lossy_source",
    *_MEASURES,
    "sha256",
)
_READ = (*_WRITTEN, "sample_rate", "source")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KEPT = {"licence", "lossy_source", "language", "speaker", "gender"}  # as they are


class _Row(BaseModel):
    """What a line of a manifest says; cells that are empty say nothing."""

    path: str
    id: str | None = None
    corpus: str | None = None
    domain: Annotated[Domain | None, BeforeValidator(str.lower)] = None
    start: NonNegativeInt = 0
    num_samples: NonNegativeInt | None = None
    transcript: str | None = None
    language: Annotated[str, BeforeValidator(language_code)] = ""
    speaker: str = ""
    gender: Annotated[str, BeforeValidator(gender_of)] = ""
    track: str | None = None
    licence: str | None = None
    lossy_source: Annotated[bool | None, BeforeValidator(lambda t: _FLAGS.get(t.lower()))] = None
    sha256: Annotated[str, BeforeValidator(str.lower)] = ""
    bandwidth_hz: float | None = None
    loudness_lufs: float | None = None
    peak_dbfs: float | None = None
    clipped_samples: NonNegativeInt | None = None  # without a count the clip was not measured
    brickwall: bool = False

    def part_of(self, clip: Clip | BrokenClip) -> Clip | BrokenClip:
        """The part of a file that is asked for; broken if the file is not what the row says."""
        if isinstance(clip, BrokenClip):
            return clip
        start, asked, problem = self.start, self.num_samples, ""
        length = clip.num_samples - start if asked is None else asked
        if self.sha256 and self.sha256 != clip.sha256:
            problem = (
                f"{clip.path} has sha256 {clip.sha256[:12]}..., the manifest says "
                f"{self.sha256[:12]}...; fetch the file again or correct the manifest"
            )
        elif length < 1 or start + length > clip.num_samples:
            problem = (
                f"{clip.path} has {clip.num_samples} samples, the manifest asks for {asked} from "
                f"{start}; correct the manifest"
            )
        if problem:
            return BrokenClip(clip.id, clip.path, problem, clip.domain)
        if (start, length) != (0, clip.num_samples):
            segment = segment_of(clip, start, length)
            own_id = clip.id if self.id else segment.id  # else it is named by its place
            clip = replace(segment, id=own_id, transcript=self.transcript)
        if self.clipped_samples is None:
            return clip
        return replace(clip, measures=Measures(**self.model_dump(include=set(_MEASURES))))


def manifest_set(
    manifest: Path,
    *,
    domain: Domain = "unknown",
    name: str | None = None,
    roots: Mapping[str, Path] | None = None,
    reading: Reading = AS_USUAL,
) -> TestSet:
    """The clips that a manifest lists; those that name no domain have `domain`.

    A file that is missing, unreadable, or differs from the digest in the manifest is kept as
    broken. Where no corpus is named, ids begin with `name`, else with the name of the manifest's
    folder. `roots` are folders by corpus, as `parse_roots` gives them. Raises `TestSetError` if
    the manifest is no CSV table with a column ``path``, is empty, or a cell of it is wrong.
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
        said = {column: text.strip() for column, text in cells.items() if text.strip()}
        if "clipped_samples" not in said:  # measured elsewhere, and written as is usual there
            said = {column: text for column, text in said.items() if column not in _MEASURES}
        try:
            row = _Row.model_validate(said)
        except ValidationError as error:
            first = error.errors()[0]
            found = "the cell is empty" if first["type"] == "missing" else f"{first['input']!r}"
            why = f"{first['loc'][0]}: {found}; {first['msg'].removeprefix('Value error, ')}"
            raise TestSetError(f"{manifest} line {line}: {why}") from error
        of_corpus.setdefault(row.corpus or folder_name, []).append(row)
    transcripts = Transcripts()
    clips: list[Clip | BrokenClip] = []
    bases: dict[str, Path] = {}
    for corpus, rows in of_corpus.items():
        paths = [row.path for row in rows]
        base = bases[corpus] = _base(corpus, paths[:8], manifest, roots or {})  # one may be missing
        records = FileIndex(corpus, base).read(paths, reading)
        for row in rows:
            plain, path = PurePosixPath(row.path), Path(os.path.normpath(base / row.path))
            own_id = row.id or str(plain).removesuffix(plain.suffix)
            facts = row.model_dump(include=_KEPT)
            facts |= {"domain": row.domain or domain, "cluster": row.speaker or row.track}
            facts["transcript"] = row.transcript or transcripts.beside(path)
            whole = clip_of(f"{corpus}/{own_id}", path, records[row.path], **facts)
            clips.append(row.part_of(whole))
    known_as = folder_name if set(of_corpus) <= {folder_name} else manifest.stem
    notes = (*table.notes, *transcripts.notes)
    return make_set(known_as, clips, origin=str(manifest), roots=bases, notes=notes)


def _base(corpus: str, firsts: Sequence[str], manifest: Path, roots: Mapping[str, Path]) -> Path:
    """The folder that the paths of a corpus are relative to: where its first files are found."""
    # The folder that an archive unpacks to and the one above it are both good roots of a corpus,
    # and the manifest may have been written with the other one: so those are tried too.

    def likely() -> Iterator[Path]:
        if corpus in roots:
            yield roots[corpus]
        if "" in roots:  # is for everything
            yield from (path for path in (roots[""] / corpus, roots[""]) if path.is_dir())
        if not roots:
            yield manifest.resolve().parent
        if root := root_from_settings(corpus):
            yield root
        yield manifest.resolve().parent

    for base in likely():
        for near in (base, base.parent, *sorted(path for path in base.glob("*/") if path.is_dir())):
            # False for what is too long to be a name, too.
            if any(os.path.isfile(near / first) for first in firsts):  # noqa: PTH113
                return near
    return next(likely())


def write_manifest(test_set: TestSet, path: Path) -> None:
    """Write one row per clip, in the order of ids; the file appears whole or not at all.

    Such a manifest gives the very same clips on another machine. Files that cannot be read have no
    row: there is nothing to reproduce. Raises `TestSetError` if there is no clip to write, and
    `StoreError` if the file cannot be written.
    """
    if not test_set.clips:
        raise TestSetError(f"{test_set.name} has no readable clip to write to {path}")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _WRITTEN, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for clip in test_set.clips:
        corpus, _, name = clip.id.partition("/")
        root = test_set.roots.get(corpus)
        inside = root is not None and clip.path.is_relative_to(root)
        row: dict[str, object] = {
            **asdict(clip),
            **(asdict(clip.measures) if clip.measures else {}),
            "path": clip.path.relative_to(root).as_posix() if root and inside else clip.path,
            "corpus": corpus,
            "id": name,
            "duration_s": f"{clip.duration_s:.3f}",
            "track": "" if clip.cluster == clip.speaker else clip.cluster,
        }
        writer.writerow(
            {k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()}
        )  # numbers are written in full, so that they read back as they were
    with writing(str(path)):
        write_text(path, text.getvalue())
