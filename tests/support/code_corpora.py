"""Codes with known statistics, for what models codes."""

from __future__ import annotations

import numpy as np

from snacbench.rate.coding.trained import KeptClip
from snacbench.types import Codes

SIZE = 32
SIZES = (SIZE, SIZE)
_TRANSITIONS = np.random.default_rng(5).dirichlet(np.full(SIZE, 0.05), SIZE)


def markov(frames: int, seed: int) -> Codes:
    """One channel in which the next code depends on the one before."""
    random, codes = np.random.default_rng(seed), [0]
    for _ in range(frames - 1):
        codes.append(int(random.choice(SIZE, p=_TRANSITIONS[codes[-1]])))
    return np.array([codes], np.int32)


def levels(frames: int, seed: int) -> tuple[Codes, ...]:
    """A Markov stream, and one of twice its rate whose codes say much of their parent."""
    coarse = markov(frames, seed)
    noise = np.random.default_rng(seed + 1000).integers(0, 3, (1, 2 * frames))
    fine = (7 * np.repeat(coarse, 2, axis=1) + noise) % SIZE
    return coarse, fine.astype(np.int32)


def clips(count: int = 12, frames: int = 150) -> list[KeptClip]:
    """Clips of `levels`, two of each speaker."""
    return [KeptClip(f"c{n}", f"speaker {n // 2}", (levels(frames, n),)) for n in range(count)]
