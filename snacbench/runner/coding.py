"""Clips through one codec, in a worker process: resample, encode, decode, write, weigh.

For a codec that owns a GPU they go in batches of one padded length. While a batch is on the device,
threads read and resample the next clips and write the last ones: the libraries do both outside of
Python's lock.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from snacbench.audio.io import read_clip, write_flac
from snacbench.audio.resample import num_samples_at
from snacbench.audio.silence import missing_sound
from snacbench.bitstream.container import save, write
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, UserError
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.rate.bits import bits_of
from snacbench.rate.coding.coders import PACKED
from snacbench.rate.histogram import histograms_of
from snacbench.request import Channels
from snacbench.rows import Bits, Coded, CodeHistogram
from snacbench.runner.bitstreams import bitstream_of, check_contract
from snacbench.runner.loading import BatchCodec, LoadedCodec, is_out_of_memory, load
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.signals import codec_inputs, decoded_signal, kept_band_hz, source_signal
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, Clip, Encoded

_THREADS = 4
_FIRST_S = 0.5

# What a clip becomes: its row, and how often each code occurred.
CodedClip = tuple[Coded, tuple[CodeHistogram, ...]]


def row_seed(run_seed: int, *, codec: str, clip: str) -> int:
    """Seed of one decode, the same in a resumed run, in any order and on any number of workers."""
    digest = hashlib.sha256(f"{run_seed}\0{codec}\0{clip}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1  # PyTorch takes 63 bits


@dataclass(frozen=True)
class CodingJob:
    """Clips for one codec; `batch` signals go through it at once, None: as many as fit.

    `refused` is why none is to be coded: the codec has failed its spot check, or was stopped.
    """

    codec: PlannedCodec
    clips: tuple[Clip, ...]
    channels: Channels
    run_seed: int
    run_folder: Path
    batch: int | None = 1
    keep_codes: bool = False
    refused: str = ""

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
    if job.refused:
        return [lost(job, clip, job.refused) for clip in job.clips]
    try:
        loaded = load(job.codec)
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
        return [failed(job, clip, error) for clip in job.clips]
    if job.batch != 1 and isinstance(loaded.codec, BatchCodec):
        return code_in_batches(job, loaded, loaded.codec)
    coded = []
    for clip in job.clips:
        try:
            source = source_of(job, clip)
            coded.append(_finished(job, clip, source, _run_alone(job, clip, source, loaded)))
        except Exception as error:  # noqa: BLE001 - whatever a codec raises is a failed row
            coded.append(failed(job, clip, error))
    return coded


def failed(job: CodingJob, clip: Clip, error: Exception) -> CodedClip:
    """The row of a clip that could not be coded; the traceback of a codec's own fault is logged.

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
        # A worker's standard error is the run's workers.log.
        sys.stderr.write(f"{job.codec.spec.name} on {clip.id}:\n")
        traceback.print_exception(error)
        reason = f"{type(error).__name__}: {error}{_place_of(error)}"
    return lost(job, clip, reason)


def _place_of(error: Exception) -> str:
    """Where a codec's own code failed: the last line of it, not of libraries that it called."""
    beyond: list[tuple[str, str]] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if beyond or not module.startswith("snacbench.runner"):
            place = f"{Path(frame.f_code.co_filename).name}:{line}"
            beyond.append((module.partition(".")[0], place))
    own = [place for package, place in beyond if package == beyond[0][0]]
    return f" ({own[-1]})" if own else ""


def lost(job: CodingJob, clip: Clip, reason: str) -> CodedClip:
    """The row of a clip that could not be coded, for a reason in words."""
    spec = job.codec.spec
    return Coded(clip.id, spec.name, "failed", reason, clip.domain, clip.duration_s), ()


def source_of(job: CodingJob, clip: Clip) -> Source:
    """Read a clip and bring it to the codec's rate and channels."""
    audio = source_signal(read_clip(clip), job.channels)
    return Source(audio, *codec_inputs(audio, job.codec.spec))


def now(loaded: LoadedCodec) -> float:
    """Wall-clock seconds; on a GPU, once it has finished what was asked of it."""
    if loaded.on_gpu:
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def _run_alone(job: CodingJob, clip: Clip, source: Source, loaded: LoadedCodec) -> list[Timed]:
    """The signals of a clip, one after another."""
    timed = []
    for index, audio in enumerate(source.inputs):
        with loaded.computing():
            started = now(loaded)
            encoded = loaded.codec.encode(audio)
            between = now(loaded)
            decoded = loaded.codec.decode(encoded, seed=job.seed_of(clip) + index)
            ended = now(loaded)
        timed.append(Timed(encoded, decoded, between - started, ended - between))
    return timed


