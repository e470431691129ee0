"""An ablation over checkpoints, as table 2 of the DAC paper: quality, and how codebooks are used.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, table 2.
"""

from __future__ import annotations

from snacbench.tables.layouts._parts import (
    EFFICIENCY,
    MEL,
    PLUG_IN_EFFICIENCY,
    SI_SDR,
    STFT,
    VISQOL,
    Layout,
)

LAYOUT = Layout(
    name="dac-table2",
    title="Ablation",
    parts=lambda _: (MEL, STFT, VISQOL, SI_SDR, PLUG_IN_EFFICIENCY, EFFICIENCY),
    by="all",
    histograms=True,
)
