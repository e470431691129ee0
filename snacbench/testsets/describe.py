"""What a test set consists of, in words and counts."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from snacbench.testsets.records import Progress
from snacbench.testsets.segments import measured
from snacbench.testsets.testset import TestSet, choose, counted, some_of
from snacbench.testsets.warnings import warnings_of
from snacbench.types import Clip, Measures

_MEASURED_PER_DOMAIN = 100
_MEASURED_S = 10.0


@dataclass(frozen=True)
class DomainFacts:
    """One domain of a set; texts are ready to be shown.

    `clusters` counts speakers or tracks, `measured` the clips behind the last three.
    """

    domain: str
    clips: int
    hours: float
    clusters: int
    rates: str
    channels: str
    transcripts: int
    lossy: str
    measured: int
    bandwidth: str
    loudness: str
    clipped: str


def facts_by_domain(test_set: TestSet) -> list[DomainFacts]:
    """The facts of each domain of a set, in alphabetical order."""
    domains = sorted({clip.domain for clip in test_set.clips})
    return [_facts(d, [c for c in test_set.clips if c.domain == d]) for d in domains]


def _facts(domain: str, clips: Sequence[Clip]) -> DomainFacts:
    measures = [clip.measures for clip in clips if clip.measures]
    lossy = Counter(
        {True: "lossy", False: "lossless", None: "unknown"}[c.lossy_source] for c in clips
    )
    return DomainFacts(
        domain,
        clips=len(clips),
        hours=sum(clip.duration_s for clip in clips) / 3600,
        clusters=len({clip.cluster for clip in clips if clip.cluster is not None}),
        rates=_counted(f"{clip.rate_hz} Hz" for clip in clips),
        channels=_counted({1: "mono", 2: "stereo"}.get(c.channels, f"{c.channels}") for c in clips),
        transcripts=sum(clip.transcript is not None for clip in clips),
        lossy=_counted(lossy.elements()),
        measured=len(measures),
        bandwidth=_spread([m.bandwidth_hz and m.bandwidth_hz / 1000 for m in measures], "kHz"),
        loudness=_spread([m.loudness_lufs for m in measures], "LUFS"),
        clipped=_clipped(measures),
    )


def facts_of(test_set: TestSet) -> dict[str, str]:
    """The facts of a whole set, label by label; lists are cut short."""
    licences = Counter(clip.licence or "not stated" for clip in test_set.clips)
    lines = {
        "set": test_set.name,
        "digest": test_set.sha256,
        "clips": f"{len(test_set.clips)}, {test_set.duration_s / 3600:.2f} h",
        "where": "; ".join(f"{name}: {root}" for name, root in test_set.roots.items()),
        "licence": _counted(licences.elements()),
        "missing": "; ".join(test_set.missing),
        "notes": "; ".join(test_set.notes),
        "unreadable": unreadable(test_set),
        "warnings": "; ".join(warnings_of(test_set.clips)),
    }
    return {label: text for label, text in lines.items() if text}


def unreadable(test_set: TestSet) -> str:
    """How many files cannot be read, and why the first one cannot; empty if all can."""
    if not test_set.broken:
        return ""
    return f"{counted(len(test_set.broken), 'file')}, for example: {test_set.broken[0].reason}"


def with_sample_measured(test_set: TestSet, *, progress: Progress | None = None) -> TestSet:
    """The set with up to 100 clips per domain measured, 10 s of each, chosen by hash.

    Sets whose clips carry measures, because they were drawn or listed with them, stay as they
    are: those are the samples that count.
    """
    if not test_set.clips or any(clip.measures for clip in test_set.clips):
        return test_set
    sample = choose(replace(test_set, broken=()), limit=_MEASURED_PER_DOMAIN).clips
    parts = choose(replace(test_set, clips=sample, broken=()), segment_s=_MEASURED_S).clips
    found, problems = measured(parts, progress=progress)
    by_file = {clip.path: clip.measures for clip in found}
    clips = tuple(replace(clip, measures=by_file.get(clip.path)) for clip in test_set.clips)
    notes = [f"measured on {_MEASURED_S:g} s of each of {counted(len(found), 'clip')}"]
    if problems:
        notes.append(f"{counted(len(problems), 'clip')} cannot be read: {some_of(problems)}")
    return replace(test_set, clips=clips, notes=(*test_set.notes, *notes))


def _counted(texts: Iterable[str]) -> str:
    """What occurs, most frequent first; how often, unless it is always the same."""
    counts = Counter(texts).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{text} ({count})" for text, count in counts)


def _spread(values: Sequence[float | None], unit: str) -> str:
    """Median, smallest and largest."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{statistics.median(known):.1f} ({min(known):.1f} to {max(known):.1f}) {unit}"


def _clipped(measures: Sequence[Measures]) -> str:
    if not measures:
        return "-"
    return f"{sum(m.clipped_samples > 0 for m in measures)} of {len(measures)} clips"
