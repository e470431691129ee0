"""A test set, its identity, and the choice of clips and segments."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from snacbench.errors import TestSetError
from snacbench.testsets.records import FileRecord, printable, read_record
from snacbench.types import Clip, Domain, set_sha256

_NAMES_SHOWN = 8


@dataclass(frozen=True)
class BrokenClip:
    """A file that belongs to the set and cannot be read; it fails for every codec."""

    id: str
    path: Path
    reason: str
    domain: Domain = "unknown"


@dataclass(frozen=True)
class TestSet:
    """Clips in the order of their ids, and the files that could not be read.

    `roots` are where the files of each corpus lie, by what the ids of its clips begin with.
    Sentences say what is `missing` from a complete copy, and (`notes`) what else to know of how the
    set came about: files left out, segments not found.
    """

    __test__ = False  # keeps pytest from collecting it

    name: str
    clips: tuple[Clip, ...]
    broken: tuple[BrokenClip, ...] = ()
    roots: Mapping[str, Path] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[Clip | BrokenClip, ...]:
        """All files of the set, readable or not."""
        return (*self.clips, *self.broken)

    @property
    def duration_s(self) -> float:
        """Duration of all readable clips in seconds."""
        return sum(clip.duration_s for clip in self.clips)

    @property
    def sha256(self) -> str:
        """Digest of which samples the set consists of: the same set, the same digest."""
        return set_sha256(self.clips)


def clip_of(
    clip_id: str, path: Path, record: FileRecord | None = None, **facts: Any
) -> Clip | BrokenClip:
    """A clip of a whole file; a record tells what it holds, or why it cannot be read.

    Without a record the file is read. The clip's corpus is what its id begins with.
    """
    record = record or read_record(path.parent, path.name)
    if record.problem:
        return BrokenClip(printable(clip_id), path, record.problem, facts.get("domain", "unknown"))
    clip = Clip(clip_id, path, record.sha256, record.rate_hz, record.channels, record.num_samples)
    return replace(clip, note=record.note, corpus=clip_id.partition("/")[0], **facts)


def make_set(
    name: str, clips: Iterable[Clip | BrokenClip], *, origin: str, **facts: Any
) -> TestSet:
    """Collect clips into a set, of which `facts` tell what `TestSet` has besides.

    Raises `TestSetError` if there is no clip at all, or two have the same id.
    """
    found = sorted(clips, key=lambda clip: clip.id)
    if not found:
        text = f"{origin} holds no audio; expected WAV, FLAC, OGG, MP3, AIFF, M4A or the like"
        raise TestSetError(text)
    for one, other in pairwise(found):
        if one.id == other.id:
            raise TestSetError(f"{origin} has the id {one.id!r} twice: {one.path}, {other.path}")
    readable = tuple(c for c in found if isinstance(c, Clip))
    broken = tuple(c for c in found if isinstance(c, BrokenClip))
    return TestSet(name, readable, broken, **facts)


def joined(name: str, parts: Sequence[TestSet]) -> TestSet:
    """Several corpora as one set; each clip keeps the id it has in its own corpus."""
    return make_set(
        name, [clip for part in parts for clip in part.entries], origin=name,
        roots={key: root for part in parts for key, root in part.roots.items()},
        missing=tuple(line for part in parts for line in part.missing),
        notes=tuple(line for part in parts for line in part.notes),
    )  # fmt: skip


def segment_of(clip: Clip, start: int, num_samples: int) -> Clip:
    """A segment of a clip, `start` counted from the clip's own; its id tells its place."""
    return replace(
        clip, id=f"{clip.id}+{start / clip.rate_hz:.3f}s", start=clip.start + start,
        num_samples=num_samples,
        transcript=None,  # is that of the whole file
        measures=None,
    )  # fmt: skip


def choose(
    test_set: TestSet, *, segment_s: float | None = None, limit: int | None = None
) -> TestSet:
    """Cut long clips to segments and keep at most `limit` clips per domain.

    Both choices depend on a hash of each clip's id alone, so that adding files to a set changes
    neither the segment of another clip nor, but for those displaced, which ones are kept.
    """

    def cut(clip: Clip, length: int) -> Clip:
        if clip.num_samples <= length:
            return clip
        return segment_of(clip, hash_of(clip.id) % (clip.num_samples - length + 1), length)

    if segment_s is not None:
        cuts = tuple(cut(clip, round(segment_s * clip.rate_hz)) for clip in test_set.clips)
        test_set = replace(test_set, clips=cuts)
    if limit is None:
        return test_set
    kept: set[str] = set()
    for domain in {entry.domain for entry in test_set.entries}:
        ids = (entry.id for entry in test_set.entries if entry.domain == domain)
        kept.update(sorted(ids, key=hash_of)[:limit])
    return _where(test_set, kept.__contains__)


def shard_of(test_set: TestSet, shard: str) -> TestSet:
    """The clips of ``i/n``, the i-th of n parts of a set; all of them if the text is empty.

    To which part a clip belongs depends on its id alone: adding files moves no other clip. A part
    of a small set may be empty.

    Raises `TestSetError` if there is no such part.
    """
    if not shard:
        return test_set
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", shard)
    if not found or int(found[1]) > int(found[2]):
        raise TestSetError(f"--shard {shard}: expected I/N with I from 1 to N, such as 3/8")
    number, count = int(found[1]), int(found[2])
    return _where(test_set, lambda clip_id: hash_of(clip_id) % count == number - 1)


def _where(test_set: TestSet, wanted: Callable[[str], bool]) -> TestSet:
    clips = tuple(clip for clip in test_set.clips if wanted(clip.id))
    return replace(test_set, clips=clips, broken=tuple(b for b in test_set.broken if wanted(b.id)))


def counted(number: int, noun: str) -> str:
    """``1 file``, ``1,000 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def hash_of(text: str) -> int:
    """64 bits that depend on a text alone, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
