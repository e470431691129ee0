"""Seeds: every row's randomness follows from the run's seed, the codec and the clip alone."""

from __future__ import annotations

import hashlib


def row_seed(run_seed: int, *, codec: str, clip: str) -> int:
    """Seed of one decode, the same in a resumed run, in any order and on any number of workers."""
    digest = hashlib.sha256(f"{run_seed}\0{codec}\0{clip}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1  # PyTorch takes 63 bits
