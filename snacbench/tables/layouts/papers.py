"""Tables as papers have them.

SNAC: Siuzdak, Grötschla, Lanzendörfer, "SNAC: Multi-Scale Neural Audio Codec", 2024; tokens per
second are what a language model over the codes pays for. DAC: Kumar et al., "High-Fidelity Audio
Compression with Improved RVQGAN", NeurIPS 2023.
"""

from __future__ import annotations

from snacbench.tables.layouts import parts as p

LAYOUTS = (
    p.Layout(
        name="snac-paper",
        title="Rate, tokens and quality",
        parts=lambda _: (p.KBPS, p.TOKENS, p.VISQOL, p.SI_SDR, p.MEL, p.STFT),
        by="domain",
    ),
    # An ablation over checkpoints: quality, and how codebooks are used.
    p.Layout(
        name="dac-table2",
        title="Ablation",
        parts=lambda _: (p.MEL, p.STFT, p.VISQOL, p.SI_SDR, p.PLUG_IN_EFFICIENCY, p.EFFICIENCY),
        by="all",
        histograms=True,
    ),
    p.Layout(
        name="dac-table3",
        title="Rate, bandwidth and quality",
        parts=lambda _: (p.KBPS, p.BANDWIDTH, p.MEL, p.STFT, p.VISQOL, p.SI_SDR),
        by="all",
    ),
)
