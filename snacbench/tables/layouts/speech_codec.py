"""The table of papers on speech codecs: rate, tokens, PESQ, STOI, UTMOS, speaker similarity, WER.

Usually on LibriSpeech test-clean. Each column is one metric: who scores similarity by another
network, or words by another recogniser, has other numbers (docs/metrics.md).
"""

from __future__ import annotations

from snacbench.tables.layouts import parts as p

_METRICS = (
    p.Measure("PESQ-WB", ("pesq_wb",)),
    p.Measure("PESQ-NB", ("pesq_nb",)),
    p.Measure("STOI", ("stoi",), digits=3),
    p.Measure("UTMOS", ("utmos",)),
    p.Measure("SIM", ("speaker_sim_wavlm_large",), digits=3),
    p.Measure("WER", ("wer",), digits=4),
)

LAYOUTS = (
    p.Layout(
        name="speech-codec",
        title="Speech codecs",
        parts=lambda _: (p.KBPS, p.TOKENS, *_METRICS),
        by="domain",
    ),
)
