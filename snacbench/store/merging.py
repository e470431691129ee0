"""Several runs of one test set, of codecs or shards of their own, as one run folder.

What the parts have in common must be the same in all of them; nothing is averaged, and nothing is
chosen. Timings and speeds are what a machine makes of them: of a row that several parts have, the
first part's are kept; a speed names its machine.
"""

import math
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from snacbench import rows
from snacbench.errors import StoreError
from snacbench.files import atomic
from snacbench.store.agree import ASR_FACT, check_agreement
from snacbench.store.embeddings import embeddings_name
from snacbench.store.run_folder import RUN_FILE, RunFolder, explained
from snacbench.types import Clip, CodecSpec, MetricSpec, WeightsInfo, set_sha256

_TOLERANCE = 1e-9  # relative: sums in another order on another machine

# By which fields a row is known, and on which of its others two machines must agree.
_KINDS: dict[type[Any], tuple[str, str]] = {
    rows.Calibration: ("codec", "delay_s found"),
    rows.Agreement: ("codec computed baseline", "tokens equal"),
    rows.SpotCheck: ("codec", "passed"),
    rows.ClipMeasures: ("clip", ""),
    rows.Coded: ("clip codec", "status bits seed channel_mode realised decoded_sha256"),
    rows.CodeHistogram: ("clip codec stream", "codebook_size codes counts"),
    rows.CodedBytes: ("clip codec coder shuffled", "tables_sha256 stream_bytes"),
    rows.Speed: ("codec", ""),
    rows.Cost: ("codec", "delay_samples whole_file"),
    rows.Delay: ("clip codec", "lag_s found inverted"),
    rows.Score: ("clip codec metric version", "status value"),
    # Embeddings of one signal may differ by rounding between machines; a codec's are of one part.
    rows.Embedded: ("clip codec metric version", "status"),
}

Spec = TypeVar("Spec", CodecSpec, MetricSpec)


@dataclass
class Merged:
    """What came of a merge.

    `repeated` counts rows that more than one part had, and that agreed; `lacking` says which shards
    no part has, or none of a codec. Of files of decoded audio, codes and embeddings, `linked` share
    their disk space with a part's, and no part has those `missing`.
    """

    folder: RunFolder
    repeated: int
    lacking: tuple[str, ...] = ()
    linked: int = 0
    copied: int = 0
    missing: int = 0


def merge(parts: Sequence[RunFolder], target: Path) -> Merged:
    """Join runs into a new folder; it appears whole or not at all.

    Raises StoreError, which names the first disagreement, if parts disagree or the folder is taken.
    """
    if len(parts) < 2:
        raise StoreError(f"a merge needs two runs or more, found {len(parts)}")
    alike: dict[frozenset[str], RunFolder] = {}  # of one set of codecs and metrics: one part
    for other in parts:
        for first in alike.values():
            check_agreement(first, other, why="cannot be merged", as_parts=True)
        names = [codec.name for codec in other.run.codecs]
        names += [metric.name for metric in other.run.metrics]
        alike.setdefault(frozenset(names), other)
    clips, in_parts = _clips(parts), Counter(c.id for part in parts for c in part.read(Clip))
    shards, lacking = _shards(parts)
    joined = _joined(parts, clips.values(), shards, lacking)
    names = [spec.name for part in parts for spec in part.run.codecs]
    shared = {name for name in names if names.count(name) > 1}

    def contested(row: Any) -> bool:
        """Whether another part may have the row, too."""
        ours = type(row) is not rows.ClipMeasures and row.codec not in shared
        return not ours and in_parts[getattr(row, "clip", "")] != 1

    common, repeated = _common_rows(parts, contested)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; choose a new or empty folder with -o")
    with explained(target), atomic(target) as partial:
        in_order = sorted(clips.values(), key=lambda clip: clip.id)
        done = Merged(RunFolder.create(partial, joined, in_order), repeated, lacking)
        done.folder.append(common)
        for part in parts:  # what no other part has, as it is
            for kind in _KINDS:
                done.folder.append(row for row in part.read(kind) if not contested(row))
        done.folder.append(_listening_rows(parts))
        (partial / "parts").mkdir()  # every part's own provenance, as it was
        for number, part in enumerate(parts, start=1):
            name = f"parts/{number}-{part.run.id}.{RUN_FILE}"
            shutil.copyfile(part.path / RUN_FILE, partial / name)
        _take_files(parts, done)
    done.folder = RunFolder.open(target)
    return done


