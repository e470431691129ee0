"""Reading clips and writing decoded audio (libsndfile through soundfile, FFmpeg through PyAV).

Every file is read by libsndfile if it can, else by FFmpeg; which of the two depends on the file's
bytes alone. Its length is what decoding gives, and what its header states must be there: see
`snacbench.audio.containers`. What a header claims is checked against the size of the file before
memory is taken.
"""

import os
import re
import stat
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

from snacbench.audio.containers import Extent, extent_of
from snacbench.errors import AudioError, SnacbenchError
from snacbench.files import write_bytes, writing
from snacbench.later import av, np, soundfile
from snacbench.packages import missing_package
from snacbench.types import Audio, Clip, FloatSamples

# What is audio, read or refused, by the names that such files usually have. Not among them are
# names of samples without a header (.raw, .pcm, .vox) and of what is seldom audio (.mat, .ts).
_NAMES = (
    "wav wave bwf rf64 w64 flac ogg oga ogv opus spx mp3 mp2 mp1 mpga aif aiff aifc au snd caf sph "
    "nist nis m4a m4b m4r mp4 mov 3gp 3g2 aac adts webm weba mka mkv wma asf avi flv ac3 eac3 dts "
    "amr awb ape wv tta tak mpc dsf dff ra rm voc avr ircam svx 8svx iff paf pvf wve sds xi qoa"
)
AUDIO_SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
NOT_STATED = "length not stated"

# 24 bits: finer than any codec here resolves, and every 16-bit source survives unchanged.
_PCM_BITS = 24
_FULL_SCALE = float(2 ** (_PCM_BITS - 1))

_BLOCK_SAMPLES = 1 << 22
_RATES_HZ = range(1_000, 1_536_001)  # what is resampled from below takes no end of memory
_MAX_CHANNELS = 1024
# Silence is what compresses best: FLAC codes 65,535 samples of it in about 12 bytes.
_MOST_SAMPLES_PER_BYTE = 1 << 14
_LOUDEST = 32.0  # 30 dB over full scale: no mix is so loud, but whole numbers and damage are
# Of what libsndfile opens, the kinds whose length `containers` checks.
_LIBSNDFILE = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
# Of FFmpeg's containers those that hold audio and lead nowhere else (no playlists): such as state a
# length, and such of which it is estimated.
_FFMPEG_STATED = (
    "mov matroska asf avi wav w64 aiff caf au flac ogg ape wv tta tak mpc mpc8 dsf flv nistsphere "
    "xwma qoa"
)
_FFMPEG_ESTIMATED = (
    "mp3 aac ac3 eac3 dts dtshd amr amrnb amrwb loas mpegts mpeg truehd mlp rm shn g722 gsm sbc oma"
)
_LONGEST_FRAME_BYTES, _MORE_FRAMES = 2048, 8  # of an MP3, and such as tags may hold by chance
_DURATION_TOLERANCE_S = 0.25  # priming, padding, and time stamps in milliseconds
# What tools leave in place of audio, by how it begins.
_NOT_AUDIO = {
    rb"version https://git-lfs": "a pointer of Git LFS, not the file itself; run: git lfs pull",
    rb"PK\x03\x04|\x1f\x8b": "an archive (ZIP or gzip); unpack it",
}


@dataclass(frozen=True)
class Header:
    """What is known of an audio file without keeping its samples.

    `note` says what to know of it, such as that it does not state its length; mostly empty.
    """

    rate_hz: int
    channels: int
    num_samples: int
    note: str = ""


# An open file: its header, whose `num_samples` is 0 where only decoding tells, and blocks of shape
# (channels, time) from a place on, in order, so many samples or all.
_Opened = tuple[Header, Callable[[int, int | None], Iterator[FloatSamples]]]


def probe(path: Path) -> Header:
    """Rate in Hz, channels, samples per channel, and what to know of an audio file.

    Files that do not state their length, and those that only FFmpeg reads, are decoded. One that is
    missing, unreadable, not audio, not whole, or holds no samples is an `AudioError`.
    """
    with _opened(path) as (header, blocks):
        num_samples = header.num_samples or sum(block.shape[1] for block in blocks(0, None))
        if num_samples == 0:
            raise AudioError(f"{path} holds no samples; remove it or record it again")
        return replace(header, num_samples=num_samples)


