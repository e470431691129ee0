"""What a reader of a run's numbers must know, one sentence each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from snacbench.rate.entropy import FEWEST_TOKENS_PER_ENTRY, RELIABLE_TOKENS_PER_ENTRY
from snacbench.rows import Agreement
from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.run import RunRows
from snacbench.units import lateness

LATE_S = 0.002
OUTSIDE = "outside"


def notes(runs: Sequence[RunRows]) -> list[str]:
    """All notes of some runs, as they stand below the summary."""
    return [note for rows in runs for note in _notes(rows)]


def _notes(rows: RunRows) -> Iterator[str]:
    yield provenance_note(rows)
    yield from codec_notes(rows)
    yield from delay_notes(rows)
    yield from entropy_notes(rows)
    yield from computing_notes(rows)
    undefined = {
        m for codec in rows.codecs for m, c in codec.scores.items() if c["undefined"].any()
    }
    if undefined:
        metrics = ", ".join(sorted(undefined))
        yield f"Undefined for some clips, see their reasons in scores.jsonl: {metrics}."
    yield from failure_notes(rows)


def provenance_note(rows: RunRows) -> str:
    """Test set, seed, channels and version."""
    run = rows.run
    return (
        f"Test set {run.test_set} (sha256 {run.set_sha256[:12]}), seed {run.seed}, "
        f"{run.recipe.get('channels', 'mono')}, snacbench {run.snacbench_version}."
    )


def codec_notes(rows: RunRows) -> Iterator[str]:
    """Codecs that are not what their authors published, or not used as they meant it."""
    run = rows.run
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
    """Entropies that rest on few tokens: those with a range only, and those to be careful with."""
    fewest = {codec.spec.name: _tokens_per_entry(codec) for codec in rows.codecs}
    ranges = [name for name, least in fewest.items() if least < FEWEST_TOKENS_PER_ENTRY]
    small = [
        name
        for name, least in fewest.items()
        if FEWEST_TOKENS_PER_ENTRY <= least < RELIABLE_TOKENS_PER_ENTRY
    ]
    if ranges:
        yield (
            f"Entropy of {', '.join(ranges)} is unreliable: some codebook has fewer tokens than "
            "entries over all clips, so only a range is given, from the corrected estimate to "
            "log2 of the codebook's size."
        )
    if small:
        yield (
            f"Entropy of {', '.join(small)} rests on fewer than 3 tokens per codebook entry "
            "over all clips; per domain on fewer still."
        )


def computing_notes(rows: RunRows) -> Iterator[str]:
    """What the figures owe to batches and to reduced precision."""
    if any((codec.coded["batch"] > 1).any() for codec in rows.codecs):
        yield (
            "RTF in batches: each clip is charged its share of its batch, which says nothing of "
            "one clip alone."
        )
    yield from agreement_notes(rows)


def agreement_notes(rows: RunRows) -> Iterator[str]:
    """How far codes and audio in reduced precision are from the baseline's."""
    yield from map(_agreement_note, rows.agreements)


def failure_notes(rows: RunRows) -> Iterator[str]:
    """How many codings failed."""
    tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
    failed = tried - sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs)
    if failed:
        yield (
            f"{failed} of {tried} codings (clips times codecs) failed; means are over the others."
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


def _tokens_per_entry(codec: CodecColumns) -> float:
    """Of the codebook that has the fewest; infinite without codebooks."""
    books = codec.entropies(ALL_DOMAINS)
    return min((book.tokens / book.codebook_size for book in books), default=math.inf)
