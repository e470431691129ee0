"""Reading clips and writing decoded audio (libsndfile through soundfile)."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile

from snacbench.errors import AudioError, StoreError
from snacbench.types import Audio, Clip, FloatSamples

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"})

# 24 bits: finer than any codec here resolves, and every 16-bit source survives unchanged.
_PCM_BITS = 24
_FULL_SCALE = float(2 ** (_PCM_BITS - 1))
_HASH_BLOCK_BYTES = 1 << 20
_NEARLY_FULL_BYTES = 1 << 20
_MAX_FLAC_CHANNELS = 8
_MAX_FLAC_RATE_HZ = 655_350
_OPEN_RIFF_SIZE = 0x7FFF_0000
_UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's answer where a header leaves the length open


def sha256_of_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def probe(path: Path) -> tuple[int, int, int]:
    """Rate in Hz, channels and samples per channel that an audio file's header states.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, not audio, or holds no samples.
    """
    try:
        with _opened(path) as file:
            rate_hz, channels, num_samples = file.samplerate, file.channels, file.frames
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(_why_unreadable(path, error)) from error
    if num_samples == 0:
        raise AudioError(f"{path} holds no samples; remove it or record it again")
    _check_length_known(path, num_samples)
    _check_riff_complete(path)
    return int(rate_hz), int(channels), int(num_samples)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """An audio file, opened by descriptor.

    Given a path, libsndfile would also look for a resource fork beside it, and refuse an MP3
    beside which a copy by way of macOS has left its ``._`` file.
    """
    with (
        path.open("rb", buffering=0) as stream,
        soundfile.SoundFile(stream.fileno(), closefd=False) as file,
    ):
        yield file


def read(path: Path, *, start: int = 0, num_samples: int | None = None) -> Audio:
    """Read an audio file, or the segment ``[start, start + num_samples)`` of it.

    Returns
    -------
    Audio
        At the file's own rate and channels, float32.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, not audio, shorter than its header or the segment
        says, empty, or holds NaN or infinite samples.
    """
    try:
        with _opened(path) as file:
            _check_length_known(path, file.frames)
            expected = file.frames - start if num_samples is None else num_samples
            samples = _decode(file, path, start=start, num_samples=max(expected, 0))
            rate_hz = int(file.samplerate)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(_why_unreadable(path, error)) from error
    if len(samples) == 0:
        raise AudioError(f"{path} holds no samples; remove it or record it again")
    if len(samples) < expected:
        raise AudioError(
            f"{path} ends after {len(samples)} of {expected} samples: the file is truncated or "
            "damaged; fetch it again"
        )
    try:
        return Audio(np.ascontiguousarray(samples.T), rate_hz)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def _check_riff_complete(path: Path) -> None:
    """A WAV file that was cut short: libsndfile would pass it off as a shorter recording."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if head[:4] != b"RIFF":
        return
    stated = int.from_bytes(head[4:], "little") + 8
    size = path.stat().st_size
    # Programs that write to a pipe leave the size open: 0 or all ones.
    if size < stated < _OPEN_RIFF_SIZE:
        raise AudioError(
            f"{path} has {size} of the {stated} bytes that its header states: the file is "
            "truncated or damaged; fetch it again"
        )


def _decode(file: soundfile.SoundFile, path: Path, *, start: int, num_samples: int) -> FloatSamples:
    """Samples of an open file, shape (time, channels); fewer where it ends early."""
    try:
        file.seek(min(start, file.frames))
        return np.asarray(file.read(frames=num_samples, dtype="float32", always_2d=True))
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path} opens but cannot be decoded ({error.error_string}): the file is truncated or "
            "damaged; fetch it again"
        ) from error


def read_clip(clip: Clip) -> Audio:
    """Read the segment of a file that a clip names; see `read` for what is raised."""
    return read(clip.path, start=clip.start, num_samples=clip.num_samples)


def write_flac(path: Path, audio: Audio) -> int:
    """Write audio as 24-bit FLAC, whole or not at all, and return how many samples clipped.

    A sample clips when it lies outside [-1, 1 - 2**-23], the range of 24-bit PCM. The file
    appears under its name only once it is complete.

    Raises
    ------
    AudioError
        If FLAC cannot hold the signal's rate or channel count.
    StoreError
        If the folder cannot be written or the disk is full.
    """
    if audio.channels > _MAX_FLAC_CHANNELS or audio.rate_hz > _MAX_FLAC_RATE_HZ:
        raise AudioError(
            f"FLAC holds up to {_MAX_FLAC_CHANNELS} channels at {_MAX_FLAC_RATE_HZ} Hz, found "
            f"{audio.channels} channels at {audio.rate_hz} Hz"
        )
    return _write_24_bits(path, audio, "FLAC")


def write_wav(path: Path, audio: Audio) -> int:
    """Write audio as 24-bit WAV: the very samples that `write_flac` writes, and as it does.

    Raises
    ------
    StoreError
        If the folder cannot be written or the disk is full.
    """
    return _write_24_bits(path, audio, "WAV")


def _write_24_bits(path: Path, audio: Audio, container: str) -> int:
    scaled = np.rint(audio.samples.T.astype(np.float64) * _FULL_SCALE)
    clipped = int(np.count_nonzero((scaled < -_FULL_SCALE) | (scaled > _FULL_SCALE - 1)))
    pcm = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int32)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            str(partial),
            pcm << (32 - _PCM_BITS),  # libsndfile takes the upper 24 bits of an int32
            audio.rate_hz,
            format=container,
            subtype=f"PCM_{_PCM_BITS}",
        )
        _check_complete(partial, audio)
        partial.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        with suppress(OSError):  # nothing to remove where the folder could not even be made
            partial.unlink()
        raise StoreError(_why_unwritable(path, error)) from error
    return clipped


def _check_complete(partial: Path, audio: Audio) -> None:
    """Libsndfile reports a full disk only by what is missing from the file."""
    info = soundfile.info(str(partial))
    if info.frames != audio.num_samples:
        raise OSError(errno.ENOSPC, f"only {info.frames} of {audio.num_samples} samples written")


def _check_length_known(path: Path, num_samples: int) -> None:
    if num_samples == _UNKNOWN_LENGTH:
        raise AudioError(
            f"{path} does not state its length; write it again as a file, not into a pipe"
        )


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return f"{path} does not exist; check the path or the manifest that names it"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read by this user; check its permissions"
    if path.stat().st_size == 0:
        return f"{path} is empty (0 bytes); fetch it again"
    # libsndfile's own words alone: before them stands a descriptor, another one in each run.
    reason = getattr(error, "error_string", error)
    return (
        f"{path} is not audio that libsndfile can read ({reason}); check that it is what its name "
        "says"
    )


def _is_full(path: Path, error: Exception) -> bool:
    """Whether a write failed for want of space, which libsndfile calls a system error."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    folder = path.parent
    return folder.is_dir() and shutil.disk_usage(folder).free < _NEARLY_FULL_BYTES


def _why_unwritable(path: Path, error: Exception) -> str:
    if _is_full(path, error):
        return f"the disk is full while writing {path}; free some space and resume the run"
    return f"cannot write {path} ({error}); check the folder's permissions and the free space"
