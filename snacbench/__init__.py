"""snacbench: evaluation and benchmarking of neural audio codecs."""

from __future__ import annotations

__version__ = "0.2.0"
