"""Several runs of one test set, made on different machines, as one run folder.

What the parts have in common must be the same in all of them; nothing is averaged, and nothing is
chosen. Timings and speeds are what a machine makes of them: of a row that several parts have, the
first part's are kept; a speed names its machine.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path
from typing import Any, TypeVar

from snacbench.errors import StoreError
from snacbench.files import atomic
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
    Run,
    Score,
    Speed,
    SpotCheck,
)
from snacbench.store.agree import check_agreement
from snacbench.store.folder import RUN_FILE, RunFolder
from snacbench.types import Clip, CodecSpec, MetricSpec, WeightsInfo

_TOLERANCE = 1e-9  # relative: sums in another order on another machine
PARTS_FOLDER = "parts"

# By what a row is known, and what of it two machines must agree on.
_Facts = Callable[[Any], tuple[Any, ...]]
_KINDS: dict[type, tuple[_Facts, _Facts]] = {
    Calibration: (lambda r: (r.codec,), lambda r: (r.delay_s, r.found)),
    Agreement: (lambda r: (r.codec, r.computed, r.baseline), lambda r: (r.tokens, r.equal)),
    SpotCheck: (lambda r: (r.codec,), lambda r: (r.passed,)),
    ClipMeasures: (lambda r: (r.clip,), lambda r: ()),
    Coded: (
        lambda r: (r.clip, r.codec),
        lambda r: (r.status, r.bits, r.seed, r.channel_mode, r.decoded_sha256),
    ),
    CodeHistogram: (
        lambda r: (r.clip, r.codec, r.stream),
        lambda r: (r.codebook_size, r.codes.tolist(), r.counts.tolist()),
    ),
    CodedBytes: (
        lambda r: (r.clip, r.codec, r.coder, r.shuffled),
        lambda r: (r.tables_sha256, r.stream_bytes),
    ),
    Speed: (lambda r: (r.codec,), lambda r: ()),
    Delay: (lambda r: (r.clip, r.codec), lambda r: (r.lag_s, r.found, r.inverted)),
    Score: (lambda r: (r.clip, r.codec, r.metric, r.version), lambda r: (r.status, r.value)),
}

Spec = TypeVar("Spec", CodecSpec, MetricSpec)


@dataclass
class Merged:
    """What came of a merge.

    `repeated` counts rows that more than one part had, and that agreed. Of files of decoded audio
    and of codes, `linked` share their disk space with a part's, and no part has those `missing`.
    """

    folder: RunFolder
    repeated: int
    linked: int = 0
    copied: int = 0
    missing: int = 0


def merge(parts: Sequence[RunFolder], target: Path) -> Merged:
    """Join runs into a new folder; it appears whole or not at all.

    Raises StoreError if the parts disagree (the message names the first disagreement), or the
    folder is taken.
    """
    if len(parts) < 2:
        raise StoreError(f"a merge needs two runs or more, found {len(parts)}")
    for other in parts[1:]:
        check_agreement(parts[0], other, why="cannot be merged", same_seed=True, same_versions=True)
    run = _joined_run(parts)
    names = [spec.name for part in parts for spec in part.run.codecs]
    shared = {name for name in names if names.count(name) > 1}
    common, repeated = _common_rows(parts, shared)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; choose a new or empty folder with -o")
    with atomic(target) as partial:
        done = Merged(RunFolder.create(partial, run, list(parts[0].read(Clip))), repeated)
        done.folder.append(common)
        for part in parts:  # rows of the codecs that no other part has, as they are
            for kind in _KINDS:
                if kind is not ClipMeasures:
                    rows: Iterator[Any] = part.read(kind)
                    done.folder.append(row for row in rows if row.codec not in shared)
        done.folder.append(_listening_rows(parts))
        kept = RunFolder(partial / PARTS_FOLDER)  # every part's own provenance, as it was
        kept.path.mkdir()
        for number, part in enumerate(parts, start=1):
            text = (part.path / RUN_FILE).read_text("utf-8")
            kept.write_text(f"{number}-{part.run.id}.{RUN_FILE}", text)
        _take_files(parts, done)
    done.folder = RunFolder.open(target)
    return done


def _common_rows(parts: Sequence[RunFolder], shared: set[str]) -> tuple[list[object], int]:
    """Rows that several parts could have, each once, and how many were there more often.

    A StoreError tells two parts that have different ones.
    """
    found, repeated = list[object](), 0
    for kind, (key, essence) in _KINDS.items():
        rows: dict[tuple[Any, ...], tuple[RunFolder, Any]] = {}
        for part in parts:
            read: Iterator[Any] = part.read(kind)
            if kind is not ClipMeasures:  # which belong to no codec
                read = (row for row in read if row.codec in shared)
            # A row that a killed process wrote twice counts as it was written last.
            for name, row in {key(row): row for row in read}.items():
                first, known = rows.setdefault(name, (part, row))
                if known is row:
                    continue
                repeated += 1
                for one, other in zip(essence(known), essence(row), strict=True):
                    numbers = isinstance(one, float) and isinstance(other, float)
                    if one != other and not (numbers and isclose(one, other, rel_tol=_TOLERANCE)):
                        raise StoreError(
                            f"{first.path} and {part.path} cannot be merged: they disagree on "
                            f"{' '.join(map(str, name))} ({kind.__name__} row): {one!s:.80} and "
                            f"{other!s:.80}; leave this codec out of one of them"
                        )
        found += [row for _, row in rows.values()]
    return found, repeated


def _listening_rows(parts: Sequence[RunFolder]) -> Iterator[object]:
    """Rows of every listening test once; a StoreError if two parts hold different results of it."""
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


def _take_files(parts: Sequence[RunFolder], done: Merged) -> None:
    """Link or copy decoded audio, and codes where they were kept."""
    for row in done.folder.read(Coded):
        for name in filter(None, (row.decoded, row.codes)):
            source = next((p for part in parts if (p := part.path / name).is_file()), None)
            if source is None:
                done.missing += 1
                continue
            target = done.folder.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
                done.linked += 1
            except OSError:  # another disk, or one without hard links
                try:
                    shutil.copy2(source, target)
                except OSError as error:
                    raise StoreError(
                        f"cannot copy {source} to {target}: {error.strerror}"
                    ) from error
                done.copied += 1


# --------------------------------------------------------------------- provenance of a merged run


def _joined_run(parts: Sequence[RunFolder]) -> Run:
    """How a run of several parts was made; codecs and metrics of one name must be the same."""
    runs = [part.run for part in parts]
    request = replace(
        runs[0].request,
        codecs=",".join(dict.fromkeys(run.request.codecs for run in runs)),
        merged=tuple(run.id for run in runs),
    )
    return replace(
        runs[0],
        id=uuid.uuid4().hex[:12],
        started_utc=min(run.started_utc for run in runs),
        snacbench_version=", ".join(dict.fromkeys(run.snacbench_version for run in runs)),
        request=request,
        device=", ".join(dict.fromkeys(run.device for run in runs)),
        codecs=_union([(part, run.codecs) for part, run in zip(parts, runs, strict=True)]),
        metrics=_union([(part, run.metrics) for part, run in zip(parts, runs, strict=True)]),
        codec_versions={k: v for run in runs for k, v in run.codec_versions.items()},
        metric_versions={k: v for run in runs for k, v in run.metric_versions.items()},
        packages=_by_part([run.packages for run in runs]),
        facts=_by_part([run.facts for run in runs]),
        machine=_by_part([run.machine for run in runs]),
    )


def _union(parts: Sequence[tuple[RunFolder, tuple[Spec, ...]]]) -> tuple[Spec, ...]:
    """Every spec once, in the order of the parts."""

    def essence(spec: CodecSpec | MetricSpec) -> dict[str, Any]:
        if isinstance(spec, CodecSpec):  # its weights' content, not where they lay
            return {**vars(spec), "weights": WeightsInfo(sha256=spec.weights.sha256)}
        return dict(vars(spec))

    found: dict[str, tuple[Spec, RunFolder]] = {}
    for part, specs in parts:
        for spec in specs:
            known, where = found.setdefault(spec.name, (spec, part))
            first, second = essence(known), essence(spec)
            for field in (field for field in first if first[field] != second[field]):
                raise StoreError(
                    f"{where.path} and {part.path} cannot be merged: {spec.name} is not the same "
                    f"in both ({field}: {first[field]!s:.80} and {second[field]!s:.80})"
                )
    return tuple(spec for spec, _ in found.values())


def _by_part(parts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all parts share as it is, what differs with the number of its part."""
    joined: dict[str, str] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part.get(key) for part in parts]
        told = (f"{v} (part {n})" for n, v in enumerate(values, start=1) if v is not None)
        joined[key] = str(values[0]) if len(set(values)) == 1 else "; ".join(told)
    return joined
