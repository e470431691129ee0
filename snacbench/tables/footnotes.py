"""What a reader of numbers must know, one sentence each: what they rest on, what was left out."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from snacbench.plugins import metrics as all_metrics
from snacbench.rate.entropy import RELIABLE_CLIPS, RELIABLE_TOKENS_PER_ENTRY
from snacbench.rows import MISSING
from snacbench.tables import side_by_side
from snacbench.tables.conditions import condition_notes
from snacbench.tables.layouts.parts import COSTS, EFFICIENCY, ENTROPY, SPEEDS, Fact, Measure, Part
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows
from snacbench.tables.table_model import UNSTABLE, Column
from snacbench.types import CodecSpec, PinnedBy
from snacbench.units import MS_PER_S, lateness

LATE_S = 0.002
OUTSIDE = "outside"  # the family of decodes that were made elsewhere
_STFT, _NARROW_HZ = "stft_dac", 22_050
_FULL_BAND_HZ = 32_000  # metrics at lower rates do not see what a music codec is for
_OTHER_SETS = "Rows of different test sets are not ranked: no difference between them means much."
NOT_HERE = "not here"  # in place of a figure of a metric that could not be had
_OF_WORDS = ("wer", "cer")  # metrics, before what they are named for
_KNOWN_BY: Mapping[PinnedBy, str] = {
    "package": "digest pinned",
    "lock": "digest as recorded before",
    "first use": "digest recorded at this first use",
}


def notes(runs: Sequence[RunRows]) -> list[str]:
    """All notes of some runs as a whole, as a report has them."""
    entries = side_by_side.entries_of(runs)
    metrics = dict.fromkeys(metric for rows in runs for metric in rows.metrics)
    beside = {m: side_by_side.scored_together(entries, m, ALL_DOMAINS)[1] for m in metrics}
    beside[side_by_side.RATES] = side_by_side.coded_together(entries, ALL_DOMAINS)
    about = run_notes(runs, entries, entropy=True, metrics=metrics)
    return [*about, *_lost_notes(beside), *speed_notes(runs), *cost_notes(runs)]


def table_notes(
    runs: Sequence[RunRows],
    block: side_by_side.Block,
    parts: Sequence[tuple[Part, Column]],
    compared: str,
) -> tuple[str, ...]:
    """The footnotes of a table, each once; `compared` is the one of `significance`."""
    facts = [part for part, _ in parts if isinstance(part, Fact)]
    entropy = any(part.column.key in (EFFICIENCY.column.key, ENTROPY.column.key) for part in facts)
    sets = [{*entry.rows.named(entry.columns.tried(block.domain))} for entry in block.entries]
    tried, counts = frozenset[str]().union(*sets), {len(clips) for clips in sets}
    clusters = [block.clusters.get(clip) for clip in tried]
    known, unknown = {*clusters} - {None}, clusters.count(None)
    of_those = "" if unknown == len(tried) else f" of {unknown} of them"
    sample = (
        f"n = {side_by_side.spanned(sorted(counts))} clip{'' if counts == {1} else 's'}"
        + (f" in each row, {len(tried)} in all" if counts != {len(tried)} else "")
        + (f" of {len(known)} speakers or tracks" if known else "")
        + ", unless a letter says otherwise."
        + f" The speaker or track{of_those} is not known: taken as independent of all others."
        * bool(unknown)
    )
    of_sets = side_by_side.set_level_among(block.entries) & block.scores.keys()
    sets_by, means_by = dict[str, None](), dict[str, None]()
    for (_, metric), cell in block.cells.items():
        if cell.interval and (metric in of_sets or cell.interval.low is not None):
            (sets_by if metric in of_sets else means_by)[cell.interval.method] = None
    how = f"; in brackets its 95 % interval: {'; '.join(sets_by)}" * bool(sets_by)
    found = [
        sample,
        *_lost_notes(block.together),
        _OTHER_SETS if len({e.rows.run.set_sha256 for e in block.entries}) > 1 else "",
        f"In brackets 95 % intervals of the mean: {'; '.join(means_by)}." * bool(means_by),
        f"{', '.join(sorted(of_sets))}: one distance of all decodes from all their references, as "
        f"sets; not comparable over sets of other sizes{how}." * bool(of_sets),
        compared,
        *_column_notes(parts, runs),
        *run_notes(runs, block.entries, entropy=entropy, metrics=block.scores),
        *(speed_notes(runs) if SPEEDS[0] in facts else ()),
        *(cost_notes(runs) if COSTS[0] in facts else ()),
    ]
    return tuple(dict.fromkeys(note for note in found if note))


def _lost_notes(beside: Mapping[str, side_by_side.Together]) -> Iterator[str]:
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
    measures = [(part.heading, column) for part, column in parts if isinstance(part, Measure)]
    asked = [(heading, column.key) for heading, column in measures]
    if named := [f"{name} is {key}" for name, key in asked if key in scored and name != key]:
        yield f"Metrics: {'; '.join(named)}."
    specs = side_by_side.metric_specs(runs)
    for _, column in measures:
        spec = specs.get(column.key)
        if spec and spec.rate_hz < _FULL_BAND_HZ:
            yield f"{column.heading} hears nothing above {spec.rate_hz / 2000:g} kHz."
    why = {metric: text for rows in runs for metric, text in rows.run.lacking.items()}
    if any(key.partition("_")[0] in _OF_WORDS for _, key in asked):
        heard = dict.fromkeys(rows.run.facts["asr"] for rows in runs if "asr" in rows.run.facts)
        yield f"Words are what a recogniser heard: {'; '.join(heard)}." if heard else ""
    for heading, key in asked:
        if text := why.get(key):
            command = f"snacbench score RUN --metrics {key}"
            yield f"{heading} is {NOT_HERE}: {text}. Once it is: {command}"
    if missing := [(name, key) for name, key in asked if key not in scored and key not in why]:
        headings, keys = (", ".join(names) for names in zip(*missing, strict=True))
        command = f"snacbench score RUN --metrics {keys.replace(' ', '')}"
        learned = [key for _, key in missing if (known := all_metrics().get(key)) and known.models]
        first = f"snacbench weights fetch {' '.join(learned)} && " if learned else ""
        yield f"Not in this run: {headings}; add with: {first}{command}"


def run_notes(
    runs: Sequence[RunRows],
    entries: Sequence[side_by_side.Entry],
    *,
    entropy: bool,
    metrics: Collection[str] = (),
) -> Iterator[str]:
    """What the runs and their codecs are; on entropies and on metrics only where they are shown."""
    plain = [entry for entry in entries if not entry.columns.spec.condition]
    anchors = [entry.label for entry in plain if entry.anchor]
    if anchors and len(anchors) < len(plain):
        yield f"Neither ranked nor compared, being yardsticks: {', '.join(anchors)}."
    yield from condition_notes(runs)
    for rows in runs:
        names = {codec.spec.name for codec in rows.codecs}
        yield from codec_notes(rows)
        yield from delay_notes(rows)
        yield from _entropy_notes(rows) if entropy else ()
        for row in (row for row in rows.agreements if row.codec in names):
            known = row.share is not None
            share = f"{row.share:.2%} of the codes equal" if known else "no codes to compare"
            snr = "the same audio" if row.snr_db is None else f"audio at {row.snr_db:.1f} dB SNR"
            yield f"{row.codec} in {row.computed} against {row.baseline}: {share}, {snr}."
        tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
        if failed := tried - sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs):
            yield (
                f"{failed} of {tried} codings (clips times codecs) failed; means are over clips "
                "that all codecs have."
            )
        yield from _undefined_notes(rows, metrics)
        yield from _skipped_notes(rows, metrics)
        rates = [clip.rate_hz for clip in rows.clips if clip.rate_hz]
        narrow = [rate for rate in rates if rate <= _NARROW_HZ]
        if narrow and _STFT in metrics and _STFT in rows.metrics:
            listed = " or ".join(f"{rate / 1000:g}" for rate in sorted(set(narrow)))
            yield (
                f"{_STFT}: {len(narrow)} of {len(rates)} clips are at {listed} kHz and empty above "
                "half of that, where most of its bins are; whatever a codec writes there, however "
                f"faint, decides it. Within 8 kHz: snacbench score RUN --metrics {_STFT}_16k."
            )
        yield from _weights_notes(rows, metrics)
        run = rows.run
        if gone := run.facts.get(MISSING):
            yield f"Not in the test set: {gone}."
        shard = f"shard {run.request.shard}, " if run.request.shard else ""
        yield (
            f"Test set {run.test_set} (sha256 {run.set_sha256[:12]}), {shard}seed {run.seed}, "
            f"{run.request.channels}, snacbench {run.snacbench_version}."
        )


def codec_notes(rows: RunRows) -> Iterator[str]:
    """Codecs that are not what their authors published, or not used as they meant it."""
    specs = {s.name: s for s in (codec.spec.without_condition for codec in rows.codecs)}
    failed = [check for check in rows.spot_checks if check.codec in specs and not check.passed]
    yield from (f"{check.codec} is not to be believed; {check.reason}." for check in failed)
    demo = dict.fromkeys(spec.model for spec in specs.values() if spec.demonstration)
    cut = [spec.name for spec in specs.values() if spec.truncated]
    of = [(spec.name, spec.weights) for spec in specs.values()]
    local = [name for name, weights in of if weights.source == "folder"]
    own = [name for name, w in of if w.source == "own" and w.origin != "snacbench package"]
    for names, what in (
        (sorted(demo), "embedded demonstration models, not the published codecs; their numbers "
                       "show that the machine works"),
        (cut, "truncated to a depth the model was not trained for"),
        (local, "weights from a local folder, see run.json for sha256"),
        (own, "files of the user's own, see run.json for paths and sha256"),
    ):  # fmt: skip
        if names:
            yield f"{', '.join(names)}: {what}."


def delay_notes(rows: RunRows) -> Iterator[str]:
    """Codecs whose decodes come late or inverted, or whose delay was not found on every clip."""
    late, lost, inverted = [*_late(rows)], *(list[tuple[CodecSpec, str]]() for _ in range(2))
    for codec in rows.codecs:
        known = codec.delays[codec.delays["known"]]
        for said, what in ((lost, ~known["found"]), (inverted, known["inverted"])):
            if what.any():
                told = f"{codec.spec.name} ({what.sum()} of {len(known)} clips)"
                said.append((codec.spec, told))
    yield from (f"{text}." for spec, text in late if not spec.condition)
    if names := ", ".join(text for spec, text in lost if not spec.condition):
        yield (
            f"Alignment not found for {names}: aligned metrics are there what they are at the "
            "codec's delay; see the reasons in delays.jsonl."
        )
    if names := ", ".join(text for spec, text in inverted if not spec.condition):
        yield f"Inverted polarity: {names}."
    late_by = f"come {LATE_S * MS_PER_S:g} ms or more late or early"
    every = {late_by: late, "are not aligned": lost, "are inverted": inverted}
    counts = {what: sum(bool(s.condition) for s, _ in said) for what, said in every.items()}
    if told := ", ".join(f"{count} {what}" for what, count in counts.items() if count):
        under = sum(bool(codec.spec.condition) for codec in rows.codecs)
        yield f"Of {under} points under conditions, on some clips or all, {told}: see delays.jsonl."


def late_warnings(rows: RunRows) -> Iterator[str]:
    """Codecs that are so late or early that metrics which do not align are ruined."""
    for spec, text in ((spec, text) for spec, text in _late(rows) if not spec.condition):
        advice = "a codec must take away the delay that it knows of itself"
        if spec.family == OUTSIDE:
            advice = "score-files --align takes the delay away from every file first"
        yield f"{text} (not STOI, PESQ, distances); {advice}"


def _late(rows: RunRows) -> Iterator[tuple[CodecSpec, str]]:
    """By how much, where the middle of the clips, or any of them, is off by 2 ms or more."""
    for codec in rows.codecs:
        own_s = codec.delays["own_lag_s"][codec.delays["known"]]
        own_s = own_s[~np.isnan(own_s)]
        middle_s = float(np.quantile(own_s, 0.5, method="lower")) if len(own_s) else 0.0
        apart = own_s[np.abs(own_s - middle_s) >= LATE_S]
        if abs(middle_s) < LATE_S and not len(apart):
            continue
        text = f"decodes come {lateness(middle_s)} (median of {len(own_s)} clips)"
        if len(apart):
            span = " to ".join(dict.fromkeys(map(lateness, (apart.min(), apart.max()))))
            text += f", {len(apart)} of them otherwise: {span}"
        yield codec.spec, f"{codec.spec.name}: {text}; only aligned metrics make up for it"


def _entropy_notes(rows: RunRows) -> Iterator[str]:
    """Entropies that rest on little: those with a range only, and those to be careful with."""
    plain = (codec for codec in rows.codecs if not codec.spec.condition)
    books = {codec.spec.name: codec.entropies(ALL_DOMAINS) for codec in plain}
    ranges = [name for name, of in books.items() if any(book.range_only for book in of)]
    unreliable = [name for name, of in books.items() if not all(book.reliable for book in of)]
    small = [name for name in unreliable if name not in ranges]
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
    some, of_all = list[str](), list[str]()
    for metric in sorted(set(metrics)):
        scores = {c.spec.name: c.scores[metric] for c in rows.codecs if metric in c.scores}
        found = {name: of for name, of in scores.items() if of["undefined"].any()}
        every = [name for name, of in found.items() if not (of["ok"] | of["failed"]).any()]
        names = f" of {', '.join(every)}" * (len(every) < len(rows.codecs))
        of_all += [metric + names] * bool(every)
        some += [metric] * (len(every) < len(found))
    of_sets = " and embedded.jsonl" * bool(set(rows.metrics) - set(rows.clip_metrics))
    where = f"scores.jsonl{of_sets}"
    for which, listed in (("some", ", ".join(some)), ("all", "; ".join(of_all))):
        if listed:
            yield f"Undefined for {which} clips, see their reasons in {where}: {listed}."


def _weights_notes(rows: RunRows, metrics: Collection[str]) -> Iterator[str]:
    """By which files metrics that run a model have scored, and how sure it is that they are its."""
    for model, info in rows.run.metric_weights.items():
        versions = rows.run.metric_versions
        by_it = [m for m in rows.metrics if m in metrics and model in versions.get(m, ())]
        files = ", ".join(f"{name} (sha256 {d[:12]})" for name, d in info.sha256.items())
        known = ", ".join(dict.fromkeys(_KNOWN_BY[by] for by in info.pinned_by.values()))
        where = f"published by {info.origin}, {known}"
        if info.source == "folder":
            whose = f"the published files: {known}"
            whose = whose if info.verified else "not compared with the published files"
            where = f"from a folder of the user's, {whose}"
        if by_it:
            yield f"{', '.join(by_it)}: by {model}, {files}, {where}."


def _skipped_notes(rows: RunRows, metrics: Collection[str]) -> Iterator[str]:
    """Clips that may be skipped wrongly, or heard wrongly, for what nobody states of them."""
    unknown = {n for n, clip in enumerate(rows.clips) if clip.domain == "unknown"}
    by_domain: dict[tuple[str, ...], dict[str, list[int]]] = {}
    silent, english = [], dict[tuple[int, int], list[str]]()
    for spec in rows.run.metrics:
        cells = [codec.scores[spec.name] for codec in rows.codecs if spec.name in codec.scores]
        if spec.name in metrics and spec.name.partition("_")[0] in _OF_WORDS:
            scored = np.flatnonzero(np.any([of["ok"] for of in cells], axis=0)).tolist()
            mute = [clip for clip in scored if not rows.clips[clip].language]
            english.setdefault((len(mute), len(scored)), []).append(spec.name)
        skipped = [clip for of in cells for clip in np.flatnonzero(of["skipped"]).tolist()]
        vague = [clip for clip in skipped if clip in unknown and "unknown" not in spec.domains]
        if vague:
            by_domain.setdefault(spec.domains, {})[spec.name] = vague
        elif spec.needs_transcript and skipped:
            silent.append(spec.name)
    for domains, found in by_domain.items():
        every = [clip for vague in found.values() for clip in vague]
        yield (
            f"Skipped on {len(set(every))} clips of unknown domain, {len(every)} scores in all: "
            f"{', '.join(found)}, which are for {' or '.join(domains)}. Say what the clips are "
            f"with --domain {domains[0]}."
        )
    if silent:
        yield f"Skipped on clips without a transcript: {', '.join(silent)}."
    for (unstated, heard), names in english.items():
        if unstated:
            of = f"{unstated} of {heard} clips state no language"
            yield f"{', '.join(names)}: {of}; they were taken for English."


def speed_notes(runs: Sequence[RunRows]) -> Iterator[str]:
    """How speeds were measured, which are unstable, and which are not there."""
    codecs = [codec for rows in runs for codec in rows.codecs]
    speeds = [codec.speed for codec in codecs if codec.speed and codec.speed.encode_s]
    if speeds:
        repeats = side_by_side.spanned([len(speed.encode_s) for speed in speeds])
        lengths = sorted({f"{speed.duration_s:g}" for speed in speeds}, key=float)
        on: dict[str, list[str]] = {}
        for speed in speeds:
            computed = speed.device + f" in {speed.precision}" * (speed.precision != "fp32")
            on.setdefault(f"{computed}, {speed.machine}", []).append(speed.codec)
        places = "; ".join(f"{', '.join(of)} on {place}" for place, of in on.items())
        places = f"On {next(iter(on))}" if len(on) == 1 else places
        several = len({speed.machine for speed in speeds}) > 1
        warning = "MEASURED ON DIFFERENT MACHINES, do not compare: " * several
        yield (
            "RTF: seconds of computing per second of audio, lower is faster: median [least, "
            f"greatest] of {repeats} repeats on {' or '.join(lengths)} s of the same audio, "
            f"measured apart in one process, one numerical thread. {warning}{places}."
        )
    if batches := [f"{speed.codec} ({speed.batch})" for speed in speeds if speed.batch > 1]:
        yield f"RTF in batches, which says nothing of one signal alone: {', '.join(batches)}."
    if starting := [speed.codec for speed in speeds if speed.starts_process]:
        yield f"RTF with the start of a program for every call: {', '.join(starting)}."
    unstable = [speed for speed in speeds if speed.unstable]
    if len(unstable) > 2:  # else each in a sentence
        names = ", ".join(speed.codec for speed in unstable)
        yield f"{UNSTABLE} RTF is unstable: {names}; rtf_unstable in summary.csv says why of each."
    else:
        yield from (f"{UNSTABLE} RTF of {s.codec} is unstable: {s.unstable}." for s in unstable)
    broken = [c.speed for c in codecs if c.speed and not c.speed.encode_s]
    yield from (f"Speed of {s.codec} could not be measured: {s.reason}." for s in broken)
    able = [c for c in codecs if c.spec.family != OUTSIDE and not c.spec.condition]
    own = [c.spec.name for c in able if not c.speed]
    if own:
        whose = "" if len(own) == len(able) else f" of {', '.join(own)}"
        yield f"Speed{whose} was not measured; 'snacbench speed RUN' does."


def cost_notes(runs: Sequence[RunRows]) -> Iterator[str]:
    """What counts and delays are, and whose are not there; nothing where none was asked for."""
    costs = [codec.cost for rows in runs for codec in rows.codecs if codec.cost]
    if found := [cost for cost in costs if not cost.reason]:
        yield (
            "MACs: multiply-accumulates of convolutions, matrix products and recurrent layers per "
            "second of audio. Delay: how much input an output sample waits for, as measured; file: "
            "all of it, or more than 4 s."
        )
    if uncounted := [cost.codec for cost in found if cost.macs_per_s is None]:
        yield f"MACs of {', '.join(uncounted)}: not counted, as these are no PyTorch models."
    yield from (f"Cost of {c.codec} could not be measured: {c.reason}." for c in costs if c.reason)
