"""As the SNAC paper compares codecs: per domain, with tokens per second beside the rate.

Siuzdak, Grötschla, Lanzendörfer, "SNAC: Multi-Scale Neural Audio Codec", 2024; tokens per second
are what a language model over the codes pays for.
"""

from __future__ import annotations

from snacbench.tables.layouts._parts import KBPS, MEL, SI_SDR, STFT, TOKENS, VISQOL, Layout

LAYOUT = Layout(
    name="snac-paper",
    title="Rate, tokens and quality",
    parts=lambda _: (KBPS, TOKENS, VISQOL, SI_SDR, MEL, STFT),
    by="domain",
)
