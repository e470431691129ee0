"""What a test set consists of, and what to know of its recordings before believing a result."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from snacbench.audio.io import NOT_STATED
from snacbench.testsets.testset import TestSet, counted
from snacbench.types import Clip

_FULL_BAND_HZ = 19_000.0  # what ends above is complete for every listener
_OWN_FILTER = 0.87  # of half the rate: above, it is the recording's own filter
_SILENT_DBFS = -80.0
_QUIET_LUFS = -50.0
_EXAMPLES = 3


def facts_by_domain(test_set: TestSet) -> dict[str, dict[str, str]]:
    """Of each domain of a set, in alphabetical order, the facts label by label, to be shown.

    ``clusters`` counts speakers or tracks, ``measured`` the clips behind the last three.
    """
    sources = {True: "lossy", False: "lossless", None: "unknown"}
    found: dict[str, dict[str, str]] = {}
    for domain in sorted({clip.domain for clip in test_set.clips}):
        clips = [clip for clip in test_set.clips if clip.domain == domain]
        known = [clip.measures for clip in clips if clip.measures]
        clipped = sum(m.clipped_samples > 0 for m in known)
        found[domain] = {
            "clips": f"{len(clips)}",
            "hours": f"{sum(clip.duration_s for clip in clips) / 3600:.2f}",
            "clusters": f"{len({clip.cluster for clip in clips} - {None})}",
            "rates": _tally(f"{clip.rate_hz} Hz" for clip in clips),
            "channels": _tally(f"{clip.channels}" for clip in clips),
            "transcripts": f"{sum(clip.transcript is not None for clip in clips)}",
            "languages": _tally(clip.language or "-" for clip in clips),
            "lossy": _tally(sources[clip.lossy_source] for clip in clips),
            "measured": f"{len(known)}",
            "bandwidth": _spread([m.bandwidth_hz and m.bandwidth_hz / 1000 for m in known], "kHz"),
            "loudness": _spread([m.loudness_lufs for m in known], "LUFS"),
            "clipped": f"{clipped} of {len(known)} clips" if known else "-",
        }
    return found


def facts_of(test_set: TestSet) -> dict[str, str]:
    """The facts of a whole set, label by label; lists are cut short."""
    lines = {
        "set": test_set.name,
        "digest": test_set.sha256,
        "clips": f"{len(test_set.clips)}, {test_set.duration_s / 3600:.2f} h",
        "where": "; ".join(f"{name}: {root}" for name, root in test_set.roots.items()),
        "licence": _tally(clip.licence or "not stated" for clip in test_set.clips),
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


def _tally(texts: Iterable[str]) -> str:
    """What occurs, most frequent first; how often, unless it is always the same."""
    counts = Counter(texts).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return ", ".join(f"{text} ({count})" for text, count in counts)


def _spread(values: Sequence[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{statistics.median(known):.1f} ({min(known):.1f} to {max(known):.1f}) {unit}"


def warnings_of(clips: Sequence[Clip], *, codec_rates_hz: Iterable[int | None] = ()) -> list[str]:
    """Sentences about recordings that make a result doubtful; none for a sound set.

    Clips without measures count only for what the set declares of them. Given the sampling rates
    of the codecs under test (None: works at the clip's own), the bandwidth of the set is compared
    with what the widest codec codes.
    """
    known = [(clip, clip.measures) for clip in clips if clip.measures]
    sounding = [(c, m) for c, m in known if m.peak_dbfs is not None and m.peak_dbfs >= _SILENT_DBFS]
    lines: list[str] = []

    def say(found: Iterable[Clip], text: str, total: int = len(known)) -> None:
        """``2 of 6 clips: silent (set/a, set/b)``, with up to three examples."""
        if found := list(found):
            ids = ", ".join(clip.id for clip in found[:_EXAMPLES])
            more = ", ..." if len(found) > _EXAMPLES else ""
            lines.append(f"{len(found)} of {total} clips: {text} ({ids}{more})")

    silent = (clip for clip, m in known if m.peak_dbfs is None or m.peak_dbfs < _SILENT_DBFS)
    say(silent, "silent, so that most metrics have no value")
    sharp_hz = {
        clip: m.bandwidth_hz
        for clip, m in sounding
        if m.bandwidth_hz is not None
        and m.brickwall
        and m.bandwidth_hz < min(_FULL_BAND_HZ, _OWN_FILTER * clip.rate_hz / 2)
    }
    if sharp_hz:
        low, high = (f"{hz / 1000:.1f}" for hz in (min(sharp_hz.values()), max(sharp_hz.values())))
        where = f"at {low} kHz" if low == high else f"between {low} and {high} kHz"
        rates = ", ".join(f"{hz / 1000:g}" for hz in sorted({clip.rate_hz for clip in sharp_hz}))
        lossy = "upsampled, or once coded by a lossy codec?"
        say(sharp_hz, f"a sharp end {where} in files at {rates} kHz: {lossy}")
    lossy = "lossy files, easier to code than the recording was and with artefacts of their own"
    say((clip for clip in clips if clip.lossy_source), lossy, len(clips))
    for note in sorted({clip.note for clip in clips} - {""}):
        hidden = "; had one been cut off, nothing would tell" if note == NOT_STATED else ""
        say((clip for clip in clips if clip.note == note), f"{note}{hidden}", len(clips))
    over = {clip: m.peak_dbfs for clip, m in sounding if m.peak_dbfs and m.peak_dbfs > 0}
    peak = f"peak +{max(over.values(), default=0.0):.1f} dBFS at most"
    limited = "limited to it on reading, for reference and codecs alike"
    say(over, f"beyond full scale ({peak}): {limited}")
    shares = {clip: m.clipped_samples / (clip.num_samples * clip.channels) for clip, m in sounding}
    worst = 100 * max(shares.values(), default=0.0)
    share = f"{worst:.2g} %" if worst >= 0.01 else "under 0.01 %"
    clipped = (clip for clip, share in shares.items() if share > 1e-5)
    say(clipped, f"clipped, {share} of the samples at most")
    # Clips that have no loudness (short, or of more than five channels) are judged by their peak.
    levels = {c: m.peak_dbfs if m.loudness_lufs is None else m.loudness_lufs for c, m in sounding}
    quiet = (clip for clip, level in levels.items() if level is not None and level < _QUIET_LUFS)
    noise = "there codecs and metrics meet the noise of the recording"
    say(quiet, f"very quiet (under {_QUIET_LUFS:g} LUFS): {noise}")

    widest_hz = max((rate for rate in codec_rates_hz if rate is not None), default=0)
    needed_hz = 0.7 * widest_hz / 2
    narrow = [clip for clip, m in sounding if (m.bandwidth_hz or 0.0) < needed_hz]
    if 2 * len(narrow) > len(sounding):
        nothing = f"little or nothing above {needed_hz / 1000:.3g} kHz"
        band = f"what codecs at {widest_hz / 1000:g} kHz do in their upper band is hardly tested"
        say(narrow, f"{nothing}: {band}", len(sounding))
    return lines
