"""Clips through one codec, in a worker process: resample, encode, decode, write, weigh.

Where the codes of lower points are the first streams of a higher one's, a clip is encoded once and
its codes are cut; every point decodes, under every condition of what is sent. For a codec that owns
a GPU clips go in batches of one padded length. While a batch is on the device, threads read and
resample the next clips and write the last ones: the libraries do both outside of Python's lock.
"""

import hashlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path

from snacbench.audio.io import read_clip, write_flac
from snacbench.audio.levels import limited
from snacbench.audio.resample import num_samples_at
from snacbench.audio.silence import missing_sound
from snacbench.bitstream.container import save, write
from snacbench.conditions.channel import concealed, transmitted
from snacbench.conditions.inputs import impaired
from snacbench.errors import BitstreamError, CodecError, SnacbenchError, UserError
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.rate.bits import bits_of, histograms_of, rate_over_time
from snacbench.rate.coding.coders import PACKED
from snacbench.request import Request
from snacbench.rows import Bits, Coded
from snacbench.runner.bitstreams import bitstream_of, check_contract
from snacbench.runner.loading import BatchCodec, LoadedCodec, is_out_of_memory, load, now
from snacbench.runner.plan import PlannedCodec, condition_of, passes_of
from snacbench.runner.pool import Job, Rows
from snacbench.runner.signal_rules import codec_inputs, decoded_signal, kept_band_hz, source_signal
from snacbench.store.run_folder import RunFolder
from snacbench.testsets.testset import hash_of
from snacbench.types import Audio, Clip, CodecSpec, Encoded

_THREADS = 4


def row_seed(run_seed: int, *, codec: str, clip: str) -> int:
    """Seed of one decode, the same in a resumed run, in any order and on any number of workers."""
    return hash_of(f"{run_seed}\0{codec}\0{clip}") >> 1  # PyTorch takes 63 bits


@dataclass(frozen=True)
class CodingJob(Job):
    """Clips for one codec.

    The first of its `points` encodes. The others get its codes, or the first streams of them: lower
    points of its model, and points whose condition changes what is sent. Of a cascade they are its
    longer ones. `refused` is why none is to be coded: the codec has failed its spot check, or was
    stopped.
    """

    points: tuple[PlannedCodec, ...]
    clips: tuple[Clip, ...]
    request: Request
    run_folder: Path
    refused: str = ""

    def seed_of(self, clip: Clip, spec: CodecSpec, passed: int = 1) -> int:
        """Seed of a clip's decode, the same under every condition; of a cascade, in that pass."""
        name = spec.without_condition.name + f"\0pass {passed}" * (passed > 1)
        return row_seed(self.request.seed, codec=name, clip=clip.id)

    def run(self) -> Rows:
        """Code clips and write what was decoded; a failure of a clip becomes a row.

        Where the codec takes batches, clips of equal padded length go together. Histograms come
        first: a clip counts as coded only once everything about it is on disk.
        """
        if self.refused:
            return self.lost(self.refused)
        first = self.points[0]
        try:
            loaded = load(first)
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            return [row for clip in self.clips for row in _failed(self, clip, error)]
        batching = loaded.codec if isinstance(loaded.codec, BatchCodec) else None

        def padded_length(clip: Clip) -> int:
            rate_hz = first.spec.rate_hz or clip.rate_hz
            length = num_samples_at(clip.num_samples, clip.rate_hz, rate_hz)
            return batching.padded_length(length) if batching else length

        most, in_order = first.batch if batching else 1, sorted(self.clips, key=padded_length)
        done, writing = Rows(), list[Future[Rows]]()
        with ThreadPoolExecutor(_THREADS) as threads:
            reading = {c.id: threads.submit(source_of, c, first, self.request) for c in in_order}
            for length, group in groupby(in_order, key=padded_length):
                while clips := list(islice(group, loaded.batch_size(length, most))):
                    sources = []
                    for clip in clips:
                        try:
                            sources.append(reading.pop(clip.id).result())
                        except Exception as error:  # noqa: BLE001 - becomes a failed row
                            done += _failed(self, clip, error)
                    for came in _coded(self, loaded, sources, length) if sources else ():
                        writing.append(threads.submit(_finished, self, *came))
            done += (row for future in writing for row in future.result())
        return sorted(done, key=lambda row: isinstance(row, Coded))

    def apart(self) -> "list[CodingJob]":
        """Clip by clip and point by point: of those only one may be what the worker died of."""
        return [
            replace(self, points=(replace(point, batch=1),), clips=(clip,))
            for clip in self.clips
            for point in self.points
        ]

    def lost(self, reason: str) -> Rows:
        """The rows of clips that cannot be coded, for a reason in words."""
        return [
            Coded(c.id, s.name, "failed", reason, c.domain, c.duration_s, condition=s.condition)
            for c in self.clips
            for s in (point.spec for point in self.points)
        ]


