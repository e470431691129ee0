"""An ablation over checkpoints, as table 2 of the DAC paper: quality, and how codebooks are used.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, table 2.
"""

from __future__ import annotations

from snacbench.tables.layouts import _parts as p

LAYOUT = p.Layout(
    name="dac-table2",
    title="Ablation",
    parts=lambda _: (p.MEL, p.STFT, p.VISQOL, p.SI_SDR, p.PLUG_IN_EFFICIENCY, p.EFFICIENCY),
    by="all",
    histograms=True,
)
