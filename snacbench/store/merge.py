"""Several runs of one test set, made on different machines, as one run folder.

What the parts have in common must be the same in all of them; nothing is averaged, and nothing is
chosen. Timings and speeds are what a machine makes of them: of a row that several parts have, the
first part's are kept; a speed names its machine.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snacbench.errors import StoreError
from snacbench.rows import (
    Agreement,
    Calibration,
    ClipMeasures,
    Coded,
    CodedBytes,
    CodeHistogram,
    Delay,
    ListenerScore,
    ListeningSummary,
    Score,
    Speed,
    SpotCheck,
)
from snacbench.store.agree import check_agreement
from snacbench.store.folder import RUN_FILE, RunFolder
from snacbench.store.joined import joined_run
from snacbench.types import Clip

_VALUES_AGREE = 1e-9  # relative: sums in another order on another machine
PARTS_FOLDER = "parts"

# By what a row is known, and what of it two machines must agree on.
_KEY: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    Calibration: lambda r: (r.codec,),
    Agreement: lambda r: (r.codec, r.computed, r.baseline),
    SpotCheck: lambda r: (r.codec,),
    ClipMeasures: lambda r: (r.clip,),
    Coded: lambda r: (r.clip, r.codec),
    CodeHistogram: lambda r: (r.clip, r.codec, r.stream),
    CodedBytes: lambda r: (r.clip, r.codec, r.coder, r.shuffled),
    Speed: lambda r: (r.codec,),
    Delay: lambda r: (r.clip, r.codec),
    Score: lambda r: (r.clip, r.codec, r.metric, r.version),
}
_ESSENCE: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    Calibration: lambda r: (r.delay_s, r.found),
    Agreement: lambda r: (r.tokens, r.equal),
    SpotCheck: lambda r: (r.passed,),
    ClipMeasures: lambda r: (),
    Coded: lambda r: (r.status, r.bits, r.seed, r.channel_mode, r.decoded_sha256),
    CodeHistogram: lambda r: (r.codebook_size, r.codes.tolist(), r.counts.tolist()),
    CodedBytes: lambda r: (r.tables_sha256, r.stream_bytes),
    Speed: lambda r: (),
    Delay: lambda r: (r.lag_s, r.found, r.inverted),
    Score: lambda r: (r.status, r.value),
}


@dataclass(frozen=True)
class Merged:
    """What came of a merge.

    Attributes
    ----------
    folder : RunFolder
    repeated : int
        Rows that more than one part had, and that agreed.
    linked, copied, missing : int
        Files of decoded audio and of codes that share their disk space with a part's, that were
        copied, and that no part has any more.
    """

    folder: RunFolder
    repeated: int
    linked: int
    copied: int
    missing: int


def merge(parts: Sequence[RunFolder], target: Path) -> Merged:
    """Join runs into a new folder; it appears whole or not at all.

    Raises
    ------
    StoreError
        If the parts disagree (the message names the first disagreement), or the folder is taken.
    """
    if len(parts) < 2:
        raise StoreError(f"a merge needs two runs or more, found {len(parts)}")
    for other in parts[1:]:
        check_agreement(parts[0], other, why="cannot be merged", same_seed=True, same_versions=True)
    run = joined_run([part.run for part in parts], [str(part.path) for part in parts])
    common, repeated = _common_rows(parts)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; choose a new or empty folder with -o")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        made = RunFolder.create(partial, run, list(parts[0].read(Clip)))
        made.append(common)
        for part in parts:
            made.append(_own_rows(part, _shared_codecs(parts)))
        made.append(_listening_rows(parts))
        _keep_provenance(parts, made)
        linked, copied, missing = _take_files(parts, made)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Merged(RunFolder.open(target), repeated, linked, copied, missing)


def _shared_codecs(parts: Sequence[RunFolder]) -> set[str]:
    names = [spec.name for part in parts for spec in part.run.codecs]
    return {name for name in names if names.count(name) > 1}


def _own_rows(part: RunFolder, shared: set[str]) -> Iterator[object]:
    """Rows of the codecs that no other part has, as they are."""
    for kind in _KEY:
        if kind is not ClipMeasures:
            rows: Iterator[Any] = part.read(kind)
            yield from (row for row in rows if row.codec not in shared)


def _common_rows(parts: Sequence[RunFolder]) -> tuple[list[object], int]:
    """Rows that several parts could have, each once, and how many were there more often.

    Raises
    ------
    StoreError
        If two parts have different ones.
    """
    shared, found, repeated = _shared_codecs(parts), list[object](), 0
    for kind, key in _KEY.items():
        rows: dict[tuple[Any, ...], tuple[RunFolder, Any]] = {}
        for part in parts:
            read: Iterator[Any] = part.read(kind)
            if kind is not ClipMeasures:  # which belong to no codec
                read = (row for row in read if row.codec in shared)
            # A row that a killed process wrote twice counts as it was written last.
            own = {key(row): row for row in read}
            for name, row in own.items():
                if name in rows:
                    repeated += 1
                    _check_equal(kind, rows[name], (part, row))
                else:
                    rows[name] = (part, row)
        found += [row for _, row in rows.values()]
    return found, repeated


def _listening_rows(parts: Sequence[RunFolder]) -> Iterator[object]:
    """Rows of every listening test once.

    Raises
    ------
    StoreError
        If two parts have different results of one test.
    """
    held: dict[str, tuple[RunFolder, ListeningSummary]] = {}
    for part in parts:
        for row in {row.test: row for row in part.read(ListeningSummary)}.values():
            first, known = held.setdefault(row.test, (part, row))
            if known != row:
                raise StoreError(
                    f"{first.path} and {part.path} cannot be merged: they hold different results "
                    f"of the listening test {row.test!r}; analyse it again with --run for both"
                )
    for test, (part, summary) in held.items():
        yield from (row for row in part.read(ListenerScore) if row.test == test)
        yield summary


def _check_equal(kind: type, one: tuple[RunFolder, Any], other: tuple[RunFolder, Any]) -> None:
    (first, row), (second, again) = one, other
    pairs = zip(_ESSENCE[kind](row), _ESSENCE[kind](again), strict=True)
    for found, expected in pairs:
        if not _same(found, expected):
            name = " ".join(map(str, _KEY[kind](row)))
            raise StoreError(
                f"{first.path} and {second.path} cannot be merged: they disagree on {name} "
                f"({kind.__name__} row): {found!s:.80} and {expected!s:.80}; leave this codec out "
                "of one of them"
            )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_VALUES_AGREE)
    return bool(one == other)


def _keep_provenance(parts: Sequence[RunFolder], made: RunFolder) -> None:
    """Every part's own ``run.json``, as it was."""
    kept = RunFolder(made.path / PARTS_FOLDER)
    kept.path.mkdir()
    for number, part in enumerate(parts, start=1):
        text = (part.path / RUN_FILE).read_text("utf-8")
        kept.write_text(f"{number}-{part.run.id}.{RUN_FILE}", text)


def _take_files(parts: Sequence[RunFolder], made: RunFolder) -> tuple[int, int, int]:
    """Decoded audio, and codes where they were kept."""
    linked = copied = missing = 0
    for row in made.read(Coded):
        for name in filter(None, (row.decoded, row.codes)):
            source = next((p for part in parts if (p := part.path / name).is_file()), None)
            if source is None:
                missing += 1
            elif _link(source, made.path / name):
                linked += 1
            else:
                copied += 1
    return linked, copied, missing


def _link(source: Path, target: Path) -> bool:
    """Take a file over; True if it shares its disk space, False if it had to be copied.

    Raises
    ------
    StoreError
        If it can be neither linked nor copied.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without hard links
        try:
            shutil.copy2(source, target)
        except OSError as error:
            raise StoreError(f"cannot copy {source} to {target}: {error.strerror}") from error
        return False
    return True
