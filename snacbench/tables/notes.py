"""What a reader of a run's numbers must know, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from snacbench.rate.entropy import RELIABLE_CLIPS, RELIABLE_TOKENS_PER_ENTRY
from snacbench.rows import Agreement
from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.entries import entries_of
from snacbench.tables.run import RunRows
from snacbench.tables.speeds import speed_notes
from snacbench.tables.together import Together, coded_together, scored_together
from snacbench.units import lateness

_STFT, _NARROW_HZ = "stft_dac", 22_050
LATE_S = 0.002
OUTSIDE = "outside"


def notes(runs: Sequence[RunRows]) -> list[str]:
    """All notes of some runs, as they stand below the summary."""
    entries = entries_of(runs)
    metrics = dict.fromkeys(metric for rows in runs for metric in rows.metrics)
    beside = {m: scored_together(entries, m, ALL_DOMAINS)[1] for m in metrics}
    beside["rates"] = coded_together(entries, ALL_DOMAINS)
    each = (note for rows in runs for note in _notes(rows))
    return [*each, *lost_notes(beside), *speed_notes(runs)]


def lost_notes(beside: Mapping[str, Together]) -> Iterator[str]:
    """Over which clips figures are taken where some codec lacks clips that others have.

    Parameters
    ----------
    beside : mapping of str to Together
        By metric, or ``rates``.
    """
    same: dict[str, list[str]] = {}
    for what, found in beside.items():
        if words := found.words("{}"):
            same.setdefault(words, []).append(what)
    for words, metrics in same.items():
        yield words.replace("{}", ", ".join(metrics), 1)


def _notes(rows: RunRows) -> Iterator[str]:
    yield provenance_note(rows)
    yield from codec_notes(rows)
    yield from delay_notes(rows)
    yield from entropy_notes(rows)
    yield from agreement_notes(rows)
    yield from undefined_notes(rows)
    yield from narrow_notes(rows)
    yield from skipped_notes(rows)
    yield from failure_notes(rows)


def undefined_notes(rows: RunRows) -> Iterator[str]:
    """Which metrics are undefined on some clips of a codec, and which on all that they are for."""
    every: dict[str, list[str]] = {}
    some: set[str] = set()
    for codec in rows.codecs:
        for metric, cells in codec.scores.items():
            if not cells["undefined"].any():
                continue
            if (cells["undefined"] | ~(cells["ok"] | cells["failed"])).all():
                every.setdefault(metric, []).append(codec.spec.name)
            else:
                some.add(metric)
    if some:
        metrics = ", ".join(sorted(some))
        yield f"Undefined for some clips, see their reasons in scores.jsonl: {metrics}."
    if every:
        listed = (
            metric + (f" of {', '.join(codecs)}" if len(codecs) < len(rows.codecs) else "")
            for metric, codecs in sorted(every.items())
        )
        yield f"Undefined for all clips, see their reasons in scores.jsonl: {'; '.join(listed)}."


def skipped_notes(rows: RunRows) -> Iterator[str]:
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


def narrow_notes(rows: RunRows) -> Iterator[str]:
    """Sources without a band that fills most of a metric's bins."""
    if _STFT not in rows.metrics:
        return
    rates = [clip.rate_hz for clip in rows.clips if clip.rate_hz]
    narrow = [rate for rate in rates if rate <= _NARROW_HZ]
    if narrow:
        listed = " or ".join(f"{rate / 1000:g}" for rate in sorted(set(narrow)))
        yield (
            f"{_STFT}: {len(narrow)} of {len(rates)} clips are at {listed} kHz and empty above "
            "half of that, where most of its bins are; whatever a codec writes there, however "
            f"faint, decides it. Within 8 kHz: snacbench score RUN --metrics {_STFT}_16k."
        )


def provenance_note(rows: RunRows) -> str:
    """Test set, seed, channels and version."""
    run = rows.run
    return (
        f"Test set {run.test_set} (sha256 {run.set_sha256[:12]}), seed {run.seed}, "
        f"{run.request.channels}, snacbench {run.snacbench_version}."
    )


def codec_notes(rows: RunRows) -> Iterator[str]:
    """Codecs that are not what their authors published, or not used as they meant it."""
    run = rows.run
    for check in rows.spot_checks:
        if not check.passed:
            yield f"{check.codec} is not to be believed; {check.reason}."
    demonstration = sorted({spec.model for spec in run.codecs if spec.demonstration})
    if demonstration:
        yield (
            f"{', '.join(demonstration)}: embedded demonstration models, not the published "
            "codecs; their numbers show that the machine works."
        )
    if truncated := [spec.name for spec in run.codecs if spec.truncated]:
        yield f"{', '.join(truncated)}: truncated to a depth the model was not trained for."
    if unverified := [s.name for s in run.codecs if s.weights.source == "folder"]:
        yield f"{', '.join(unverified)}: weights from a local folder, see run.json for sha256."
    own = [
        s.name
        for s in run.codecs
        if s.weights.source == "own" and s.weights.origin != "snacbench package"
    ]
    if own:
        yield f"{', '.join(own)}: files of the user's own, see run.json for paths and sha256."


def delay_notes(rows: RunRows) -> Iterator[str]:
    """Codecs whose decodes come late or inverted, or whose delay was not found on every clip."""
    for codec in rows.codecs:
        if late := _late(codec):
            yield f"{codec.spec.name}: decodes come {late}; only aligned metrics make up for it."
    if lost := _of_clips(rows, "found", False):
        yield (
            f"Alignment not found for {lost}: aligned metrics are there what they are at the "
            "codec's delay; see the reasons in delays.jsonl."
        )
    if inverted := _of_clips(rows, "inverted", True):
        yield f"Inverted polarity: {inverted}."


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


def entropy_notes(rows: RunRows) -> Iterator[str]:
    """Entropies that rest on little: those with a range only, and those to be careful with."""
    books = {codec.spec.name: codec.entropies(ALL_DOMAINS) for codec in rows.codecs}
    ranges = [name for name, of in books.items() if any(book.range_only for book in of)]
    small = [
        name
        for name, of in books.items()
        if name not in ranges and not all(book.reliable for book in of)
    ]
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


def agreement_notes(rows: RunRows) -> Iterator[str]:
    """How far codes and audio in reduced precision are from the baseline's."""
    yield from map(_agreement_note, rows.agreements)


def failure_notes(rows: RunRows) -> Iterator[str]:
    """How many codings failed."""
    tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
    failed = tried - sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs)
    if failed:
        yield (
            f"{failed} of {tried} codings (clips times codecs) failed; means are over clips that "
            "all codecs have."
        )


def _agreement_note(row: Agreement) -> str:
    share = "no codes to compare" if row.share is None else f"{row.share:.2%} of the codes equal"
    audio = "the same audio" if row.snr_db is None else f"audio at {row.snr_db:.1f} dB SNR"
    return f"{row.codec} in {row.computed} against {row.baseline}: {share}, {audio}."


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


def _of_clips(rows: RunRows, column: str, value: bool) -> str:
    """Codecs with the number of their clips for which a column of the delays holds a value."""
    counts = {
        codec.spec.name: (np.sum(known[column] == value), len(known))
        for codec in rows.codecs
        if len(known := codec.delays[codec.delays["known"]])
    }
    return ", ".join(f"{name} ({k} of {n} clips)" for name, (k, n) in counts.items() if k)
