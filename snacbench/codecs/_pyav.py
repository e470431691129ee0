"""What the codecs inside PyAV's FFmpeg share: opening contexts, frames in, blocks out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from snacbench.audio.resample import fit_length
from snacbench.types import Audio, Encoded, FloatSamples

_LAYOUTS = {1: "mono", 2: "stereo"}
_INT16_FULL_SCALE = 32_768


def as_encoded(audio: Audio, packets: Iterable[Any]) -> Encoded:
    """What a decoder needs of a coded signal: its packets and its length."""
    return Encoded(
        num_samples=audio.num_samples,
        channels=audio.channels,
        rate_hz=audio.rate_hz,
        packets=tuple(bytes(packet) for packet in packets),
    )


def open_encoder(  # noqa: PLR0913 - each argument is a field of FFmpeg's context
    name: str,
    *,
    channels: int,
    rate_hz: int,
    bit_per_s: int,
    sample_format: str,
    options: Mapping[str, str],
) -> Any:
    """An opened encoder context; interleaved formats are ``flt``, planar ones ``fltp``."""
    import av

    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate = rate_hz
    encoder.layout = _LAYOUTS[channels]
    encoder.format = sample_format
    encoder.bit_rate = bit_per_s
    encoder.time_base = Fraction(1, rate_hz)
    encoder.options = dict(options)
    encoder.open()
    return encoder


def encode_blocks(encoder: Any, samples: FloatSamples, num_samples: int) -> list[Any]:
    """Packets of a signal, cut or extended by zeros to whole frames that cover `num_samples`.

    Parameters
    ----------
    samples : array, shape (channels, time)
    """
    import av

    size = int(encoder.frame_size)
    total = -(-num_samples // size) * size
    padded = fit_length(samples, total)
    packets: list[Any] = []
    for start in range(0, total, size):
        block = padded[:, start : start + size]
        planes = block if encoder.format.is_planar else block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planes), format=encoder.format.name, layout=encoder.layout.name
        )
        frame.sample_rate, frame.pts = encoder.sample_rate, start
        packets += encoder.encode(frame)
    return packets


def open_decoder(name: str, *, channels: int, rate_hz: int, extradata: bytes) -> Any:
    """An opened decoder context."""
    import av

    decoder: Any = av.CodecContext.create(name, "r")
    decoder.sample_rate = rate_hz
    decoder.layout = _LAYOUTS[channels]
    if extradata:
        decoder.extradata = extradata
    decoder.open()
    return decoder


def decoded_blocks(
    decoder: Any, packets: Sequence[bytes], *, channels: int
) -> Iterator[FloatSamples]:
    """Blocks of shape (channels, time) that the packets decode to, in order, without a flush."""
    import av

    for payload in packets:
        for frame in decoder.decode(av.Packet(payload)):
            block = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, channels).T
            scale = np.float32(1 / _INT16_FULL_SCALE if block.dtype == np.int16 else 1)
            yield block.astype(np.float32) * scale
