"""Several signals at once through a PyTorch codec, each as if it were alone.

A network sees the zeros that fill a short signal up: its last codes change, and where norms span
the whole signal all of them. So only signals of one `padded_length` go together: those that the
codec would have brought to the same length anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from snacbench.codecs._neural import to_audio, to_codes
from snacbench.types import Audio, Encoded

if TYPE_CHECKING:
    import torch


class Batched:
    """A codec that computes in batches; one signal is a batch of one."""

    def padded_length(self, num_samples: int) -> int:
        """Length to which the codec brings a signal of so many samples."""
        return num_samples

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode signals of one padded length."""
        raise NotImplementedError

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode what signals of one padded length were encoded to, each with its own seed."""
        raise NotImplementedError

    def encode(self, audio: Audio) -> Encoded:
        """Encode a signal."""
        return self.encode_batch([audio])[0]

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode to the length of the signal; stochastic decoders use the seed."""
        return self.decode_batch([encoded], seeds=[seed])[0]


def stacked(signals: Sequence[Audio], device: torch.device) -> torch.Tensor:
    """Signals as a batch of shape (signals, channels, time), short ones filled up with zeros."""
    import torch

    longest = max(signal.num_samples for signal in signals)
    batch = np.zeros((len(signals), signals[0].channels, longest), dtype=np.float32)
    for row, signal in zip(batch, signals, strict=True):
        row[:, : signal.num_samples] = signal.samples
    return torch.from_numpy(batch).to(device)


def encoded_of(
    signals: Sequence[Audio], streams: Sequence[torch.Tensor], side_info: Sequence[bytes] = ()
) -> list[Encoded]:
    """What was encoded, signal by signal; `streams` hold codes of shape (signals, frames)."""
    on_host = [stream.cpu() for stream in streams]
    return [
        Encoded(
            num_samples=signal.num_samples,
            channels=signal.channels,
            rate_hz=signal.rate_hz,
            codes=tuple(to_codes(stream[index : index + 1]) for stream in on_host),
            side_info=side_info[index] if side_info else b"",
        )
        for index, signal in enumerate(signals)
    ]


def codes_of(encoded: Sequence[Encoded], device: torch.device) -> list[torch.Tensor]:
    """The inverse: for each stream its codes, shape (signals, frames)."""
    import torch

    streams = zip(*(one.codes for one in encoded), strict=True)
    return [torch.from_numpy(np.concatenate(s).astype(np.int64)).to(device) for s in streams]


def decoded_of(batch: torch.Tensor, encoded: Sequence[Encoded]) -> list[Audio]:
    """Decoded signals of a batch of shape (signals, channels, time), each at its exact length."""
    rows = batch.detach().float().cpu()
    return [
        to_audio(rows[index : index + 1], one.rate_hz, one.num_samples)
        for index, one in enumerate(encoded)
    ]
