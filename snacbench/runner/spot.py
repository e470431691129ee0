"""A spot check of every operating point, before it codes a run's clips.

A decoder sees what was encoded and the seed, nothing else. Of two clips an excerpt is encoded and
decoded, twice, and once more from the written bytes in a process that never encoded anything: a
codec that draws other random numbers, or hands something from its encoder to its decoder past the
bits that are counted, does not decode alike.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snacbench.bitstream.container import read, write
from snacbench.errors import BitstreamError, UserError
from snacbench.rate.coding.packed import PACKED
from snacbench.request import Channels
from snacbench.rows import SpotCheck
from snacbench.runner.bitstreams import bitstream_of, check_contract, decode_bitstream
from snacbench.runner.coding import CodingJob, Source, row_seed, source_of
from snacbench.runner.loading import LoadedCodec, is_out_of_memory, load, unload
from snacbench.runner.plan import CUDA, PlannedCodec
from snacbench.runner.signals import decoded_signal
from snacbench.types import Audio, Clip, Encoded

CLIPS_CHECKED = 2
_CANDIDATES = 4  # some clips may be unreadable
_EXCERPT_S = 0.5
_CUDA_SNR_DB = 60.0  # sums on a GPU may be rounded in another order each time


@dataclass(frozen=True)
class SpotJob:
    """Operating points of one model that are to be checked, each on clips of its own."""

    points: tuple[tuple[PlannedCodec, tuple[Clip, ...]], ...]
    channels: Channels
    run_seed: int


@dataclass(frozen=True)
class Excerpt:
    """A signal, the bytes that a decoder is to need of it, and what they were decoded to."""

    source: Source
    seed: int
    data: bytes
    decoded: Audio


@dataclass(frozen=True)
class Point:
    """An operating point on its way to the second process; `reason`: why it has failed before."""

    codec: PlannedCodec
    excerpts: tuple[Excerpt, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class VerifyJob:
    """What is to be decoded in a process that has encoded nothing."""

    points: tuple[Point, ...]


def clips_to_check(clips: Sequence[Clip], codec: str, seed: int) -> tuple[Clip, ...]:
    """The clips of an operating point, by hash; more than are checked, for some may not do."""
    by_hash = sorted(clips, key=lambda clip: row_seed(seed, codec=codec, clip=clip.id))
    return tuple(by_hash[:_CANDIDATES])


def encode_points(job: SpotJob) -> list[object]:
    """Encode and decode the excerpts of every point, twice; what is left to verify: a `Point` each.

    Raises
    ------
    UserError
        If weights are damaged or do not fit.
    """
    return [_point(job, codec, clips) for codec, clips in job.points]


def _point(job: SpotJob, codec: PlannedCodec, clips: Sequence[Clip]) -> Point:
    """A point's excerpts; none where its own code fails, as each clip's row will say."""
    excerpts: list[Excerpt] = []
    try:
        loaded = load(codec)
        for clip in clips:
            if len(excerpts) < CLIPS_CHECKED and (found := _excerpt(job, loaded, clip)):
                excerpts.append(found)
        for excerpt in excerpts:
            if reason := _differs_again(loaded, excerpt):
                return Point(codec, tuple(excerpts), reason)
    except BitstreamError as error:
        return Point(codec, reason=f"what it encodes cannot be written down ({error})")
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
        if excerpts and not is_out_of_memory(error):
            return Point(codec, reason=f"what it has decoded once it cannot again ({error})")
        return Point(codec)
    return Point(codec, tuple(excerpts))


def _excerpt(job: SpotJob, loaded: LoadedCodec, clip: Clip) -> Excerpt | None:
    """The middle of a clip through the codec; all of it where the codec takes no less, or none."""
    num_samples = min(clip.num_samples, round(_EXCERPT_S * clip.rate_hz))
    start = clip.start + (clip.num_samples - num_samples) // 2
    coding = CodingJob(loaded.planned, (clip,), job.channels, job.run_seed, Path())
    seed = coding.seed_of(clip)
    for part in (replace(clip, start=start, num_samples=num_samples), clip):
        try:
            source = source_of(coding, part)
            parts = _encoded(loaded, source)
            decoded = _decoded(loaded, source, parts, seed)
        except UserError:
            raise
        except Exception:  # noqa: BLE001 - each clip's row will say what is wrong
            continue
        return Excerpt(source, seed, _written(loaded, source, parts, seed), decoded)
    return None


def _differs_again(loaded: LoadedCodec, excerpt: Excerpt) -> str:
    """How decoding and encoding once more differs, in words; empty if it does not."""
    source, seed = excerpt.source, excerpt.seed
    kept = read(excerpt.data, lambda header: PACKED).parts
    again = _decoded(loaded, source, kept, seed)
    if found := difference(loaded.planned, excerpt.decoded, again):
        return (
            f"decoding the same codes twice gave {found}: randomness that does not follow from "
            "the seed, or a state that is not in the codes"
        )
    if loaded.planned.device == CUDA:  # where rounding may turn a code
        return ""
    if _written(loaded, source, _encoded(loaded, source), seed) != excerpt.data:
        return (
            "encoding the same signal twice gave other bits: randomness, or a state that other "
            "signals left behind"
        )
    return ""


def verify(job: VerifyJob) -> list[object]:
    """Decode from the bytes alone, temporary files of the first process out of sight; rows."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            return [_row(point, point.reason or _differs_here(point)) for point in job.points]
        finally:
            unload()  # the next model to be checked is another, or there is none
            tempfile.tempdir = None
            os.environ.pop("TMPDIR")
            os.environ.update({} if before is None else {"TMPDIR": before})


