"""Clips in batches of one padded length, for a codec that owns a GPU.

While a batch is on the device, threads read and resample the next clips and write the last ones:
the libraries do both outside of Python's lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice

from snacbench.audio.resample import num_samples_at
from snacbench.errors import UserError
from snacbench.runner.coding import (
    CodedClip,
    CodingJob,
    Source,
    Timed,
    failed,
    finished,
    now,
    run_alone,
    source_of,
)
from snacbench.runner.loading import BatchCodec, LoadedCodec
from snacbench.runner.memory import is_out_of_memory
from snacbench.types import Audio, Clip

_THREADS = 4
_FIRST_S = 0.5


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
    lengths = {clip.id: _padded_length(codec, clip) for clip in job.clips}
    in_order = sorted(job.clips, key=lambda clip: lengths[clip.id])
    done: list[CodedClip] = []
    writing: list[Future[CodedClip]] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        reading = {clip.id: threads.submit(_read, job, clip) for clip in in_order}
        for length, group in groupby(in_order, key=lambda clip: lengths[clip.id]):
            while clips := list(islice(group, loaded.limit.size(length, job.batch))):
                read = ((clip, reading.pop(clip.id).result()) for clip in clips)
                items = []
                for clip, source in read:
                    if isinstance(source, Source):
                        items.append(_Item(clip, source, length))
                    else:
                        done.append(source)
                for item, parts in _coded(job, loaded, codec, items):
                    writing.append(threads.submit(_write, job, item, parts))
        return done + [future.result() for future in writing]


def _padded_length(codec: BatchCodec, clip: Clip) -> int:
    rate_hz = codec.spec.rate_hz or clip.rate_hz
    return codec.padded_length(num_samples_at(clip.num_samples, clip.rate_hz, rate_hz))


def _read(job: CodingJob, clip: Clip) -> Source | CodedClip:
    """A clip as the codec gets it, or the row that says why not."""
    try:
        return source_of(job, clip)
    except Exception as error:  # noqa: BLE001 - becomes a failed row
        return failed(job, clip, error)


def _write(job: CodingJob, item: _Item, parts: list[Timed] | Exception) -> CodedClip:
    try:
        if isinstance(parts, Exception):
            raise parts
        return finished(job, item.clip, item.source, parts)
    except Exception as error:  # noqa: BLE001 - becomes a failed row
        return failed(job, item.clip, error)


def _coded(
    job: CodingJob, loaded: LoadedCodec, codec: BatchCodec, items: Sequence[_Item]
) -> Iterator[tuple[_Item, list[Timed] | Exception]]:
    """Each clip with what came of its signals, or the exception that it alone ends with.

    A batch that fails is halved: if it did not fit, its halves may; if one clip is to blame,
    that one is found.
    """
    if not items:
        return
    outcome = _attempt(job, loaded, codec, items)
    if not isinstance(outcome, Exception):
        yield from zip(items, outcome, strict=True)
        return
    if isinstance(outcome, UserError):
        raise outcome
    if is_out_of_memory(outcome):
        loaded.limit.failed(_samples(items))
    if len(items) == 1:
        yield items[0], outcome
        return
    half = len(items) // 2
    yield from _coded(job, loaded, codec, items[:half])
    yield from _coded(job, loaded, codec, items[half:])


def _attempt(
    job: CodingJob, loaded: LoadedCodec, codec: BatchCodec, items: Sequence[_Item]
) -> list[list[Timed]] | Exception:
    """Signals of each clip, or the exception, free of the tensors that it would keep alive."""
    memory = loaded.limit.memory
    try:
        if not loaded.warm:
            memory.begin()
            loaded.limit.learn(_first_call(loaded, items[0].source.inputs[0]))
        memory.begin()
        if len(items) == 1:
            timed = [run_alone(job, items[0].clip, items[0].source, loaded)]
        else:
            timed = _at_once(job, loaded, codec, items)
        loaded.limit.learn(_samples(items))
    except Exception as error:  # noqa: BLE001 - becomes a smaller batch or a failed row
        return error.with_traceback(None)
    return timed


def _first_call(loaded: LoadedCodec, audio: Audio) -> int:
    """Take the memory that a codec takes once, with few samples; their number."""
    excerpt = Audio(audio.samples[:, : max(1, round(_FIRST_S * audio.rate_hz))], audio.rate_hz)
    with loaded.computing():
        loaded.codec.decode(loaded.codec.encode(excerpt), seed=0)
    loaded.warm = True
    return excerpt.num_samples


def _samples(items: Sequence[_Item]) -> int:
    return sum(item.padded_length * len(item.source.inputs) for item in items)


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
