"""What a user should know of a set's recordings before believing a result on it.

Nothing here changes what a run does. The sentences say how many clips are concerned, what was
found and what it may mean; they are made from the measures of the clips
(`snacbench.audio.measures`) and from what the set declares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from snacbench.audio.io import NOT_STATED
from snacbench.types import Clip, Measures

# A brickwall between these shares of half a standard rate points to that rate: resamplers pass
# nine tenths of the band, and narrowband and wideband speech codecs a little more than all of it.
_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000)
_LEAST_SHARE, _MOST_SHARE, _USUAL_SHARE = 0.88, 1.04, 0.96
_MOST_SHARE_OF_SPEECH_RATES = 1.10
_SPEECH_RATES_HZ = (8_000, 16_000)
# MP3 and AAC cut at 11 or 16 kHz too, but nothing that codes music cuts at 4 or 8 kHz.
_LOWEST_MUSIC_RATE_HZ = 22_050
_SAME_RATE = 0.9  # 44.1 kHz material in 48 kHz files lacks nothing

_FULL_BAND_HZ = 19_000.0  # what ends above is complete for every listener
_OWN_FILTER = 0.87  # of half the rate: above, it is the recording's own filter

_CLIPPED_SHARE = 1e-5
_SILENT_DBFS = -80.0
_QUIET_LUFS = -50.0
_QUIET_PEAK_DBFS = -40.0  # for clips too short to have a loudness
_ENOUGH_OF_BAND = 0.7
_EXAMPLES = 3


@dataclass(frozen=True)
class _Measured:
    """A clip whose measures are known."""

    clip: Clip
    measures: Measures


def warnings_of(clips: Sequence[Clip], *, codec_rates_hz: Iterable[int | None] = ()) -> list[str]:
    """Sentences about recordings that make a result doubtful; none for a sound set.

    Parameters
    ----------
    clips : sequence of Clip
        Those without measures count only for what the set declares of them.
    codec_rates_hz : iterable of int or None
        Sampling rates of the codecs under test (None: works at the clip's own). Given, the
        bandwidth of the set is compared with what the widest codec codes.
    """
    known = [_Measured(clip, clip.measures) for clip in clips if clip.measures]
    sounding = [m for m in known if not _is_silent(m)]
    return [
        *_silent(known),
        *_upsampled(sounding, len(known)),
        *_cut_off(sounding, len(known)),
        *_declared_lossy(clips),
        *_noted(clips),
        *_beyond_full_scale(sounding, len(known)),
        *_clipped(sounding, len(known)),
        *_quiet(sounding, len(known)),
        *_narrower_than_codecs(sounding, codec_rates_hz),
    ]


def _silent(known: Sequence[_Measured]) -> Iterator[str]:
    found = [m.clip for m in known if _is_silent(m)]
    if found:
        yield f"{_count(found, len(known))} silent: most metrics have no value there{_ids(found)}"


def _is_silent(measured: _Measured) -> bool:
    peak = measured.measures.peak_dbfs
    return peak is None or peak < _SILENT_DBFS


def _upsampled(known: Sequence[_Measured], total: int) -> Iterator[str]:
    by_rate: dict[int, list[Clip]] = defaultdict(list)
    for measured in known:
        rate_hz = _former_rate_hz(measured)
        if rate_hz is not None:
            by_rate[rate_hz].append(measured.clip)
    for rate_hz, found in sorted(by_rate.items()):
        *others, highest = sorted({clip.rate_hz for clip in found})
        lower = ", ".join(f"{other / 1000:g}" for other in others)
        files = f"{lower} and {_khz(highest)}" if others else _khz(highest)
        verb = "holds" if len(found) == 1 else "hold"
        lossy = ", or once coded by MP3 or AAC" if rate_hz >= _LOWEST_MUSIC_RATE_HZ else ""
        yield (
            f"{len(found)} of {total} clips {verb} nothing above {_edge_khz(rate_hz / 2)} in files "
            f"at {files}: upsampled from {_khz(rate_hz)}{lossy}?{_ids(found)}"
        )


def _former_rate_hz(measured: _Measured) -> int | None:
    """The lower standard rate that a sharp end of the spectrum points to."""
    found, clip = measured.measures, measured.clip
    if found.bandwidth_hz is None or not found.brickwall:
        return None
    shares = {
        rate_hz: found.bandwidth_hz / (rate_hz / 2)
        for rate_hz in _RATES_HZ
        if rate_hz <= _SAME_RATE * clip.rate_hz
    }
    fitting = {rate_hz: share for rate_hz, share in shares.items() if _fits(rate_hz, share)}
    return min(fitting, key=lambda r: abs(fitting[r] - _USUAL_SHARE)) if fitting else None


def _fits(rate_hz: int, share: float) -> bool:
    most = _MOST_SHARE_OF_SPEECH_RATES if rate_hz in _SPEECH_RATES_HZ else _MOST_SHARE
    return _LEAST_SHARE <= share <= most


def _cut_off(known: Sequence[_Measured], total: int) -> Iterator[str]:
    found, ends_hz = [], []
    for m in known:
        end_hz = m.measures.bandwidth_hz
        if end_hz is None or not m.measures.brickwall or _former_rate_hz(m) is not None:
            continue
        if end_hz < min(_FULL_BAND_HZ, _OWN_FILTER * m.clip.rate_hz / 2):
            found.append(m.clip)
            ends_hz.append(end_hz)
    if found:
        low, high = (f"{hz / 1000:.1f}" for hz in (min(ends_hz), max(ends_hz)))
        where = f"at {high} kHz" if low == high else f"between {low} and {high} kHz"
        verb = "ends" if len(found) == 1 else "end"
        yield (
            f"{len(found)} of {total} clips {verb} sharply {where}, as lossy encoders leave "
            f"them: check where they come from{_ids(found)}"
        )


def _declared_lossy(clips: Sequence[Clip]) -> Iterator[str]:
    found = [clip for clip in clips if clip.lossy_source]
    if found:
        verb = "comes" if len(found) == 1 else "come"
        yield (
            f"{len(found)} of {len(clips)} clips {verb} from lossy files: easier to code than "
            f"the recording was, and the reference has artefacts of its own{_ids(found)}"
        )


def _noted(clips: Sequence[Clip]) -> Iterator[str]:
    for note in sorted({clip.note for clip in clips if clip.note}):
        found = [clip for clip in clips if clip.note == note]
        hidden = "; had one been cut off, nothing would tell" if note == NOT_STATED else ""
        yield f"{note}: {len(found)} of {len(clips)} clips{_ids(found)}{hidden}"


def _beyond_full_scale(known: Sequence[_Measured], total: int) -> Iterator[str]:
    peaks = {m.clip.id: m.measures.peak_dbfs or 0.0 for m in known}
    found = [m.clip for m in known if peaks[m.clip.id] > 0]
    if found:
        verb = "goes" if len(found) == 1 else "go"
        yield (
            f"{len(found)} of {total} clips {verb} beyond full scale (peak "
            f"+{max(peaks.values()):.1f} dBFS at most): limited to it on reading, for reference "
            f"and codecs alike{_ids(found)}"
        )


def _clipped(known: Sequence[_Measured], total: int) -> Iterator[str]:
    shares = {
        m.clip.id: m.measures.clipped_samples / (m.clip.num_samples * m.clip.channels)
        for m in known
    }
    found = [m.clip for m in known if shares[m.clip.id] > _CLIPPED_SHARE]
    if found:
        worst = 100 * max(shares.values())
        share = f"{worst:.2g} % of the samples" if worst >= 0.01 else "under 0.01 % of the samples"
        yield f"{_count(found, total)} clipped ({share} at most){_ids(found)}"


def _quiet(known: Sequence[_Measured], total: int) -> Iterator[str]:
    found = [m.clip for m in known if _is_quiet(m.measures, m.clip.duration_s)]
    if found:
        yield (
            f"{_count(found, total)} very quiet (under {_QUIET_LUFS:g} LUFS): there codecs and "
            f"metrics meet the noise of the recording{_ids(found)}"
        )


def _is_quiet(measures: Measures, duration_s: float) -> bool:
    if measures.loudness_lufs is not None:
        return measures.loudness_lufs < _QUIET_LUFS
    too_short = duration_s < 0.4
    return not too_short or (measures.peak_dbfs or 0.0) < _QUIET_PEAK_DBFS


def _narrower_than_codecs(
    known: Sequence[_Measured], codec_rates_hz: Iterable[int | None]
) -> Iterator[str]:
    widest_hz = max((rate for rate in codec_rates_hz if rate is not None), default=0)
    needed_hz = _ENOUGH_OF_BAND * widest_hz / 2
    found = [m.clip for m in known if (m.measures.bandwidth_hz or 0.0) < needed_hz]
    if found and 2 * len(found) > len(known):
        verb = "holds" if len(found) == 1 else "hold"
        yield (
            f"{len(found)} of {len(known)} clips {verb} little or nothing above "
            f"{_edge_khz(needed_hz)}: what codecs at {_khz(widest_hz)} do in their upper "
            f"band is hardly tested{_ids(found)}"
        )


def _count(found: Sequence[Clip], total: int) -> str:
    return f"{len(found)} of {total} clips {'is' if len(found) == 1 else 'are'}"


def _khz(rate_hz: float) -> str:
    return f"{rate_hz / 1000:g} kHz"


def _edge_khz(edge_hz: float) -> str:
    """The end of a spectrum, to a tenth of a kilohertz."""
    return f"{edge_hz / 1000:.1f}".removesuffix(".0") + " kHz"


def _ids(clips: Sequence[Clip]) -> str:
    """Up to three examples, in parentheses."""
    more = ", ..." if len(clips) > _EXAMPLES else ""
    return f" ({', '.join(clip.id for clip in clips[:_EXAMPLES])}{more})"