def _clips(parts: Sequence[RunFolder]) -> dict[str, Clip]:
    """Every clip once, as the parts have it in which words were heard, if there are any."""
    # A StoreError tells clips in which other words were said, or in another language.
    found = dict[str, tuple[RunFolder, Clip]]()
    hearing = [part for part in parts if any(m.needs_transcript for m in part.run.metrics)]
    for part in (*hearing, *parts):
        for clip in part.read(Clip):
            first, known = found.setdefault(clip.id, (part, clip))
            said = [(one.transcript, one.language) for one in (known, clip)]
            if part in hearing and said[0] != said[1]:
                raise StoreError(
                    f"{first.path} and {part.path} cannot be merged: of {clip.id} they state "
                    f"{said[0]!s:.80} and {said[1]!s:.80}; run both by one manifest"
                )
    return {name: clip for name, (_, clip) in found.items()}


def _shards(parts: Sequence[RunFolder]) -> tuple[str, tuple[str, ...]]:
    """All shards that parts are, as a request names them, and in sentences what is not there."""
    have: dict[str, set[str]] = {}  # of each codec; an empty name stands for the whole set
    for run in (part.run for part in parts):
        for spec in run.codecs:
            have.setdefault(spec.name, set()).update(run.request.shard.split(","))
    named = set().union(*have.values()) - {""}
    counts = {text.partition("/")[2] for text in named}
    if len(counts) > 1:
        raise StoreError(
            f"these are shards of different divisions ({', '.join(sorted(named))}); merge those of "
            "one plan, all I/N of one N"
        )
    every = [f"{number}/{count}" for count in counts for number in range(1, int(count) + 1)]
    lacking: dict[str, list[str]] = {}
    for codec, shards in have.items():
        if gone := ", ".join(shard for shard in every if not shards & {shard, ""}):
            lacking.setdefault(gone, []).append(codec)
    said = (
        f"shard {gone}" + (f" of {', '.join(codecs)}" if len(codecs) < len(have) else "")
        for gone, codecs in lacking.items()
    )
    return ",".join(shard for shard in every if shard in named), tuple(said)


def _common_rows(
    parts: Sequence[RunFolder], contested: Callable[[Any], bool]
) -> tuple[list[object], int]:
    """Rows that several parts could have, each once, and how many were there more often."""
    # A StoreError tells two parts that have different ones.
    found, repeated = list[object](), 0
    for kind, (key, agreed) in _KINDS.items():
        met: dict[tuple[Any, ...], tuple[RunFolder, Any]] = {}
        for part in parts:
            # A row that a killed process wrote twice counts as it was written last.
            by_name = {
                tuple(getattr(row, field) for field in key.split()): row
                for row in part.read(kind)
                if contested(row)
            }
            for name, row in by_name.items():
                first, known = met.setdefault(name, (part, row))
                repeated += known is not row
                if isinstance(row, rows.Speed | rows.Cost) and (row.reason or known.reason):
                    met[name] = (part, row) if known.reason else (first, known)
                    continue  # one that could not be measured says nothing against the other
                for one, other in ((getattr(known, f), getattr(row, f)) for f in agreed.split()):
                    if isinstance(one, float) and isinstance(other, float):
                        alike = math.isclose(one, other, rel_tol=_TOLERANCE)
                    else:
                        alike = np.array_equal(one, other)
                    if not alike:
                        raise StoreError(
                            f"{first.path} and {part.path} cannot be merged: they disagree on "
                            f"{' '.join(map(str, name))} ({kind.__name__} row): {one!s:.80} and "
                            f"{other!s:.80}; leave this codec out of one of them"
                        )
        found += [row for _, row in met.values()]
    return found, repeated


def _listening_rows(parts: Sequence[RunFolder]) -> Iterator[object]:
    """Rows of every listening test once; a StoreError if two parts hold different results of it."""
    held: dict[str, tuple[RunFolder, rows.ListeningSummary]] = {}
    for part in parts:
        for row in {row.test: row for row in part.read(rows.ListeningSummary)}.values():
            first, known = held.setdefault(row.test, (part, row))
            if known != row:
                raise StoreError(
                    f"{first.path} and {part.path} cannot be merged: they hold different results "
                    f"of the listening test {row.test!r}; analyse it again with --run for both"
                )
    for test, (part, summary) in held.items():
        yield from (row for row in part.read(rows.ListenerScore) if row.test == test)
        yield summary