def read(path: Path, *, start: int = 0, num_samples: int | None = None) -> Audio:
    """Read an audio file, or the segment ``[start, start + num_samples)`` of it.

    At the file's own rate and channels, float32; samples of float files may lie beyond +-1. Raises
    `AudioError` if the file is missing, unreadable, not audio, shorter than its header or the
    segment says, empty, or holds samples that are not finite or no audio at any level.
    """
    # A segment is part of a file that was looked at as a whole before.
    with _opened(path, thorough=num_samples is None) as (header, blocks):
        decoded = list(blocks(start, num_samples))
        held, rate_hz = sum(block.shape[1] for block in decoded), header.rate_hz
        if held == 0:
            raise AudioError(f"{path} holds no samples; remove it or record it again")
        expected = num_samples or (header.num_samples - start if header.num_samples else held)
        if held < expected:
            raise AudioError(
                f"{path} ends after {held / rate_hz:.2f} of {expected / rate_hz:.2f} s "
                f"({held} of {expected} samples): the file is truncated or damaged; fetch it again"
            )
        samples = np.concatenate(decoded, axis=1)[:, :expected]
        try:
            audio = Audio(np.ascontiguousarray(samples), rate_hz)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
    peak = float(np.abs(audio.samples).max())
    if peak >= 2 and bool(np.all(audio.samples == np.rint(audio.samples))):
        raise AudioError(
            f"{path} holds whole numbers up to {peak:,.0f} where full scale is 1: integers in a "
            "file of floats; divide them by 32,768 (16 bits) or 8,388,608 (24 bits)"
        )
    if peak > _LOUDEST:
        raise AudioError(
            f"{path} holds a sample of {peak:.3g} where full scale is 1: the file is damaged or "
            "was never scaled; fetch it again or divide it by its own full scale"
        )
    return audio


def read_clip(clip: Clip) -> Audio:
    """Read the segment of a file that a clip names; see `read` for what is raised."""
    return read(clip.path, start=clip.start, num_samples=clip.num_samples)


# ------------------------------------------------------------------------------- opening files
@contextmanager
def _opened(path: Path, *, thorough: bool = True) -> Iterator[_Opened]:
    """An audio file that is whole as far as its header tells; whatever fails is an `AudioError`."""
    try:
        status = path.stat()
        # A pipe or device is not opened, which might never end.
        if not stat.S_ISREG(status.st_mode):
            kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe (FIFO)"}
            kind = kinds.get(stat.S_IFMT(status.st_mode), "a device or socket")
            raise AudioError(f"{path} is {kind}, not a file of audio")
        if status.st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes); fetch it again")
        with path.open("rb", buffering=0) as stream:
            head = stream.read(256) or b""
            for begin, kind in _NOT_AUDIO.items():
                if re.match(begin, head):
                    raise AudioError(f"{path} is {kind}")
            extent = extent_of(stream, status.st_size, thorough=thorough)
            if extent.unit == "frames" and thorough and not extent.problem:
                extent = _with_frames(path, extent)
            if extent.problem:
                raise AudioError(f"{path} is not one whole recording: {extent.problem}")
            if extent.is_cut:
                held_s = sum(frame.samples / frame.sample_rate for frame in _decodable(path))
                found = f"{held_s:.2f} s and not the mark that ends an Ogg stream"
                if extent.stated and held_s:
                    stated_s = held_s * extent.stated / extent.held
                    found = f"{held_s:.2f} of the {stated_s:.2f} s that its header states"
                elif extent.stated:
                    found = (
                        f"{extent.held} of the {extent.stated} {extent.unit} that its header states"
                    )
                text = f"{path} holds {found}: the file is truncated or damaged; fetch it again"
                raise AudioError(text)
            with _decoder(path, stream, status.st_size, extent) as opened:
                yield opened
    except SnacbenchError:  # a package that does not load is not the file's fault
        raise
    # libsndfile and PyAV raise what they like, and so does numpy where memory ends.
    except Exception as error:
        raise AudioError(_why_unreadable(path, error)) from error


def _with_frames(path: Path, extent: Extent) -> Extent:
    """The frames that an MP3 holds, against those that its first one states."""
    kinds, stated = Counter[int](), extent.stated or 0
    with suppress(Exception), path.open("rb", buffering=0) as stream, _ffmpeg(stream) as container:
        for packet in container.demux(audio=0):
            if 0 < packet.size < _LONGEST_FRAME_BYTES:  # not what FFmpeg makes of tags behind it
                kinds[int.from_bytes(bytes(packet)[:4]) & 0xFFFE_0C00] += 1  # version, layer, rate
    held = max(kinds.values(), default=0)
    if held > stated + _MORE_FRAMES:
        return replace(
            extent,
            problem=f"its header states {stated} frames and it holds {held}: another recording "
            "follows, or it was edited; split it or write the header again",
        )
    # Some encoders count the first frame, too.
    return replace(extent, held=held, is_cut=0 < held < stated - 1)