def _finished(job: CodingJob, clip: Clip, source: Source, parts: Sequence[Timed]) -> CodedClip:
    """Write what was decoded of a clip, and weigh what was encoded.

    Raises
    ------
    CodecError
        If the codec broke its contract, its decode is silent where the source sounds, or its codes
        cannot be kept.
    StoreError
        If a file cannot be written.
    """
    spec, folder = job.codec.spec, RunFolder(job.run_folder)
    for audio, part in zip(source.inputs, parts, strict=True):
        check_contract(spec, audio, part.decoded)
    bits = sum((bits_of(part.encoded, spec) for part in parts), Bits())
    target = folder.decoded_path(clip.id, spec.name)
    decoded = decoded_signal([part.decoded for part in parts], source.audio.channels)
    band_hz = kept_band_hz(spec, decoded.rate_hz)
    if missing := missing_sound(reference=source.audio, degraded=decoded, band_hz=band_hz):
        raise CodecError(missing)
    clipped = write_flac(target, decoded)
    encoded, codes, data = [part.encoded for part in parts], None, b""
    if job.keep_codes:
        seed, mode = job.seed_of(clip), source.channel_mode
        try:
            data = write(bitstream_of(spec, source.audio, mode, encoded, seed=seed), PACKED)
        except BitstreamError as error:
            raise CodecError(f"its codes cannot be kept: {error}") from error
        codes = folder.codes_path(clip.id, spec.name)
        save(codes, data)
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
        codes=codes.relative_to(job.run_folder).as_posix() if codes else None,
        codes_sha256=hashlib.sha256(data).hexdigest() if codes else None,
    )
    return row, histograms_of(encoded, clip=clip.id, spec=spec)


# ------------------------------------------------------------------------------------- batches


@dataclass(frozen=True)
class _Item:
    """A clip that was read, and the length to which the codec brings it."""

    clip: Clip
    source: Source
    padded_length: int


def code_in_batches(job: CodingJob, loaded: LoadedCodec, codec: BatchCodec) -> list[CodedClip]:
    """Code clips, those of equal padded length together; a failure of a clip becomes a row.

    Raises
    ------
    UserError
        If no clip can be coded.
    """

    def padded_length(clip: Clip) -> int:
        rate_hz = codec.spec.rate_hz or clip.rate_hz
        return codec.padded_length(num_samples_at(clip.num_samples, clip.rate_hz, rate_hz))

    def written(item: _Item, parts: list[Timed] | Exception) -> CodedClip:
        try:
            if isinstance(parts, Exception):
                return failed(job, item.clip, parts)
            return _finished(job, item.clip, item.source, parts)
        except Exception as error:  # noqa: BLE001 - becomes a failed row
            return failed(job, item.clip, error)

    done: list[CodedClip] = []
    writing: list[Future[CodedClip]] = []
    in_order = sorted(job.clips, key=padded_length)
    with ThreadPoolExecutor(_THREADS) as threads:
        reading = {clip.id: threads.submit(source_of, job, clip) for clip in in_order}
        for length, group in groupby(in_order, key=padded_length):
            while clips := list(islice(group, loaded.limit.size(length, job.batch))):
                items = []
                for clip in clips:
                    try:
                        items.append(_Item(clip, reading.pop(clip.id).result(), length))
                    except Exception as error:  # noqa: BLE001 - becomes a failed row
                        done.append(failed(job, clip, error))
                for item, parts in _coded(job, loaded, codec, items):
                    writing.append(threads.submit(written, item, parts))
        return done + [future.result() for future in writing]


def _coded(
    job: CodingJob, loaded: LoadedCodec, codec: BatchCodec, items: Sequence[_Item]
) -> Iterator[tuple[_Item, list[Timed] | Exception]]:
    """Each clip with what came of its signals, or the exception that it alone ends with.

    A batch that fails is halved: if it did not fit, its halves may; if one clip is to blame,
    that one is found.
    """
    if not items:
        return
    samples = sum(item.padded_length * len(item.source.inputs) for item in items)
    limit, alone = loaded.limit, len(items) == 1
    try:
        if not loaded.warm:
            limit.memory.begin()
            limit.learn(_first_call(loaded, items[0].source.inputs[0]))
        limit.memory.begin()
        if alone:
            timed = [_run_alone(job, items[0].clip, items[0].source, loaded)]
        else:
            timed = _at_once(job, loaded, codec, items)
        limit.learn(samples)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - becomes smaller batches or a failed row
        full, fault = is_out_of_memory(error), error
        if full or not alone:
            fault = error.with_traceback(None)  # free of the tensors that it would keep alive
    else:
        yield from zip(items, timed, strict=True)
        return
    if full:
        limit.failed(samples)
    if alone:
        yield items[0], fault
        return
    half = len(items) // 2
    yield from _coded(job, loaded, codec, items[:half])
    yield from _coded(job, loaded, codec, items[half:])


def _first_call(loaded: LoadedCodec, audio: Audio) -> int:
    """Take the memory that a codec takes once, with few samples; their number."""
    excerpt = Audio(audio.samples[:, : max(1, round(_FIRST_S * audio.rate_hz))], audio.rate_hz)
    with loaded.computing():
        loaded.codec.decode(loaded.codec.encode(excerpt), seed=0)
    loaded.warm = True
    return excerpt.num_samples


def _at_once(
    job: CodingJob, loaded: LoadedCodec, codec: BatchCodec, items: Sequence[_Item]
) -> list[list[Timed]]:
    """All signals of the clips in one batch; each is charged an equal share of the time."""
    signals = [audio for item in items for audio in item.source.inputs]
    seeds = [job.seed_of(item.clip) + i for item in items for i in range(len(item.source.inputs))]
    with loaded.computing():
        started = now(loaded)
        encoded = codec.encode_batch(signals)
        between = now(loaded)
        decoded = codec.decode_batch(encoded, seeds=seeds)
        ended = now(loaded)
    n = len(signals)
    timed = (
        Timed(*pair, (between - started) / n, (ended - between) / n, n)
        for pair in zip(encoded, decoded, strict=True)
    )
    return [list(islice(timed, len(item.source.inputs))) for item in items]
