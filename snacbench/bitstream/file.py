"""What a ``.sncb`` file holds, before and after it is bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snacbench.types import Encoded

SUFFIX = ".sncb"


@dataclass(frozen=True)
class Header:
    """All that a decoder must know beside the codes.

    Attributes
    ----------
    codec : str
        Name of the operating point: ``dac-44khz@2.58kbps``.
    weights_sha256 : mapping of str to str
        File name -> digest of the weights that encoded; empty for codecs without any.
    codec_rate_hz, rate_hz : int
        The codec's rate, at which the decoder answers; the source's.
    channels, num_samples : int
        Of the source, at its own rate.
    channel_mode : str
        How the source's channels were given to the codec, as `Coded.channel_mode` has it.
    seed : int
        Of the decoder's random numbers, for part 0; part i takes seed + i.
    coder : str
        How the codes are written: name of a `Coder`.
    tables_sha256 : str
        Digest of the coder's trained tables.
    """

    codec: str
    weights_sha256: Mapping[str, str]
    codec_rate_hz: int
    rate_hz: int
    channels: int
    num_samples: int
    channel_mode: str
    seed: int
    coder: str = "packed"
    tables_sha256: str = ""


@dataclass(frozen=True)
class Bitstream:
    """A coded signal: its header, and one part per signal that went through the codec."""

    header: Header
    codebook_sizes: tuple[int, ...]
    parts: tuple[Encoded, ...]