def lost(job: VerifyJob, reason: str) -> list[object]:
    """The rows of points that no process survives to decode."""
    return [_row(point, f"another process cannot decode it: {reason}") for point in job.points]


def _row(point: Point, reason: str) -> SpotCheck:
    said = f"spot check: {reason}" if reason else ""
    return SpotCheck(point.codec.spec.name, len(point.excerpts), not reason, said)


def _differs_here(point: Point) -> str:
    """How decoding in this process differs, in words; empty if it does not."""
    for excerpt in point.excerpts:
        try:
            bitstream = read(excerpt.data, lambda header: PACKED)
            decoded = decode_bitstream(bitstream, load(point.codec))
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            if is_out_of_memory(error):
                return ""  # which says nothing of the codec
            return (
                f"another process cannot decode what was written ({error}): the decoder needs "
                "more than was encoded"
            )
        if found := difference(point.codec, excerpt.decoded, decoded):
            return (
                f"another process decoded what was written to {found}: the decoder uses more than "
                "was encoded, or randomness that is not declared"
            )
    return ""


def difference(codec: PlannedCodec, first: Audio, second: Audio) -> str:
    """How two decodes differ, bit for bit, in words; on a GPU beyond the rounding of sums."""
    if first.samples.shape != second.samples.shape:
        return f"{second.num_samples} samples in place of {first.num_samples}"
    if np.array_equal(first.samples, second.samples):
        return ""
    error = second.samples.astype(np.float64) - first.samples
    noise, power = (float(np.square(x, dtype=np.float64).sum()) for x in (error, first.samples))
    if codec.device == CUDA and noise <= power * 10 ** (-_CUDA_SNR_DB / 10):
        return ""
    return f"other audio (by up to {float(np.abs(error).max()):.2g} of full scale)"


def _encoded(loaded: LoadedCodec, source: Source) -> list[Encoded]:
    with loaded.computing():
        return [loaded.codec.encode(audio) for audio in source.inputs]


def _decoded(loaded: LoadedCodec, source: Source, parts: Sequence[Encoded], seed: int) -> Audio:
    with loaded.computing():
        decoded = [loaded.codec.decode(part, seed=seed + i) for i, part in enumerate(parts)]
    for audio, output in zip(source.inputs, decoded, strict=True):
        check_contract(loaded.planned.spec, audio, output)
    return decoded_signal(decoded, source.audio.channels)


def _written(loaded: LoadedCodec, source: Source, parts: Sequence[Encoded], seed: int) -> bytes:
    """The bytes of a .sncb file; a BitstreamError if that is not what a codec may encode."""
    spec = loaded.planned.spec
    try:
        coded = bitstream_of(spec, source.audio, source.channel_mode, parts, seed=seed)
        return write(coded, PACKED)
    except Exception as error:
        raise BitstreamError(str(error)) from error
