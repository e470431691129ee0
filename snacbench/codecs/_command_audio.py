"""Samples in and out of outside programs: WAV or headerless files, checked when they come back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from snacbench.audio.resample import fit_length
from snacbench.codecs._command_file import Signal
from snacbench.codecs._command_run import cannot_write
from snacbench.errors import CodecError
from snacbench.types import Audio, FloatSamples

_FLUSHED_AT_MOST = 48_000
_BITS = {"int16": 16, "int24": 24}
_SUBTYPES = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}


def write_signal(path: Path, audio: Audio, num_samples: int, signal: Signal) -> None:
    """Write a clip, extended by zeros to `num_samples`, in the form that a program reads.

    Raises
    ------
    UserError
        If the temporary folder is full or cannot be written.
    """
    held = io.BytesIO()
    soundfile.write(
        held,
        _converted(fit_length(audio.samples, num_samples), signal.sample_format).T,
        audio.rate_hz,
        format=signal.container.upper(),
        subtype=_SUBTYPES[signal.sample_format],
        endian="LITTLE",
    )
    try:
        path.write_bytes(held.getvalue())
    except OSError as error:
        raise cannot_write(path.parent, error) from error


def _converted(samples: FloatSamples, sample_format: str) -> np.ndarray:
    """Rounded to the nearest integer and limited, left-aligned in 16 or 32 bits."""
    bits = _BITS.get(sample_format)
    if bits is None:
        return samples
    full_scale = 2.0 ** (bits - 1)
    whole = np.clip(np.rint(samples.astype(np.float64) * full_scale), -full_scale, full_scale - 1)
    return whole.astype(np.int16) if bits == 16 else whole.astype(np.int32) << 8


def read_signal(path: Path, signal: Signal, rate_hz: int, channels: int) -> FloatSamples:
    """What a decoder wrote, shape (channels, time).

    Raises
    ------
    CodecError
        If it is no such file, has another rate or number of channels, or is not finite.
    """
    headerless = (
        {
            "samplerate": rate_hz,
            "channels": channels,
            "format": "RAW",
            "subtype": _SUBTYPES[signal.sample_format],
            "endian": "LITTLE",
        }
        if signal.container == "raw"
        else {}
    )
    try:
        read, found_hz = soundfile.read(str(path), dtype="float32", always_2d=True, **headerless)
    except soundfile.LibsndfileError as error:
        raise CodecError(f"the decoder's output is no {signal.container} file ({error})") from error
    samples: FloatSamples = np.ascontiguousarray(read.T)
    if (found_hz, samples.shape[0]) != (rate_hz, channels):
        raise CodecError(
            f"the decoder wrote {found_hz} Hz, {samples.shape[0]} channels; expected "
            f"{rate_hz} Hz, {channels} channels"
        )
    if not np.isfinite(samples).all():
        raise CodecError("the decoder wrote NaN or infinite samples")
    return samples


def cut_to_length(
    samples: FloatSamples, *, delay: int, num_samples: int, sent: int, may_lack: int
) -> FloatSamples:
    """A decoder's output without its delay, at the clip's length.

    Parameters
    ----------
    samples : array, shape (channels, time)
    delay, num_samples : int
        Samples to remove from the front, and to keep.
    sent : int
        Samples that the encoder was given; far more than these cannot be the same clip.
    may_lack : int
        Samples that may be missing at the end, where they become zeros.

    Raises
    ------
    CodecError
        If too few or far too many samples came.
    """
    came, expected = samples.shape[1], delay + num_samples
    # Decoders may flush what they hold; at twice the rate most clips would be longer than this.
    most = 1.5 * sent + _FLUSHED_AT_MOST
    if came < expected - may_lack or came > most:
        raise CodecError(
            f"the decoder wrote {came} samples, expected {expected} ({delay} of delay and "
            f"{num_samples} of signal); check rate_hz, delay_samples, frame_samples and "
            "may_lack_samples"
        )
    return fit_length(samples[:, delay:], num_samples)
