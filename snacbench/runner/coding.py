"""Clips through one codec, in a worker process: resample, encode, decode, write, weigh."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.audio.io import read_clip, write_flac
from snacbench.audio.silence import missing_sound
from snacbench.bitstream.container import save, write
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, UserError
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.rate.bits import bits_of
from snacbench.rate.coding.coders import PACKED
from snacbench.rate.histogram import histograms_of
from snacbench.rows import Bits, Coded, CodeHistogram
from snacbench.runner.bitstreams import bitstream_of, check_contract
from snacbench.runner.loading import BatchCodec, CodecHandle, LoadedCodec, load
from snacbench.runner.memory import is_out_of_memory
from snacbench.runner.seeds import row_seed
from snacbench.runner.signals import (
    Channels,
    codec_inputs,
    decoded_signal,
    kept_band_hz,
    source_signal,
)
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, Clip, Codec, Encoded

# What a clip becomes: its row, and how often each code occurred.
CodedClip = tuple[Coded, tuple[CodeHistogram, ...]]


@dataclass(frozen=True)
class CodingJob:
    """Clips for one codec; `batch` signals go through it at once, None: as many as fit.

    `refused` is why none is to be coded: the codec has failed its spot check.
    """

    codec: CodecHandle
    clips: tuple[Clip, ...]
    channels: Channels
    run_seed: int
    run_folder: Path
    batch: int | None = 1
    keep_codes: bool = False
    refused: str = ""

    @property
    def size(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def seed_of(self, clip: Clip) -> int:
        """Seed of a clip's decode."""
        return row_seed(self.run_seed, codec=self.codec.spec.name, clip=clip.id)


@dataclass(frozen=True)
class Source:
    """A clip as its run and its codec see it."""

    audio: Audio
    inputs: list[Audio]
    channel_mode: str


@dataclass(frozen=True)
class Timed:
    """One signal's way through a codec, and the seconds that it took of its batch's."""

    encoded: Encoded
    decoded: Audio
    encode_s: float
    decode_s: float
    batch: int = 1


def code_clips(job: CodingJob) -> list[CodedClip]:
    """Code clips and write what was decoded; a failure of a clip becomes a row.

    Raises
    ------
    UserError
        If no clip can be coded: the disk is full, the weights are wrong.
    """
    from snacbench.runner.batching import code_in_batches

    if job.refused:
        return [lost(job, clip, job.refused) for clip in job.clips]
    try:
        loaded = load(job.codec)
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
        return [failed(job, clip, error) for clip in job.clips]
    if job.batch != 1 and isinstance(loaded.codec, BatchCodec):
        return code_in_batches(job, loaded, loaded.codec)
    return [_code_clip(job, clip, loaded) for clip in job.clips]


def failed(job: CodingJob, clip: Clip, error: Exception) -> CodedClip:
    """The row of a clip that could not be coded.

    Raises
    ------
    UserError
        The error itself, where no other clip would fare better.
    """
    if isinstance(error, UserError):
        raise error
    if missing := missing_package(error):
        raise missing from error
    if is_out_of_memory(error):
        reason = (
            f"{job.codec.device} has no memory for this clip of {clip.duration_s:.1f} s, even "
            "alone; use --segment-s or --device cpu"
        )
    elif isinstance(error, SnacbenchError):
        reason = str(error)
    else:
        reason = f"{type(error).__name__}: {error}"
    return lost(job, clip, reason)


def lost(job: CodingJob, clip: Clip, reason: str) -> CodedClip:
    """The row of a clip that could not be coded, for a reason in words."""
    spec = job.codec.spec
    return Coded(clip.id, spec.name, "failed", reason, clip.domain, clip.duration_s), ()


def source_of(job: CodingJob, clip: Clip) -> Source:
    """Read a clip and bring it to the codec's rate and channels."""
    audio = source_signal(read_clip(clip), job.channels)
    return Source(audio, *codec_inputs(audio, job.codec.spec))