@contextmanager
def _decoder(path: Path, stream: FileIO, size: int, extent: Extent) -> Iterator[_Opened]:
    """By libsndfile if it opens the file and knows its length, else by FFmpeg."""
    refused: Exception | None = None
    if not extent.decode:
        try:
            # By descriptor: given a path, libsndfile would also look for a resource fork beside
            # it, and refuse an MP3 beside which a copy by way of macOS has left its ``._`` file.
            stream.seek(0)
            opened = soundfile.SoundFile(stream.fileno(), closefd=False)
        except soundfile.LibsndfileError as error:
            refused = error
        else:
            with opened as file:
                is_mpeg = file.subtype.startswith("MPEG")  # whose length may be an estimate
                is_known = file.format == "MP3" and extent.stated if is_mpeg else True
                if is_known and file.format in _LIBSNDFILE and file.subtype[:4] != "DWVW":
                    yield _by_libsndfile(path, file, size, extent)
                    return
    try:
        container = _ffmpeg(stream)
    except Exception as error:
        raise missing_package(error) or refused or error from error
    with container:
        yield _by_ffmpeg(path, container, size, extent)


def _check_claim(path: Path, rate_hz: int, channels: int, samples: int, size: int) -> None:
    """What a header claims, or decoding gives, against what a file of that size can hold."""
    if rate_hz not in _RATES_HZ or not 1 <= channels <= _MAX_CHANNELS:
        raise AudioError(
            f"{path} states {channels} channels at {rate_hz} Hz; expected 1 to {_MAX_CHANNELS} at "
            f"{_RATES_HZ[0]:,} to {_RATES_HZ[-1]:,} Hz: the header is damaged"
        )
    if samples * channels > size * _MOST_SAMPLES_PER_BYTE:
        raise AudioError(
            f"{path} claims {samples / rate_hz:,.0f} s of audio, more than its bytes can hold: the "
            "header is damaged; fetch the file again"
        )


