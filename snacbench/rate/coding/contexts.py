"""What a model looks at to code a token: one earlier token of the same clip.

``previous`` is the token before it in its stream. ``coarser`` is the token of the next coarser
stream whose frame covers its time; for SNAC, whose levels nest, that is its parent in the
hierarchy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Codes

NO_CONTEXT = -1


def coarser_frames(frames: int, coarser: int) -> NDArray[np.int64]:
    """The coarser stream's frame at the middle of every frame, both over the same time."""
    return (2 * np.arange(frames, dtype=np.int64) + 1) * coarser // max(1, 2 * frames)


def coarser_context(frames: int, channels: int, coarser: Codes | None) -> NDArray[np.int64]:
    """Contexts of a stream from its coarser one, shape (channels, frames); -1 without any."""
    if coarser is None or not coarser.size or len(coarser) != channels:
        return np.full((channels, frames), NO_CONTEXT)
    return coarser[:, coarser_frames(frames, coarser.shape[1])].astype(np.int64)


def previous_context(codes: Codes) -> NDArray[np.int64]:
    """Contexts of a stream from itself, shape (channels, frames); -1 at the beginning."""
    context = np.full(codes.shape, NO_CONTEXT, dtype=np.int64)
    context[:, 1:] = codes[:, :-1]
    return context
