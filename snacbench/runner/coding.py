"""Clips through one codec, in a worker process: resample, encode, decode, write, weigh.

For a codec that owns a GPU they go in batches of one padded length. While a batch is on the device,
threads read and resample the next clips and write the last ones: the libraries do both outside of
Python's lock.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path

from snacbench.audio.io import read_clip, write_flac
from snacbench.audio.resample import num_samples_at
from snacbench.audio.silence import missing_sound
from snacbench.bitstream.container import save, write
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, UserError
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.rate.bits import bits_of, histograms_of
from snacbench.rate.coding.coders import PACKED
from snacbench.request import Request
from snacbench.rows import Bits, Coded
from snacbench.runner.bitstreams import bitstream_of, check_contract
from snacbench.runner.loading import BatchCodec, LoadedCodec, is_out_of_memory, load, now
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.pool import Job, Rows
from snacbench.runner.signal_rules import (
    codec_inputs,
    decoded_signal,
    kept_band_hz,
    source_signal,
)
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip, Encoded

_THREADS = 4


def row_seed(run_seed: int, *, codec: str, clip: str) -> int:
    """Seed of one decode, the same in a resumed run, in any order and on any number of workers."""
    digest = hashlib.sha256(f"{run_seed}\0{codec}\0{clip}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1  # PyTorch takes 63 bits


@dataclass(frozen=True)
class CodingJob(Job):
    """Clips for one codec; `batch` signals go through it at once, None: as many as fit.

    `refused` is why none is to be coded: the codec has failed its spot check, or was stopped.
    """

    codec: PlannedCodec
    clips: tuple[Clip, ...]
    request: Request
    run_folder: Path
    batch: int | None = 1
    refused: str = ""

    def seed_of(self, clip: Clip) -> int:
        """Seed of a clip's decode."""
        return row_seed(self.request.seed, codec=self.codec.spec.name, clip=clip.id)

    def run(self) -> Rows:
        """Histograms first: a clip counts as coded only once everything about it is on disk."""
        return sorted(code_clips(self), key=lambda row: isinstance(row, Coded))

    def apart(self) -> list[CodingJob]:
        """A batch clip by clip: of those only one may be what the worker died of."""
        return [replace(self, clips=(clip,), batch=1) for clip in self.clips]

    def lost(self, reason: str) -> Rows:
        """The rows of clips that cannot be coded, for a reason in words."""
        return [self.failed(clip, reason) for clip in self.clips]

    def failed(self, clip: Clip, reason: str) -> Coded:
        """The row of a clip that could not be coded."""
        name = self.codec.spec.name
        return Coded(clip.id, name, "failed", reason, clip.domain, clip.duration_s)


@dataclass(frozen=True)
class Source:
    """A clip as its run and its codec see it."""

    clip: Clip
    audio: Audio
    inputs: list[Audio]
    channel_mode: str


@dataclass(frozen=True)
class Timed:
    """What a clip's signals became in a codec, and the seconds that it took of its batch's."""

    encoded: list[Encoded]
    decoded: list[Audio]
    encode_s: float
    decode_s: float
    batch: int = 1


def source_of(clip: Clip, codec: PlannedCodec, request: Request) -> Source:
    """Read a clip and bring it to the codec's rate and channels."""
    audio = source_signal(read_clip(clip), request.channels)
    return Source(clip, audio, *codec_inputs(audio, codec.spec))


def code_clips(job: CodingJob) -> Rows:
    """Code clips and write what was decoded; a failure of a clip becomes a row."""
    if job.refused:
        return job.lost(job.refused)
    try:
        loaded = load(job.codec)
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
        return [_failed(job, clip, error) for clip in job.clips]
    if job.batch != 1 and isinstance(loaded.codec, BatchCodec):
        return _code_in_batches(job, loaded, loaded.codec)
    coded: Rows = []
    for clip in job.clips:
        try:
            source = source_of(clip, job.codec, job.request)
        except Exception as error:  # noqa: BLE001 - becomes a failed row
            coded.append(_failed(job, clip, error))
            continue
        for each, came in _coded(job, loaded, None, [source], source.inputs[0].num_samples):
            coded += _finished(job, each, came)
    return coded


def reason_of(error: Exception) -> str:
    """Why a codec failed; of its own faults, with the last line of its code that ran.

    What libraries that it called did is not looked into.

    Raises the error itself if it is a UserError: no other clip would fare better.
    """
    if isinstance(error, UserError):
        raise error
    if missing := missing_package(error):
        raise missing from error
    if isinstance(error, SnacbenchError):
        return str(error)
    beyond: list[tuple[str, str]] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if beyond or not module.startswith("snacbench.runner"):
            place = f"{Path(frame.f_code.co_filename).name}:{line}"
            beyond.append((module.partition(".")[0], place))
    own = [f" ({place})" for package, place in beyond if package == beyond[0][0]]
    return f"{type(error).__name__}: {error}{own[-1] if own else ''}"


def _failed(job: CodingJob, clip: Clip, error: Exception) -> Coded:
    """The row of a clip that could not be coded; the traceback of a codec's own fault is logged."""
    reason = reason_of(error)
    if is_out_of_memory(error):
        reason = (
            f"{job.codec.device} has no memory for this clip of {clip.duration_s:.1f} s, even "
            "alone; use --segment-s or --device cpu"
        )
    elif not isinstance(error, SnacbenchError):
        # A worker's standard error is the run's workers.log.
        sys.stderr.write(f"{job.codec.spec.name} on {clip.id}:\n")
        traceback.print_exception(error)
    return job.failed(clip, reason)