def _take_files(parts: Sequence[RunFolder], done: Merged) -> None:
    """Link or copy decoded audio, codes where they were kept, and embeddings."""
    coded = ((row.decoded, row.codes) for row in done.folder.read(rows.Coded))
    ok = (row for row in done.folder.read(rows.Embedded) if row.status == "ok")
    digests = dict.fromkeys(digest for row in ok for digest in (row.reference, row.degraded))
    for name in chain(filter(None, chain.from_iterable(coded)), map(embeddings_name, digests)):
        source = next((p for part in parts if (p := part.path / name).is_file()), None)
        target = done.folder.path / name
        if source is None or target.exists():  # already, of a row that a part has twice
            done.missing += source is None
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
            done.linked += 1
        except OSError:  # another disk, or one without hard links
            shutil.copy2(source, target)
            done.copied += 1


# --------------------------------------------------------------------- provenance of a merged run
def _joined(
    parts: Sequence[RunFolder], clips: Collection[Clip], shards: str, lacking: Sequence[str]
) -> rows.Run:
    runs = [part.run for part in parts]
    facts = _by_part([run.facts for run in runs])
    # What a part says of shards was true of itself.
    gone = [t for run in runs for t in run.facts.get(rows.MISSING, "").split("; ")]
    gone = [*lacking, *dict.fromkeys(text for text in gone if not text.startswith("shard "))]
    facts[rows.MISSING] = "; ".join(filter(None, gone))
    metric_weights = {k: v for run in reversed(runs) for k, v in run.metric_weights.items()}
    weights = runs[0].request.weights  # and for later scores, where other parts' metrics had files
    named, found = [text.partition("=")[0] for text in weights], metric_weights.items()
    weights += tuple(f"{m}={w.origin}" for m, w in found if w.source == "folder" and m not in named)
    hearing = [run for run in runs if ASR_FACT in run.facts]
    if hearing:  # all by one, which is what later scores are compared with
        facts[ASR_FACT] = hearing[0].facts[ASR_FACT]
    request = replace(
        runs[0].request, asr=(hearing or runs)[0].request.asr, weights=weights,
        codecs=",".join(dict.fromkeys(run.request.codecs for run in runs)),
        conditions=tuple(dict.fromkeys(c for run in runs for c in run.request.conditions)),
        merged=tuple(run.id for run in runs), shard=shards if lacking else "",
    )  # fmt: skip
    scored = {(m.name, spec.name) for run in runs for m in run.metrics for spec in run.codecs}
    return replace(
        runs[0], id=uuid.uuid4().hex[:12], started_utc=min(run.started_utc for run in runs),
        snacbench_version=", ".join(dict.fromkeys(run.snacbench_version for run in runs)),
        request=request, device=", ".join(dict.fromkeys(run.device for run in runs)),
        # Of one name they must be the same.
        codecs=_union(parts, [run.codecs for run in runs]),
        metrics=_union(parts, [run.metrics for run in runs]),
        codec_versions={k: v for run in runs for k, v in run.codec_versions.items()},
        metric_versions={k: v for run in runs for k, v in run.metric_versions.items()},
        metric_weights=metric_weights,
        recordings={k: v for run in runs for k, v in run.recordings.items()},
        packages=_by_part([run.packages for run in runs]),
        lacking={
            name: why
            for run in runs
            for name, why in run.lacking.items()
            if any((name, spec.name) not in scored for spec in run.codecs)
        },
        facts={name: text for name, text in facts.items() if text}, set_sha256=set_sha256(clips),
        whole_set_sha256=(runs[0].whole_set_sha256 or runs[0].set_sha256) if lacking else "",
        machine=_by_part([run.machine for run in runs]),
    )  # fmt: skip


def _union(parts: Sequence[RunFolder], named: Iterable[tuple[Spec, ...]]) -> tuple[Spec, ...]:
    def essence(spec: CodecSpec | MetricSpec) -> dict[str, Any]:
        if isinstance(spec, CodecSpec):  # its weights' content, not where they lay
            return {**vars(spec), "weights": WeightsInfo(sha256=spec.weights.sha256)}
        return dict(vars(spec))

    found: dict[str, tuple[Spec, RunFolder]] = {}
    for part, specs in zip(parts, named, strict=True):
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
