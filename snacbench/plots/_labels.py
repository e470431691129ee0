"""Words on figures: metrics, rates, codecs, captions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from snacbench.plots.drawing import Options
from snacbench.plots.plot_data import PlotData
from snacbench.plots.style import NAME_CHARACTERS
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import CodecSpec

RATE_LABELS = {
    "actual": "actual rate (kbps)",
    "nominal": "nominal rate (kbps)",
    "entropy": "order-0 entropy (kbps)",
}
_METRIC_NAMES = {
    "estoi": "ESTOI", "stoi": "STOI", "mel_dac7": "mel distance (7 scales)",
    "mel_dac_default": "mel distance (2 scales)", "stft_dac": "STFT distance",
    "mel_codecbench": "mel distance (CodecBench)", "mel_hifigan": "mel distance (HiFi-GAN)",
    "mel_bigvgan": "mel distance (BigVGAN)", "mel_vocos": "mel distance (Vocos)",
    "mel_focalcodec": "mel distance (FocalCodec)",
    "stft_pwg_convergence": "spectral convergence", "stft_pwg_log": "log STFT distance",
    "pesq_nb": "PESQ narrowband", "pesq_wb": "PESQ wideband", "si_sdr": "SI-SDR",
    "si_sdr_aligned": "SI-SDR, delay removed", "visqol_audio": "ViSQOL audio",
    "visqol_speech": "ViSQOL speech", "waveform_l1": "waveform distance",
    "bandwidth_khz": "bandwidth", "wer": "WER", "cer": "CER",
    "f0_rmse_cents": "F0 error", "mcd": "mel-cepstral distortion",
    "lsd": "log-spectral distance", "loudness_diff_lu": "loudness difference",
    "fad_vggish": "FAD (VGGish)", "kad_vggish": "KAD (VGGish)",
    "dnsmos_ovrl": "DNSMOS overall", "dnsmos_p808": "DNSMOS P.808",
}  # fmt: skip
_RATES = {"22k": "22.05 kHz", "16k": "16 kHz"}  # a metric's variants at lower rates
_NAMES_LISTED = 4
RANGE = "bands across: fewer tokens than codebook entries, so the rate is a range, unreliable"
_LABEL_CHARACTERS, _LINE_CHARACTERS = 24, 36
_NONE: Mapping[str, str] = {}


def metric_name(name: str) -> str:
    """A metric as papers write it."""
    whole, _, end = name.rpartition("_")
    if name not in _METRIC_NAMES and whole in _METRIC_NAMES and end in _RATES:
        return f"{_METRIC_NAMES[whole]}, {_RATES[end]}"
    return _METRIC_NAMES.get(name, name)


def metric_label(data: PlotData, name: str, before: str = "") -> str:
    """Label of a metric's axis: name, unit, and which way is better.

    The arrow stands below where both together are too long: a label that is turned by 90 degrees
    takes it along.
    """
    spec, text = data.metric(name), before + metric_name(name)
    if spec is None:
        return text
    text += f" ({spec.unit})" if spec.unit not in ("", "1") else ""
    text = textwrap.fill(text, _LINE_CHARACTERS)
    arrow = "better →" if spec.better == "higher" else "← better"
    return text + ("\n" if len(text) > _LABEL_CHARACTERS else "  ") + arrow


def named(name: str, labels: Mapping[str, str]) -> str:
    """A codec as the user calls it: by a label of its own, or its model's before the ``@``."""
    model, at, point = name.partition("@")
    return labels.get(name) or labels.get(model, model) + at + point


def codec_label(spec: CodecSpec, characters: int = 26, labels: Mapping[str, str] = _NONE) -> str:
    """An operating point's name in at most two lines, the middle left out if need be."""
    name = named(spec.name, labels) + marks_of(spec)
    if len(name) <= characters:
        return name
    head, at, tail = name.partition("@")
    lines = [head, at + tail] if at else [name[:characters], name[characters:]]
    return "\n".join(shortened(line, characters) for line in lines)


def row_names(data: PlotData, specs: Iterable[CodecSpec], options: Options) -> list[str]:
    """Names of rows, as long as the figure's width allows."""
    return [codec_label(spec, NAME_CHARACTERS[options.width], data.labels) for spec in specs]


def marks_of(spec: CodecSpec) -> str:
    """What must be said of an operating point wherever its name stands: `` (demo)``; or nothing."""
    marks = ["demo"] * spec.demonstration + ["trunc."] * spec.truncated
    return f" ({', '.join(marks)})" if marks else ""


def shortened(text: str, characters: int) -> str:
    """Text with its middle left out where it is too long: beginnings and rates tell names apart."""
    if len(text) <= characters:
        return text
    tail = (characters - 1) // 2
    return f"{text[: characters - 1 - tail]}…{text[-tail:]}"


def where(data: PlotData, domain: str) -> str:
    """The domain in words."""
    alone = domain == ALL_DOMAINS and len(data.domains) == 1
    return data.domains[0] if alone else domain.replace(ALL_DOMAINS, "all domains")


def sizes(where: str, intervals: Iterable[Interval], *, bars: bool = True) -> list[str]:
    """How many clips, and how many speakers or tracks, means rest on; and what their bars are."""
    found = list(intervals)
    if not found:
        return [f"{where}, no values"]
    clips, clusters = (
        " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))
        for counts in ([i.n for i in found], [i.clusters for i in found])
    )
    text = f"{where}, n = {clips} clip{'' if clips == '1' else 's'}"
    if any(i.clusters < i.n for i in found):
        text += f" in {clusters} clusters (speakers, tracks)"
    if any(i.independence_assumed for i in found):
        text += ", clips of unknown origin taken as independent"
    methods = dict.fromkeys(i.method for i in found if i.low is not None)
    how = f"bars: {100 * found[0].level:g} % intervals ({'; '.join(methods)})"
    return [text, how if methods else "no intervals: a single clip"][: 1 + bars]


def remarks(specs: Sequence[CodecSpec], *, truncated: str = "") -> list[str]:
    """What a reader must know of the codecs drawn; `truncated` says how such points look."""
    demo = "demo: small demonstration models, not the published codecs"
    cut = f"trunc.: cut below the depth that the model was trained for{truncated}"
    return [
        demo if any(spec.demonstration for spec in specs) else "",
        cut if any(spec.truncated for spec in specs) else "",
    ]


def beside(data: PlotData, metric: str, domain: str) -> list[str]:
    """Warnings: who lacks clips that others have, and runs on different test sets."""
    sets = len({rows.run.set_sha256 for rows in data.runs})
    lost = data.lost(metric, domain) if metric else ""
    return [lost, "CODECS WERE RUN ON DIFFERENT TEST SETS" if sets > 1 else ""]


def left_out(names: Iterable[str], why: str) -> str:
    """Which codecs are not in the figure, and why; empty where all are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _NAMES_LISTED} more" if len(found) > _NAMES_LISTED else ""
    return f"not shown ({why}): {', '.join(found[:_NAMES_LISTED])}{more}" if found else ""
