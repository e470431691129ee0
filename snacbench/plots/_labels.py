"""Words on figures: metrics, rates, codecs, captions."""

from __future__ import annotations

from collections.abc import Iterable

from snacbench.plots._data import PlotData
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import CodecSpec

RATE_LABELS = {
    "actual": "actual rate (kbps)",
    "nominal": "nominal rate (kbps)",
    "entropy": "order-0 entropy (kbps)",
    "coded": "entropy-coded rate, order 0 (kbps)",
    "conditional": "entropy-coded rate, best context model (kbps)",
}
_METRIC_NAMES = {
    "estoi": "ESTOI", "stoi": "STOI", "mel_dac7": "mel distance (7 scales)",
    "mel_dac_default": "mel distance (2 scales)", "stft_dac": "STFT distance",
    "pesq_nb": "PESQ narrowband", "pesq_wb": "PESQ wideband", "si_sdr": "SI-SDR",
    "si_sdr_aligned": "SI-SDR, delay removed", "visqol_audio": "ViSQOL audio",
    "visqol_speech": "ViSQOL speech", "waveform_l1": "waveform distance",
    "mel_dac7_22k": "mel distance (7 scales), 22.05 kHz",
    "mel_dac_default_22k": "mel distance (2 scales), 22.05 kHz",
    "stft_dac_22k": "STFT distance, 22.05 kHz", "stft_dac_16k": "STFT distance, 16 kHz",
    "bandwidth_khz": "bandwidth", "si_sdr_22k": "SI-SDR, 22.05 kHz",
    "waveform_l1_22k": "waveform distance, 22.05 kHz", "wer": "WER", "cer": "CER",
    "f0_rmse_cents": "F0 error", "mcd": "mel-cepstral distortion",
    "lsd": "log-spectral distance", "loudness_diff_lu": "loudness difference",
    "dnsmos_ovrl": "DNSMOS overall", "dnsmos_p808": "DNSMOS P.808",
}  # fmt: skip
_NAMES_LISTED = 4
_LABEL_CHARACTERS = 24


def metric_name(name: str) -> str:
    """A metric as papers write it."""
    return _METRIC_NAMES.get(name, name)


def metric_label(data: PlotData, name: str) -> str:
    """Label of a metric's axis: name, unit, and which way is better."""
    return _with_arrow(data, name, metric_name(name) + unit_of(data, name))


def difference_label(data: PlotData, name: str) -> str:
    """Label of an axis of differences, codec minus baseline."""
    return _with_arrow(data, name, f"difference in {metric_name(name)}{unit_of(data, name)}")


def unit_of(data: PlotData, name: str) -> str:
    """A metric's unit in brackets, empty for pure numbers."""
    spec = data.metric(name)
    return f" ({spec.unit})" if spec and spec.unit not in ("", "1") else ""


def _with_arrow(data: PlotData, name: str, text: str) -> str:
    """A label and which way is better, below it where both together are too long.

    A label turned by 90 degrees takes its arrow with it.
    """
    spec = data.metric(name)
    if spec is None:
        return text
    arrow = "better →" if spec.better == "higher" else "← better"
    return text + ("\n" if len(text) > _LABEL_CHARACTERS else "  ") + arrow


def model_label(spec: CodecSpec) -> str:
    """A model's name, demonstration weights named as such."""
    return spec.model + (" (demo)" if spec.demonstration else "")


def codec_label(spec: CodecSpec, characters: int = 26) -> str:
    """An operating point's name in at most two lines, the middle left out if need be."""
    name = spec.name + marks_of(spec)
    if len(name) <= characters:
        return name
    head, at, tail = name.partition("@")
    lines = [head, at + tail] if at else [name[:characters], name[characters:]]
    return "\n".join(shortened(line, characters) for line in lines)


def marks_of(spec: CodecSpec) -> str:
    """What must be said of an operating point wherever its name stands: `` (demo)``; or nothing."""
    marks = [m for m, has in (("demo", spec.demonstration), ("trunc.", spec.truncated)) if has]
    return f" ({', '.join(marks)})" if marks else ""


def shortened(text: str, characters: int) -> str:
    """Text with its middle left out where it is too long: beginnings and rates tell names apart."""
    if len(text) <= characters:
        return text
    tail = (characters - 1) // 2
    return f"{text[: characters - 1 - tail]}…{text[-tail:]}"


def where(data: PlotData, domain: str) -> str:
    """The domain in words."""
    if domain != ALL_DOMAINS:
        return domain
    return data.domains[0] if len(data.domains) == 1 else "all domains"


def sizes(intervals: Iterable[Interval]) -> str:
    """How many clips, and how many speakers or tracks, the means rest on."""
    found = list(intervals)
    if not found:
        return "no values"
    plural = "" if all(i.n == 1 for i in found) else "s"
    text = f"n = {_span(i.n for i in found)} clip{plural}"
    if any(i.clusters < i.n for i in found):
        text += f" in {_span(i.clusters for i in found)} clusters (speakers, tracks)"
    if any(i.independence_assumed for i in found):
        text += ", clips of unknown origin taken as independent"
    return text


def interval_method(intervals: Iterable[Interval]) -> str:
    """What the bars are: level and methods."""
    intervals_of = list(intervals)
    found = [i for i in intervals_of if i.low is not None]
    if not found:
        return "no intervals: a single clip" if intervals_of else ""
    methods = dict.fromkeys(i.method for i in found)
    return f"bars: {100 * found[0].level:g} % intervals ({'; '.join(methods)})"


def remarks(specs: Iterable[CodecSpec], *, truncated: str = "hollow, not joined") -> list[str]:
    """What a reader must know of the codecs drawn."""
    chosen, found = list(specs), []
    if any(spec.demonstration for spec in chosen):
        found.append("demo: small demonstration models, not the published codecs")
    if any(spec.truncated for spec in chosen):
        marked = f": {truncated}" if truncated else ""
        found.append(f"trunc.: cut below the depth that the model was trained for{marked}")
    return found


def sets_differ(data: PlotData) -> list[str]:
    """A warning where the runs are on different test sets."""
    if len({rows.run.set_sha256 for rows in data.runs}) < 2:
        return []
    return ["CODECS WERE RUN ON DIFFERENT TEST SETS"]


def left_out(names: Iterable[str], why: str) -> list[str]:
    """Which codecs are not in the figure, and why."""
    all_names = list(dict.fromkeys(names))
    if not all_names:
        return []
    shown = ", ".join(all_names[:_NAMES_LISTED])
    more = len(all_names) - _NAMES_LISTED
    return [f"not shown ({why}): {shown}" + (f" and {more} more" if more > 0 else "")]


def joined(*parts: str | list[str]) -> str:
    """Parts of a caption as one text."""
    flat = [p for part in parts for p in ([part] if isinstance(part, str) else part) if p]
    return ". ".join(p[0].upper() + p[1:] for p in flat) + "."


def _span(numbers: Iterable[int]) -> str:
    low, high = min(found := list(numbers)), max(found)
    return f"{low}" if low == high else f"{low} to {high}"