@dataclass(frozen=True)
class Source:
    """A clip as its run and its codec see it; `realised` tells what its condition came to."""

    clip: Clip
    audio: Audio
    inputs: list[Audio]
    channel_mode: str
    realised: float | None = None


@dataclass(frozen=True)
class Timed:
    """What a clip's signals became at a point, and its share of the seconds that its batch took.

    They are all that the point takes, whatever others shared of it. `encoded` is as sent,
    `realised` what became of a condition on the way.
    """

    encoded: list[Encoded]
    decoded: list[Audio]
    encode_s: float
    decode_s: float
    batch: int = 1
    realised: float | None = None


def source_of(clip: Clip, codec: PlannedCodec, request: Request) -> Source:
    """Read a clip, impair it under a condition, and bring it to the codec's rate and channels."""
    audio, realised = source_signal(read_clip(clip), request.channels), None
    if (condition := condition_of(codec.spec)) and condition.stage == "input":
        audio, realised = impaired(audio, condition, seed=request.seed, clip=clip.id)
    return Source(clip, audio, *codec_inputs(audio, codec.spec), realised)


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
        if beyond or not module.startswith(("snacbench.runner", "concurrent.futures")):
            place = f"{Path(frame.f_code.co_filename).name}:{line}"
            beyond.append((module.partition(".")[0], place))
    own = [f" ({place})" for package, place in beyond if package == beyond[0][0]]
    return f"{type(error).__name__}: {error}{own[-1] if own else ''}"


def _failed(job: CodingJob, clip: Clip, error: Exception) -> Rows:
    """Rows of a clip that could not be coded; the traceback of a codec's own fault is logged."""
    reason = reason_of(error)
    if is_out_of_memory(error):
        reason = (
            f"{job.points[0].device} has no memory for this clip of {clip.duration_s:.1f} s, even "
            "alone; use --segment-s or --device cpu"
        )
    elif not isinstance(error, SnacbenchError):
        # A worker's standard error is the run's workers.log.
        sys.stderr.write(f"{', '.join(point.spec.name for point in job.points)} on {clip.id}:\n")
        traceback.print_exception(error)
    return replace(job, clips=(clip,)).lost(reason)


def _finished(job: CodingJob, source: Source, point: PlannedCodec, came: Timed | Exception) -> Rows:
    """Write what was decoded of a clip, and weigh what was encoded; or say what it ended with."""
    try:
        if isinstance(came, Exception):
            raise came
        spec, folder, clip = point.spec, RunFolder(job.run_folder), source.clip
        check_contract(spec, source.inputs, came.decoded)
        bits = sum((bits_of(part, spec) for part in came.encoded), Bits())
        target = folder.decoded_path(clip.id, spec.name)
        decoded = decoded_signal(came.decoded, source.audio.channels)
        condition = condition_of(spec)
        if condition is None or condition.stage != "channel":  # which may well leave nothing
            band_hz = kept_band_hz(spec, decoded.rate_hz)
            if missing := missing_sound(reference=source.audio, degraded=decoded, band_hz=band_hz):
                raise CodecError(missing)
        clipped = write_flac(target, decoded)
        codes, data, seed = None, b"", job.seed_of(clip, spec)
        if job.request.keep_codes and condition is None:
            mode = source.channel_mode
            try:
                signal = bitstream_of(spec, source.audio, mode, came.encoded, seed=seed)
                data = write(signal, PACKED)
            except BitstreamError as error:
                raise CodecError(f"its codes cannot be kept: {error}") from error
            codes = folder.codes_path(clip.id, spec.name)
            save(codes, data)
        histograms = histograms_of(came.encoded, clip=clip.id, spec=spec)
        tokens = sum(int(of_stream.counts.sum()) for of_stream in histograms)
        row = Coded(
            clip=clip.id, codec=spec.name, status="ok", domain=clip.domain,
            duration_s=source.audio.duration_s, bits=bits,
            decoded=target.relative_to(job.run_folder).as_posix(),
            decoded_sha256=sha256_of_file(target), decoded_rate_hz=decoded.rate_hz,
            channel_mode=source.channel_mode, encode_s=came.encode_s, decode_s=came.decode_s,
            clipped_samples=clipped, seed=seed if spec.stochastic else None, batch=came.batch,
            codes=codes.relative_to(job.run_folder).as_posix() if codes else None,
            codes_sha256=hashlib.sha256(data).hexdigest() if codes else None,
            rate=rate_over_time(came.encoded, spec),
            tokens=tokens if spec.max_segment_frames > 1 else None, condition=spec.condition,
            realised=source.realised if came.realised is None else came.realised,
        )  # fmt: skip
        return [row, *histograms]
    except Exception as error:  # noqa: BLE001 - becomes a failed row
        return _failed(replace(job, points=(point,)), source.clip, error)


