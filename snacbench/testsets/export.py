"""Writing a test set as a manifest that gives the very same clips on another machine."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from snacbench.audio.io import read_clip, sha256_of_file, write_flac
from snacbench.errors import AudioError, StoreError, TestSetError
from snacbench.testsets.records import Progress
from snacbench.testsets.testset import TestSet
from snacbench.types import Clip, Measures

_MAX_NAME_CHARACTERS = 60  # at most four bytes each, of 255

MEASURES = tuple(field.name for field in fields(Measures))
COLUMNS = (
    "path",
    "corpus",
    "id",
    "domain",
    "start",
    "num_samples",
    "rate_hz",
    "channels",
    "duration_s",
    "speaker",
    "track",
    "transcript",
    "licence",
    "lossy_source",
    *MEASURES,
    "sha256",
)


@dataclass(frozen=True)
class Copied:
    """What `copy_clips` made: the set as it lies in the new folder, and what went wrong."""

    test_set: TestSet
    problems: tuple[str, ...]
    clipped: tuple[str, ...]


def write_manifest(test_set: TestSet, path: Path) -> None:
    """Write one row per clip, in the order of ids; the file appears whole or not at all.

    Files that cannot be read have no row: there is nothing to reproduce.

    Raises
    ------
    TestSetError
        If there is no clip to write, or the file cannot be written.
    """
    if not test_set.clips:
        raise TestSetError(f"{test_set.name} has no readable clip to write to {path}")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_row(clip, test_set.roots) for clip in test_set.clips)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise TestSetError(f"cannot write {path} ({error.strerror or error})") from error


def _row(clip: Clip, roots: Mapping[str, Path]) -> dict[str, object]:
    corpus, _, name = clip.id.partition("/")
    measured = asdict(clip.measures) if clip.measures else {}
    return {
        "path": _relative(clip.path, roots.get(corpus)),
        "corpus": corpus,
        "id": name,
        "domain": clip.domain,
        "start": clip.start,
        "num_samples": clip.num_samples,
        "rate_hz": clip.rate_hz,
        "channels": clip.channels,
        "duration_s": f"{clip.duration_s:.3f}",
        "speaker" if clip.domain == "speech" else "track": clip.cluster,
        "transcript": clip.transcript,
        "licence": clip.licence,
        "lossy_source": _text(clip.lossy_source),
        **{name: _text(value) for name, value in measured.items()},
        "sha256": clip.sha256,
    }


def _text(value: object) -> object:
    """A cell; numbers are written in full, so that they read back as they were."""
    return str(value).lower() if isinstance(value, bool) else value


def _relative(path: Path, root: Path | None) -> str:
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return str(path)


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
        target = folder / f"{_safe(clip.id)}.flac"
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


def _safe(clip_id: str) -> str:
    """An id as a path below a folder; a part that had to change ends in a digest of what it was."""
    return "/".join(_safe_part(part) for part in clip_id.split("/"))


def _safe_part(part: str) -> str:
    safe = re.sub(r"[^\w.@+=-]", "_", part)[:_MAX_NAME_CHARACTERS]
    if safe == part and part.strip("."):
        return part
    return f"{safe.strip('.')}~{hashlib.sha256(part.encode()).hexdigest()[:8]}"
