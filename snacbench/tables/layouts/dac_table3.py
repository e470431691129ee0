"""As table 3 of the DAC paper compares codecs, with its own figures beside ours if asked for.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, table 3.
"""

from __future__ import annotations

from snacbench.tables.layouts._parts import BANDWIDTH, KBPS, MEL, SI_SDR, STFT, VISQOL, Layout

LAYOUT = Layout(
    name="dac-table3",
    title="Rate, bandwidth and quality",
    parts=lambda _: (KBPS, BANDWIDTH, MEL, STFT, VISQOL, SI_SDR),
    by="all",
    published="dac-table3.yaml",
)