def _coded(
    job: CodingJob, loaded: LoadedCodec, sources: Sequence[Source], padded_length: int
) -> Iterator[tuple[Source, PlannedCodec, Timed | Exception]]:
    """Each clip at each point with what came of it, or the exception that it alone ends with."""
    # What fails is taken apart, clips first: if a batch did not fit, its halves may; if one clip or
    # one point is to blame, that one is found.
    alone = len(sources) == len(job.points) == 1
    try:
        yield from _timed(job, loaded, sources)
        return
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - becomes smaller batches or a failed row
        full, fault = is_out_of_memory(error), error
        if full or not alone:
            fault = error.with_traceback(None)  # free of the tensors that it would keep alive
    if full:
        loaded.was_too_large(padded_length * sum(len(source.inputs) for source in sources))
    if alone:
        yield sources[0], job.points[0], fault
    elif half := len(sources) // 2:
        yield from _coded(job, loaded, sources[:half], padded_length)
        yield from _coded(job, loaded, sources[half:], padded_length)
    else:
        for point in job.points:
            yield from _coded(replace(job, points=(point,)), loaded, sources, padded_length)


def _timed(
    job: CodingJob, loaded: LoadedCodec, sources: Sequence[Source]
) -> list[tuple[Source, PlannedCodec, Timed]]:
    """All signals in one batch, or those of a clip one after another, encoded once for all."""
    # A cascade encodes what it has decoded, and a longer one goes on from there. Clips are charged
    # an equal share of a batch's time, and points all that they would take without the others.
    signals = [audio for source in sources for audio in source.inputs]
    together, passed = len(sources) > 1, 1
    decoded, timed = list[Audio](), list[tuple[Source, PlannedCodec, Timed]]()
    before_s = took_s = 0.0  # of decoding: of earlier passes, and of the last

    def encode(signals: Sequence[Audio]) -> tuple[list[Encoded], float]:
        started = now(loaded)
        return loaded.encode(signals, together=together), now(loaded) - started

    def decode(parts: Sequence[Encoded], spec: CodecSpec) -> tuple[list[Audio], float]:
        own = ((job.seed_of(s.clip, spec, passed), len(s.inputs)) for s in sources)
        seeds = [first + i for first, count in own for i in range(count)]
        started = now(loaded)
        decoded = loaded.decode(parts, seed=seeds[0], seeds=seeds if together else ())
        return decoded, now(loaded) - started

    for point in job.points:
        loaded = load(point) if loaded.planned != point.base else loaded
        if point is job.points[0]:
            encoded, encode_s = encode(signals)
        spec, condition = point.spec, condition_of(point.spec)
        while passed < passes_of(spec):
            if not decoded:
                decoded, took_s = decode(encoded, spec)
            encoded, more_s = encode([limited(audio) for audio in decoded])
            decoded, before_s, encode_s = [], before_s + took_s, encode_s + more_s
            passed += 1
        parts = iter([e for _, e in zip(signals, encoded, strict=True)])
        if len(job.points) > 1:
            parts = (replace(e, codes=e.codes[: len(spec.streams)]) for e in parts)
        sent = [list(islice(parts, len(source.inputs))) for source in sources]
        came = [
            transmitted(own, spec, condition, seed=job.request.seed, clip=source.clip.id)
            if condition and condition.stage != "input"
            else (own, None)
            for source, own in zip(sources, sent, strict=True)
        ]
        arrived = [part for got, _ in came for part in got]
        decoded, took_s = decode(arrived, spec)
        # A batch that comes back with more or fewer signals fails, and its clips are tried alone.
        outputs = iter([d for *_, d in zip(signals, arrived, decoded, strict=True)])
        for source, own, (got, realised) in zip(sources, sent, came, strict=True):
            heard, share = list(islice(outputs, len(own))), len(own) / len(signals)
            if condition:
                heard = concealed(heard, got, spec, condition)
            seconds = (encode_s * share, (before_s + took_s) * share)
            what = Timed(own, heard, *seconds, len(signals) if together else 1, realised)
            timed.append((source, point, what))
    return timed