def _code_clip(job: CodingJob, clip: Clip, loaded: LoadedCodec) -> CodedClip:
    try:
        source = source_of(job, clip)
        return finished(job, clip, source, run_alone(job, clip, source, loaded))
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises is a failed row
        return failed(job, clip, error)


def run_alone(job: CodingJob, clip: Clip, source: Source, loaded: LoadedCodec) -> list[Timed]:
    """The signals of a clip, one after another."""
    seed = job.seed_of(clip)
    return [_run(loaded, audio, seed + i) for i, audio in enumerate(source.inputs)]


def _run(loaded: LoadedCodec, audio: Audio, seed: int) -> Timed:
    codec: Codec = loaded.codec
    with loaded.computing():
        started = now(loaded)
        encoded = codec.encode(audio)
        between = now(loaded)
        decoded = codec.decode(encoded, seed=seed)
        ended = now(loaded)
    return Timed(encoded, decoded, between - started, ended - between)


def now(loaded: LoadedCodec) -> float:
    """Wall-clock seconds; on a GPU, once it has finished what was asked of it."""
    if loaded.on_torch and loaded.handle.device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def keep(job: CodingJob, clip: Clip, source: Source, parts: Sequence[Encoded]) -> tuple[str, str]:
    """Write what was encoded of a clip as a file; its path in the run folder, and its digest.

    Raises
    ------
    CodecError
        If the format cannot hold it.
    StoreError
        If the file cannot be written.
    """
    spec, seed = job.codec.spec, job.seed_of(clip)
    bitstream = bitstream_of(spec, source.audio, source.channel_mode, parts, seed=seed)
    try:
        data = write(bitstream, PACKED)
    except BitstreamError as error:
        raise CodecError(f"its codes cannot be kept: {error}") from error
    target = RunFolder(job.run_folder).codes_path(clip.id, spec.name)
    save(target, data)
    return target.relative_to(job.run_folder).as_posix(), hashlib.sha256(data).hexdigest()


def finished(job: CodingJob, clip: Clip, source: Source, parts: Sequence[Timed]) -> CodedClip:
    """Write what was decoded of a clip, and weigh what was encoded.

    Raises
    ------
    CodecError
        If the codec broke its contract, or its decode is silent where the source sounds.
    """
    spec = job.codec.spec
    for audio, part in zip(source.inputs, parts, strict=True):
        check_contract(spec, audio, part.decoded)
    bits = sum((bits_of(part.encoded, spec) for part in parts), Bits())
    target = RunFolder(job.run_folder).decoded_path(clip.id, spec.name)
    decoded = decoded_signal([part.decoded for part in parts], source.audio.channels)
    band_hz = kept_band_hz(spec, decoded.rate_hz)
    if missing := missing_sound(reference=source.audio, degraded=decoded, band_hz=band_hz):
        raise CodecError(missing)
    clipped = write_flac(target, decoded)
    encoded = [part.encoded for part in parts]
    codes, codes_sha256 = keep(job, clip, source, encoded) if job.keep_codes else (None, None)
    row = Coded(
        clip=clip.id,
        codec=spec.name,
        status="ok",
        domain=clip.domain,
        duration_s=source.audio.duration_s,
        bits=bits,
        decoded=target.relative_to(job.run_folder).as_posix(),
        decoded_sha256=sha256_of_file(target),
        decoded_rate_hz=decoded.rate_hz,
        channel_mode=source.channel_mode,
        encode_s=sum(part.encode_s for part in parts),
        decode_s=sum(part.decode_s for part in parts),
        clipped_samples=clipped,
        seed=job.seed_of(clip) if spec.stochastic else None,
        batch=max(part.batch for part in parts),
        codes=codes,
        codes_sha256=codes_sha256,
    )
    return row, histograms_of(encoded, clip=clip.id, spec=spec)