# ---------------------------------------------------------------------------------- libsndfile
def _by_libsndfile(path: Path, file: "soundfile.SoundFile", size: int, extent: Extent) -> _Opened:
    frames, channels, rate_hz = int(file.frames), int(file.channels), int(file.samplerate)
    _check_claim(path, rate_hz, channels, frames, size)

    def blocks(start: int, count: int | None) -> Iterator[FloatSamples]:
        at = 0
        # Not to the beginning: after a seek libsndfile passes over damage of which it told before.
        if start and file.seekable():
            at = min(start, frames)
            file.seek(at)
        end = frames if count is None else min(frames, start + count)
        step = max(1, _BLOCK_SAMPLES // channels)
        while at < end:
            try:
                block = file.read(frames=min(step, end - at), dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(
                    f"{path} opens but cannot be decoded to the end of the "
                    f"{frames / rate_hz:.2f} s that its header states ({error.error_string}): the "
                    "file is truncated or damaged; fetch it again"
                ) from error
            if len(block) == 0:
                return
            yield np.ascontiguousarray(block[max(0, start - at) :].T)
            at += len(block)

    return Header(rate_hz, channels, frames, NOT_STATED if extent.is_open else ""), blocks


# -------------------------------------------------------------------------------------- FFmpeg
def _ffmpeg(stream: FileIO) -> Any:
    """An open container of FFmpeg; by descriptor, so that no name tells a format or a protocol."""
    return av.open(
        f"file:/proc/self/fd/{stream.fileno()}",
        options={"format_whitelist": ",".join(f"{_FFMPEG_STATED} {_FFMPEG_ESTIMATED}".split())},
        metadata_errors="replace",
    )


def _decodable(path: Path) -> Iterator[Any]:
    with suppress(Exception), path.open("rb", buffering=0) as stream, _ffmpeg(stream) as container:
        yield from container.decode(audio=0)


def _by_ffmpeg(path: Path, container: Any, size: int, extent: Extent) -> _Opened:
    streams = container.streams.audio
    if not streams or streams[0].codec_context is None:
        raise AudioError(f"{path} holds no stream of audio that FFmpeg can decode")
    stream = streams[0]
    rate_hz, channels = int(stream.rate or 0), int(stream.channels or 0)
    for frame in _decodable(path):  # a header of AAC may state half of either
        rate_hz, channels = frame.sample_rate, frame.layout.nb_channels
        break
    _check_claim(path, rate_hz, channels, 0, size)
    names = container.format.name.split(",")
    states = not extent.is_open and not set(_FFMPEG_STATED.split()).isdisjoint(names)
    duration_s = 0.0
    if states and stream.duration:
        duration_s = float(stream.duration * stream.time_base)
    elif states and len(container.streams) == 1:  # else it may be that of pictures
        duration_s = float(container.duration or 0) / 1e6

    def blocks(start: int, count: int | None) -> Iterator[FloatSamples]:
        at, end = 0, None if count is None else start + count
        for block in _frames(path, container, (rate_hz, channels), strict=states):
            _check_claim(path, rate_hz, channels, at + block.shape[1], size)
            wanted = block[:, max(0, start - at) : None if end is None else max(0, end - at)]
            at += block.shape[1]
            if wanted.shape[1]:
                yield wanted
            if end is not None and at >= end:
                return
        if duration_s and abs(at / rate_hz - duration_s) > _DURATION_TOLERANCE_S:
            raise AudioError(
                f"{path} decodes to {at / rate_hz:.2f} s and its header states {duration_s:.2f} s: "
                "the file is truncated, damaged or several in one; fetch it again"
            )

    notes = [] if extent.stated or (states and duration_s) else [NOT_STATED]
    if len(streams) > 1:
        notes.append(f"the first of {len(streams)} streams of audio")
    return Header(rate_hz, channels, 0, "; ".join(notes)), blocks


def _frames(
    path: Path, container: Any, shape: tuple[int, int], *, strict: bool
) -> Iterator[FloatSamples]:
    """Decoded frames; of a file that does not state its length the last one may be incomplete."""
    from av.error import FFmpegError

    failed: FFmpegError | None = None
    stream = container.streams.audio[0]
    if (container.format.name, stream.codec_context.name) == ("caf", "alac"):
        # Its last packet is short, and FFmpeg would shorten it again by what the index states.
        stream.codec_context.options = {"flags2": "+skip_manual"}
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except FFmpegError as error:
                if strict or failed:
                    raise
                failed = error
                continue
            if failed and frames:
                raise failed
            for frame in frames:
                if (frame.sample_rate, frame.layout.nb_channels) != shape:
                    raise AudioError(
                        f"{path} changes from {shape[1]} channels at {shape[0]} Hz to "
                        f"{frame.layout.nb_channels} at {frame.sample_rate} Hz; split it"
                    )
                samples = frame.to_ndarray()
                if not frame.format.is_planar:
                    samples = samples.reshape(-1, frame.layout.nb_channels).T
                if samples.dtype == np.uint8:
                    samples = (samples.astype(np.float32) - 128) / 128
                elif np.issubdtype(samples.dtype, np.integer):
                    samples = samples * np.float64(2.0 ** (1 - 8 * samples.dtype.itemsize))
                yield np.ascontiguousarray(samples, dtype=np.float32)
    except FFmpegError as error:
        raise AudioError(
            f"{path} opens but cannot be decoded to its end ({error.strerror}): the file is "
            "truncated or damaged; fetch it again"
        ) from error


# ------------------------------------------------------------------------------------- writing
def _write(container: str, path: Path, audio: Audio) -> int:
    """Write audio in 24 bits, whole or not at all, and return how many samples clipped.

    A sample clips when it lies outside [-1, 1 - 2**-23], the range of 24-bit PCM. A rate or number
    of channels that the container cannot hold is an `AudioError`; what cannot be written a
    `StoreError`. The samples are the same in every container.
    """
    scaled = np.rint(audio.samples.T.astype(np.float64) * _FULL_SCALE)
    clipped = int(np.count_nonzero((scaled < -_FULL_SCALE) | (scaled > _FULL_SCALE - 1)))
    pcm = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int32)
    pcm <<= 32 - _PCM_BITS  # libsndfile takes the upper 24 bits of an int32
    encoded, how = BytesIO(), {"format": container, "subtype": f"PCM_{_PCM_BITS}"}
    try:
        soundfile.write(encoded, pcm, audio.rate_hz, **how)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{container} cannot hold {audio.channels} channels at {audio.rate_hz} Hz "
            f"({error.error_string}); FLAC holds up to 8 channels at up to 655,350 Hz"
        ) from error
    with writing(str(path)):
        write_bytes(path, encoded.getvalue())
    return clipped


write_flac = partial(_write, "FLAC")
write_wav = partial(_write, "WAV")


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError) or not os.path.exists(path):  # noqa: PTH110 - too long
        return f"{path} does not exist; check the path or the manifest that names it"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read by this user; check its permissions"
    if isinstance(error, MemoryError):
        return f"{path} needs more memory than there is; use --segment-s, or cut the file"
    with suppress(OSError, UnicodeDecodeError), path.open("rb") as stream:
        # The last character may be cut in two.
        text = getincrementaldecoder("utf-8-sig")().decode(stream.read(64))
        begin = " ".join(text.split())[:40]
        if begin and begin.isprintable():
            return f"{path} is not audio but text, which begins {begin!r}; fetch the file again"
    # Their own words alone: before them stands a descriptor, another one in each run.
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    return (
        f"{path} is not audio that libsndfile or FFmpeg can read ({str(reason).strip()}); check "
        "that it is what its name says, and whole"
    )
