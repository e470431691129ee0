"""Tables as papers have them; each column of `speech-codec` is one metric.

SNAC: Siuzdak, Grötschla, Lanzendörfer, "SNAC: Multi-Scale Neural Audio Codec", 2024; tokens per
second are what a language model over the codes pays for. DAC: Kumar et al., "High-Fidelity Audio
Compression with Improved RVQGAN", NeurIPS 2023. Papers on speech codecs: usually on LibriSpeech
test-clean.
"""

from collections.abc import Sequence

from snacbench.tables.layouts import parts as p
from snacbench.tables.run_rows import RunRows

_SIM, _USUAL = "speaker_sim_", "speaker_sim_wavlm_large"


def _of_speech(runs: Sequence[RunRows]) -> list[p.Part]:
    """Similarity by another network has other values: a column of its own where a run has it."""
    scored = dict.fromkeys(metric for rows in runs for metric in rows.metrics)
    others = [metric for metric in scored if metric.startswith(_SIM) and metric != _USUAL]
    return [
        p.KBPS,
        p.TOKENS,
        p.Measure("PESQ-WB", ("pesq_wb",)),
        p.Measure("PESQ-NB", ("pesq_nb",)),
        p.Measure("STOI", ("stoi",), digits=3),
        p.Measure("UTMOS", ("utmos",)),
        p.Measure("SIM", (_USUAL,), digits=3),
        *(p.Measure(f"SIM {m.removeprefix(_SIM)}", (m,), digits=3) for m in others),
        p.Measure("WER", ("wer",), digits=4),
    ]


LAYOUTS = (
    p.Layout(
        "snac-paper", "Rate, tokens and quality",
        lambda _: (p.KBPS, p.TOKENS, p.VISQOL, p.SI_SDR, p.MEL, p.STFT), "domain",
    ),
    # An ablation over checkpoints: quality, and how codebooks are used.
    p.Layout(
        "dac-table2", "Ablation",
        lambda _: (p.MEL, p.STFT, p.VISQOL, p.SI_SDR, p.PLUG_IN_EFFICIENCY, p.EFFICIENCY), "all",
        histograms=True,
    ),
    p.Layout(
        "dac-table3", "Rate, bandwidth and quality",
        lambda _: (p.KBPS, p.BANDWIDTH, p.MEL, p.STFT, p.VISQOL, p.SI_SDR), "all",
    ),
    p.Layout(
        "speech-codec", "Speech codecs", _of_speech, "domain", domains=("speech", "unknown")
    ),
)  # fmt: skip