def _finished(job: CodingJob, source: Source, came: Timed | Exception) -> Rows:
    """Write what was decoded of a clip, and weigh what was encoded; or say what it ended with."""
    try:
        if isinstance(came, Exception):
            raise came
        spec, folder, clip = job.codec.spec, RunFolder(job.run_folder), source.clip
        for audio, output in zip(source.inputs, came.decoded, strict=True):
            check_contract(spec, audio, output)
        bits = sum((bits_of(part, spec) for part in came.encoded), Bits())
        target = folder.decoded_path(clip.id, spec.name)
        decoded = decoded_signal(came.decoded, source.audio.channels)
        band_hz = kept_band_hz(spec, decoded.rate_hz)
        if missing := missing_sound(reference=source.audio, degraded=decoded, band_hz=band_hz):
            raise CodecError(missing)
        clipped = write_flac(target, decoded)
        codes, data, seed = None, b"", job.seed_of(clip)
        if job.request.keep_codes:
            mode = source.channel_mode
            try:
                signal = bitstream_of(spec, source.audio, mode, came.encoded, seed=seed)
                data = write(signal, PACKED)
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
            encode_s=came.encode_s,
            decode_s=came.decode_s,
            clipped_samples=clipped,
            seed=seed if spec.stochastic else None,
            batch=came.batch,
            codes=codes.relative_to(job.run_folder).as_posix() if codes else None,
            codes_sha256=hashlib.sha256(data).hexdigest() if codes else None,
        )
        return [row, *histograms_of(came.encoded, clip=clip.id, spec=spec)]
    except Exception as error:  # noqa: BLE001 - becomes a failed row
        return [_failed(job, source.clip, error)]


# ------------------------------------------------------------------------------------- batches


def _code_in_batches(job: CodingJob, loaded: LoadedCodec, codec: BatchCodec) -> Rows:
    """Code clips, those of equal padded length together."""

    def padded_length(clip: Clip) -> int:
        rate_hz = codec.spec.rate_hz or clip.rate_hz
        return codec.padded_length(num_samples_at(clip.num_samples, clip.rate_hz, rate_hz))

    done: Rows = []
    writing: list[Future[Rows]] = []
    in_order = sorted(job.clips, key=padded_length)
    with ThreadPoolExecutor(_THREADS) as threads:
        reading = {c.id: threads.submit(source_of, c, job.codec, job.request) for c in in_order}
        for length, group in groupby(in_order, key=padded_length):
            while clips := list(islice(group, loaded.batch_size(length, job.batch))):
                sources = []
                for clip in clips:
                    try:
                        sources.append(reading.pop(clip.id).result())
                    except Exception as error:  # noqa: BLE001 - becomes a failed row
                        done.append(_failed(job, clip, error))
                for source, came in _coded(job, loaded, codec, sources, length):
                    writing.append(threads.submit(_finished, job, source, came))
        return done + [row for future in writing for row in future.result()]


def _coded(
    job: CodingJob,
    loaded: LoadedCodec,
    codec: BatchCodec | None,
    sources: Sequence[Source],
    padded_length: int,
) -> Iterator[tuple[Source, Timed | Exception]]:
    """Each clip with what came of its signals, or the exception that it alone ends with.

    A batch that fails is halved: if it did not fit, its halves may; if one clip is to blame,
    that one is found.
    """
    if not sources:
        return
    samples = padded_length * sum(len(source.inputs) for source in sources)
    alone = len(sources) == 1
    try:
        timed = _timed(job, loaded, None if alone else codec, sources)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - becomes smaller batches or a failed row
        full, fault = is_out_of_memory(error), error
        if full or not alone:
            fault = error.with_traceback(None)  # free of the tensors that it would keep alive
    else:
        yield from zip(sources, timed, strict=True)
        return
    if full:
        loaded.was_too_large(samples)
    if alone:
        yield sources[0], fault
        return
    half = len(sources) // 2
    yield from _coded(job, loaded, codec, sources[:half], padded_length)
    yield from _coded(job, loaded, codec, sources[half:], padded_length)


def _timed(
    job: CodingJob, loaded: LoadedCodec, codec: BatchCodec | None, sources: Sequence[Source]
) -> list[Timed]:
    """All signals in one batch, each charged an equal share of the time; or one after another."""
    signals = [audio for source in sources for audio in source.inputs]
    seeds = [job.seed_of(s.clip) + i for s in sources for i in range(len(s.inputs))]
    started = now(loaded)
    if codec:
        with loaded.computing():
            encoded = codec.encode_batch(signals)
            between = now(loaded)
            decoded = codec.decode_batch(encoded, seeds=seeds)
    else:
        encoded = loaded.encode(signals)
        between = now(loaded)
        decoded = loaded.decode(encoded, seed=seeds[0])
    ended = now(loaded)
    # A batch that comes back with more or fewer signals fails, and its clips are tried alone.
    pairs = iter([(e, d) for _, e, d in zip(signals, encoded, decoded, strict=True)])
    timed = []
    for source in sources:
        n, share = len(source.inputs), len(source.inputs) / len(signals)
        own = list(islice(pairs, n))
        seconds = (between - started) * share, (ended - between) * share
        batch = len(signals) if codec else 1
        timed.append(Timed([e for e, _ in own], [d for _, d in own], *seconds, batch))
    return timed
