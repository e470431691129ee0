"""Files of stimuli: WAV, or FLAC filled up so that sizes tell nothing.

Low-passed sound compresses better: by the size of its FLAC file alone, an anchor is known.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import soundfile

from snacbench.errors import AudioError
from snacbench.listening.facts import Format
from snacbench.types import Audio

_BITS = 24
_FULL_SCALE = float(2 ** (_BITS - 1))
_HEADER_BYTES = 4  # of a FLAC metadata block: last-block flag and type, length (RFC 9639, 8.1)
_PADDING, _LAST = 1, 0x80
_MAX_BLOCK_BYTES = 2**24 - 1


def files_of(signals: Mapping[str, Audio], format_: Format) -> dict[str, bytes]:
    """The signals of an item as 24-bit files of equal size.

    Raises
    ------
    AudioError
        If the signals differ in length, rate or channels, so that sizes cannot be equal.
    """
    shapes = {(*signal.samples.shape, signal.rate_hz) for signal in signals.values()}
    if len(shapes) != 1:
        raise AudioError(
            "the conditions of an item must have one length, rate and number of channels, found "
            f"{sorted(shapes)}"
        )
    files = {name: _encoded(signal, format_) for name, signal in signals.items()}
    if format_ == "wav":
        return files
    # One block of padding in each, the largest file included: all are built alike.
    size = max(map(len, files.values())) + _HEADER_BYTES
    return {name: _padded(content, size - len(content)) for name, content in files.items()}


def _encoded(audio: Audio, format_: Format) -> bytes:
    scaled = np.rint(audio.samples.T.astype(np.float64) * _FULL_SCALE)
    pcm = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int32) << (32 - _BITS)
    stream = io.BytesIO()
    soundfile.write(stream, pcm, audio.rate_hz, format=format_.upper(), subtype=f"PCM_{_BITS}")
    return stream.getvalue()


def _padded(flac: bytes, num_bytes: int) -> bytes:
    """A FLAC file with a block of padding, of so many bytes in all, after its first block."""
    length = num_bytes - _HEADER_BYTES
    if not 0 <= length <= _MAX_BLOCK_BYTES:
        raise AudioError(f"FLAC holds up to {_MAX_BLOCK_BYTES} bytes of padding, found {length}")
    first = 4  # after the marker "fLaC"
    flag = flac[first] & _LAST
    end = first + _HEADER_BYTES + int.from_bytes(flac[first + 1 : first + _HEADER_BYTES])
    header = bytes([flag | _PADDING]) + length.to_bytes(3)
    opened = flac[:first] + bytes([flac[first] & ~_LAST & 0xFF]) + flac[first + 1 : end]
    return opened + header + bytes(length) + flac[end:]
