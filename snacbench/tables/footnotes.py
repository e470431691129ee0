"""What a reader of numbers must know, one sentence each: what they rest on, what was left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from snacbench.rate.entropy import RELIABLE_CLIPS, RELIABLE_TOKENS_PER_ENTRY
from snacbench.rows import Speed
from snacbench.tables.layouts.parts import EFFICIENCY, ENTROPY, SPEEDS, Fact, Measure, Part
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, RunRows
from snacbench.tables.side_by_side import (
    Block,
    Entry,
    Together,
    coded_together,
    entries_of,
    metric_specs,
    scored_together,
    spanned,
)
from snacbench.tables.table_model import UNSTABLE, Column
from snacbench.units import lateness

LATE_S = 0.002
OUTSIDE = "outside"  # the family of decodes that were made elsewhere
_STFT, _NARROW_HZ = "stft_dac", 22_050
_FULL_BAND_HZ = 32_000  # metrics at lower rates do not see what a music codec is for
_OTHER_SETS = "Rows of different test sets are not ranked: no difference between them means much."
_TOLD_ONE_BY_ONE = 2  # unstable speeds, each in a sentence


def notes(runs: Sequence[RunRows]) -> list[str]:
    """All notes of some runs as a whole, as a report has them."""
    entries = entries_of(runs)
    metrics = dict.fromkeys(metric for rows in runs for metric in rows.metrics)
    beside = {m: scored_together(entries, m, ALL_DOMAINS)[1] for m in metrics}
    beside["rates"] = coded_together(entries, ALL_DOMAINS)
    about = run_notes(runs, entries, entropy=True, metrics=metrics)
    return [*about, *_lost_notes(beside), *speed_notes(runs)]


def table_notes(
    runs: Sequence[RunRows], block: Block, parts: Sequence[tuple[Part, Column]], compared: str
) -> tuple[str, ...]:
    """The footnotes of a table, each once; `compared` is the one of `significance`."""
    facts = [part for part, _ in parts if isinstance(part, Fact)]
    entropy = any(part.column.key in (EFFICIENCY.column.key, ENTROPY.column.key) for part in facts)
    sets = [
        {entry.rows.ids[clip] for clip in entry.columns.tried(block.domain).tolist()}
        for entry in block.entries
    ]
    tried, counts = frozenset[str]().union(*sets), {len(clips) for clips in sets}
    known = {block.clusters.get(clip) for clip in tried} - {None}
    unknown = sum(block.clusters.get(clip) is None for clip in tried)
    of_those = "" if unknown == len(tried) else f" of {unknown} of them"
    sample = (
        f"n = {spanned(sorted(counts))} clip{'' if counts == {1} else 's'}"
        + (f" in each row, {len(tried)} in all" if counts != {len(tried)} else "")
        + (f" of {len(known)} speakers or tracks" if known else "")
        + ", unless a letter says otherwise."
        + f" The speaker or track{of_those} is not known: taken as independent of all others."
        * bool(unknown)
    )
    intervals = [cell.interval for cell in block.cells.values() if cell.interval]
    intervals = [i for i in intervals if i.low is not None]
    methods = []
    for method in dict.fromkeys(i.method for i in intervals):
        those = [i for i in intervals if i.method == method]
        noun = "clip" if all(i.n == i.clusters for i in those) else "cluster"
        count = spanned([i.clusters for i in those])
        methods.append(f"{method} ({count} {noun}{'' if count == '1' else 's'})")
    brackets = ""
    if intervals:
        level = f"{100 * intervals[0].level:g} %"
        brackets = f"In brackets {level} intervals of the mean: {'; '.join(methods)}."
    found = [
        sample,
        *_lost_notes({**block.together, "rates": block.coded}),
        _OTHER_SETS if len({e.rows.run.set_sha256 for e in block.entries}) > 1 else "",
        brackets,
        compared,
        *_column_notes(parts, runs),
        *run_notes(runs, block.entries, entropy=entropy, metrics=block.scores),
        *(speed_notes(runs) if SPEEDS[0] in facts else ()),
    ]
    return tuple(dict.fromkeys(note for note in found if note))


def _lost_notes(beside: Mapping[str, Together]) -> Iterator[str]:
    """Over which clips figures are taken where some codec lacks clips that others have."""
    same: dict[str, list[str]] = {}
    for what, found in beside.items():
        if words := found.words("{}"):
            same.setdefault(words, []).append(what)
    for words, metrics in same.items():
        yield words.replace("{}", ", ".join(metrics), 1)


def _column_notes(parts: Sequence[tuple[Part, Column]], runs: Sequence[RunRows]) -> Iterator[str]:
    """What columns hold, what their metrics cannot hear, and which metrics the runs lack."""
    scored = {metric for rows in runs for metric in rows.metrics}
    yield from (part.note for part, _ in parts if isinstance(part, Fact))
    measures = [(part, column) for part, column in parts if isinstance(part, Measure)]
    named = [
        f"{part.heading} is {column.key}"
        for part, column in measures
        if column.key in scored and part.heading != column.key
    ]
    if named:
        yield f"Metrics: {'; '.join(named)}."
    specs = metric_specs(runs)
    for _, column in measures:
        spec = specs.get(column.key)
        if spec and spec.rate_hz < _FULL_BAND_HZ:
            yield f"{column.heading} hears nothing above {spec.rate_hz / 2000:g} kHz."
    missing = [(part.heading, column.key) for part, column in measures if column.key not in scored]
    if missing:
        headings, keys = (", ".join(names) for names in zip(*missing, strict=True))
        command = f"snacbench score RUN --metrics {keys.replace(' ', '')}"
        yield f"Not in this run: {headings}; add with: {command}"


def run_notes(
    runs: Sequence[RunRows],
    entries: Sequence[Entry],
    *,
    entropy: bool,
    metrics: Collection[str] = (),
) -> Iterator[str]:
    """What the runs and their codecs are; on entropies and on metrics only where they are shown."""
    anchors = [entry.label for entry in entries if entry.anchor]
    if anchors and len(anchors) < len(entries):
        yield f"Neither ranked nor compared, being yardsticks: {', '.join(anchors)}."
    for rows in runs:
        yield from codec_notes(rows)
        yield from delay_notes(rows)
        yield from _entropy_notes(rows) if entropy else ()
        for row in rows.agreements:
            share = "no codes to compare"
            share = share if row.share is None else f"{row.share:.2%} of the codes equal"
            audio = "the same audio" if row.snr_db is None else f"audio at {row.snr_db:.1f} dB SNR"
            yield f"{row.codec} in {row.computed} against {row.baseline}: {share}, {audio}."
        tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
        if failed := tried - sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs):
            yield (
                f"{failed} of {tried} codings (clips times codecs) failed; means are over clips "
                "that all codecs have."
            )
        yield from _undefined_notes(rows, metrics)
        yield from _skipped_notes(rows)
        rates = [clip.rate_hz for clip in rows.clips if clip.rate_hz]
        narrow = [rate for rate in rates if rate <= _NARROW_HZ]
        if narrow and _STFT in metrics and _STFT in rows.metrics:
            listed = " or ".join(f"{rate / 1000:g}" for rate in sorted(set(narrow)))
            yield (
                f"{_STFT}: {len(narrow)} of {len(rates)} clips are at {listed} kHz and empty above "
                "half of that, where most of its bins are; whatever a codec writes there, however "
                f"faint, decides it. Within 8 kHz: snacbench score RUN --metrics {_STFT}_16k."
            )
        run = rows.run
        yield (
            f"Test set {run.test_set} (sha256 {run.set_sha256[:12]}), seed {run.seed}, "
            f"{run.request.channels}, snacbench {run.snacbench_version}."
        )


def codec_notes(rows: RunRows) -> Iterator[str]:
    """Codecs that are not what their authors published, or not used as they meant it."""
    for check in rows.spot_checks:
        if not check.passed:
            yield f"{check.codec} is not to be believed; {check.reason}."
    found: dict[str, list[str]] = {
        "embedded demonstration models, not the published codecs; their numbers show that the "
        "machine works": sorted({spec.model for spec in rows.run.codecs if spec.demonstration})
    }
    for spec in rows.run.codecs:
        weights = spec.weights
        own = weights.source == "own" and weights.origin != "snacbench package"
        for applies, what in (
            (spec.truncated, "truncated to a depth the model was not trained for"),
            (weights.source == "folder", "weights from a local folder, see run.json for sha256"),
            (own, "files of the user's own, see run.json for paths and sha256"),
        ):
            found.setdefault(what, []).extend([spec.name] * applies)
    yield from (f"{', '.join(names)}: {what}." for what, names in found.items() if names)


def delay_notes(rows: RunRows) -> Iterator[str]:
    """Codecs whose decodes come late or inverted, or whose delay was not found on every clip."""
    for codec in rows.codecs:
        if late := _late(codec):
            yield f"{codec.spec.name}: decodes come {late}; only aligned metrics make up for it."
    lost, inverted = [], []
    for codec in rows.codecs:
        known = codec.delays[codec.delays["known"]]
        if count := np.sum(~known["found"]):
            lost.append(f"{codec.spec.name} ({count} of {len(known)} clips)")
        if count := np.sum(known["inverted"]):
            inverted.append(f"{codec.spec.name} ({count} of {len(known)} clips)")
    if lost:
        yield (
            f"Alignment not found for {', '.join(lost)}: aligned metrics are there what they are "
            "at the codec's delay; see the reasons in delays.jsonl."
        )
    if inverted:
        yield f"Inverted polarity: {', '.join(inverted)}."


def late_warnings(rows: RunRows) -> Iterator[str]:
    """Codecs that are so late or early that metrics which do not align are ruined."""
    for codec in rows.codecs:
        if late := _late(codec):
            advice = (
                "score-files --align takes the delay away from every file first"
                if codec.spec.family == OUTSIDE
                else "a codec must take away the delay that it knows of itself"
            )
            yield (
                f"decodes of {codec.spec.name} come {late}, for which metrics that do not align "
                f"(STOI, PESQ, distances) punish it; {advice}"
            )


def _late(codec: CodecColumns) -> str:
    """By how much, where the middle of the clips, or any of them, is off by 2 ms or more."""
    own_s = codec.delays["own_lag_s"][codec.delays["known"]]
    own_s = own_s[~np.isnan(own_s)]
    if not len(own_s):
        return ""
    middle_s = float(np.quantile(own_s, 0.5, method="lower"))
    apart = own_s[np.abs(own_s - middle_s) >= LATE_S]
    if abs(middle_s) < LATE_S and not len(apart):
        return ""
    text = f"{lateness(middle_s)} (median of {len(own_s)} clips)"
    if len(apart):
        span = " to ".join(dict.fromkeys(map(lateness, (apart.min(), apart.max()))))
        text += f", {len(apart)} of them otherwise: {span}"
    return text


def _entropy_notes(rows: RunRows) -> Iterator[str]:
    """Entropies that rest on little: those with a range only, and those to be careful with."""
    ranges, small = [], []
    for codec in rows.codecs:
        books = codec.entropies(ALL_DOMAINS)
        if any(book.range_only for book in books):
            ranges.append(codec.spec.name)
        elif not all(book.reliable for book in books):
            small.append(codec.spec.name)
    if ranges:
        yield (
            f"Entropy of {', '.join(ranges)} is unreliable: some codebook has fewer tokens than "
            "entries over all clips, so only a range is given, from the plug-in estimate to log2 "
            "of the codebook's size."
        )
    if small:
        yield (
            f"Entropy of {', '.join(small)} rests on fewer than {RELIABLE_TOKENS_PER_ENTRY} tokens "
            f"per codebook entry or fewer than {RELIABLE_CLIPS} clips, per domain on fewer still: "
            "it may read low by more than 2 %."
        )


def _undefined_notes(rows: RunRows, metrics: Collection[str]) -> Iterator[str]:
    """Which metrics are undefined on some clips of a codec, and which on all that they are for."""
    every: dict[str, list[str]] = {}
    some: set[str] = set()
    for codec in rows.codecs:
        for metric, cells in codec.scores.items():
            if metric not in metrics or not cells["undefined"].any():
                continue
            if (cells["undefined"] | ~(cells["ok"] | cells["failed"])).all():
                every.setdefault(metric, []).append(codec.spec.name)
            else:
                some.add(metric)
    if some:
        listed = ", ".join(sorted(some))
        yield f"Undefined for some clips, see their reasons in scores.jsonl: {listed}."
    if every:
        listed = "; ".join(
            metric + (f" of {', '.join(codecs)}" if len(codecs) < len(rows.codecs) else "")
            for metric, codecs in sorted(every.items())
        )
        yield f"Undefined for all clips, see their reasons in scores.jsonl: {listed}."


def _skipped_notes(rows: RunRows) -> Iterator[str]:
    """Scores that were skipped although the clip may well be what the metric is for."""
    unknown = np.array([clip.domain == "unknown" for clip in rows.clips], bool)
    specs = {spec.name: spec for spec in rows.run.metrics}
    by_domain: dict[str, list[str]] = {}
    clips, count, silent = np.zeros(len(unknown), bool), 0, []
    for metric in rows.metrics:
        skipped = np.zeros(len(unknown), int)
        for codec in rows.codecs:
            if (cells := codec.scores.get(metric)) is not None:
                known = min(len(cells), len(unknown))
                skipped[:known] += cells["skipped"][:known]
        spec = specs.get(metric)
        if spec is not None and "unknown" not in spec.domains and skipped[unknown].any():
            by_domain.setdefault(" or ".join(spec.domains), []).append(metric)
            clips, count = clips | (unknown & (skipped > 0)), count + int(skipped[unknown].sum())
        elif spec is not None and spec.needs_transcript and skipped.any():
            silent.append(metric)
    for domain, metrics in by_domain.items():
        yield (
            f"Skipped on {int(clips.sum())} clips of unknown domain, {count} scores in all: "
            f"{', '.join(metrics)}, which are for {domain}. Say what the clips are with --domain "
            f"{domain.split(' or ')[0]}."
        )
    if silent:
        yield f"Skipped on clips without a transcript: {', '.join(silent)}."


def speed_notes(runs: Sequence[RunRows]) -> Iterator[str]:
    """How speeds were measured, which are unstable, and which are not there."""
    codecs = [codec for rows in runs for codec in rows.codecs]
    speeds = [codec.speed for codec in codecs if codec.speed and codec.speed.encode_s]
    if speeds:
        repeats = [len(speed.encode_s) for speed in speeds]
        lengths = sorted({speed.duration_s for speed in speeds})
        seconds = " to ".join(f"{s:g}" for s in dict.fromkeys((lengths[0], lengths[-1])))
        yield (
            "RTF: seconds of computing per second of audio, lower is faster: median [least, "
            f"greatest] of {spanned(repeats)} repeats on {seconds} s of the same audio, measured "
            f"apart in one process, one numerical thread. {places_measured(speeds)}"
        )
    batches = [f"{s.codec} ({s.batch})" for s in speeds if s.batch > 1]
    if batches:
        yield (
            "RTF in batches: so many signals at once, which says nothing of one alone: "
            f"{', '.join(dict.fromkeys(batches))}."
        )
    if starting := [speed.codec for speed in speeds if speed.starts_process]:
        yield f"RTF with the start of a program for every call: {', '.join(starting)}."
    unstable = [speed for speed in speeds if speed.unstable]
    if len(unstable) > _TOLD_ONE_BY_ONE:
        names = ", ".join(speed.codec for speed in unstable)
        yield f"{UNSTABLE} RTF is unstable: {names}; rtf_unstable in summary.csv says why of each."
    else:
        yield from (f"{UNSTABLE} RTF of {s.codec} is unstable: {s.unstable}." for s in unstable)
    for codec in codecs:
        if codec.speed and not codec.speed.encode_s:
            yield f"Speed of {codec.spec.name} could not be measured: {codec.speed.reason}."
    without = [codec.spec for codec in codecs if not codec.speed]
    if outside := [spec.name for spec in without if spec.family == OUTSIDE]:
        yield f"No speed of {', '.join(outside)}: decoded elsewhere."
    if own := [spec.name for spec in without if spec.family != OUTSIDE]:
        whose = "" if len(own) == len(codecs) else f" of {', '.join(own)}"
        yield f"Speed{whose} was not measured; 'snacbench speed RUN' does."


def places_measured(speeds: Sequence[Speed]) -> str:
    """On what speeds were measured, in a sentence; different machines do not compare."""
    on: dict[tuple[str, str], list[str]] = {}
    for speed in speeds:
        computed = speed.device + ("" if speed.precision == "fp32" else f" in {speed.precision}")
        on.setdefault((speed.machine, computed), []).append(speed.codec)
    if len({machine for machine, _ in on}) > 1:
        parts = [f"{', '.join(codecs)} on {c}, {m}" for (m, c), codecs in on.items()]
        return f"MEASURED ON DIFFERENT MACHINES, do not compare: {'; '.join(parts)}."
    ((machine, computed), _), *others = on.items()
    if not others:
        return f"On {computed}, {machine}."
    return f"On {machine}: " + "; ".join(f"{', '.join(n)} on {c}" for (_, c), n in on.items()) + "."
