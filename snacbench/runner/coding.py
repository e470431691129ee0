"""One clip through one codec, in a worker process: resample, encode, decode, write, weigh."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.audio.io import read_clip, sha256_of_file, write_flac
from snacbench.errors import CodecError, SnacbenchError, UserError
from snacbench.models import LocatedWeights
from snacbench.rate.bits import bits_of
from snacbench.rate.histogram import histograms_of
from snacbench.rows import Bits, Coded, CodeHistogram
from snacbench.runner.seeds import row_seed
from snacbench.runner.signals import Channels, codec_inputs, decoded_signal, source_signal
from snacbench.selectors import model_named
from snacbench.types import Audio, Clip, Codec, CodecSpec, Encoded

_WARM_UP_S = 0.5


@dataclass(frozen=True)
class CodecHandle:
    """All that a worker needs to load a codec; small enough to send with every job."""

    selector: str
    spec: CodecSpec
    weights: LocatedWeights | None
    device: str


@dataclass(frozen=True)
class CodingJob:
    """One clip for one codec."""

    codec: CodecHandle
    clip: Clip
    channels: Channels
    run_seed: int
    target: Path
    run_folder: Path


@dataclass(frozen=True)
class _Timed:
    encoded: list[Encoded]
    decoded: list[Audio]
    encode_s: float
    decode_s: float


class _Loaded:
    """The one codec that this worker holds: models go one after another to bound memory."""

    key: tuple[str, str] | None = None
    codec: Codec | None = None
    warm = False


def load(handle: CodecHandle) -> Codec:
    """The codec of a handle, kept until another one is asked for.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
    key = (handle.spec.name, handle.device)
    if _Loaded.codec is None or _Loaded.key != key:
        _Loaded.codec, _Loaded.key, _Loaded.warm = None, None, False
        model = model_named(handle.selector)
        if "torch" in model.requires:
            import torch

            torch.set_num_threads(1)
        _Loaded.codec = model.load(handle.spec, handle.weights, handle.device)
        _Loaded.key = key
    return _Loaded.codec


def code_clip(job: CodingJob) -> tuple[Coded, tuple[CodeHistogram, ...]]:
    """Code one clip and write what was decoded; a failure of this clip becomes a row.

    Raises
    ------
    UserError
        If no clip can be coded: the disk is full, the weights are wrong.
    """
    spec, clip = job.codec.spec, job.clip
    try:
        return _code(job)
    except UserError:
        raise
    except SnacbenchError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises is a failed row
        reason = f"{type(error).__name__}: {error}"
    return Coded(clip.id, spec.name, "failed", reason, clip.domain, clip.duration_s), ()


def _code(job: CodingJob) -> tuple[Coded, tuple[CodeHistogram, ...]]:
    spec, clip = job.codec.spec, job.clip
    source = source_signal(read_clip(clip), job.channels)
    inputs, channel_mode = codec_inputs(source, spec)
    codec = load(job.codec)
    seed = row_seed(job.run_seed, codec=spec.name, clip=clip.id)
    if not _Loaded.warm:
        _warm_up(codec, inputs[0])
        _Loaded.warm = True
    timed = _run(codec, inputs, seed=seed, device=job.codec.device)
    bits = sum((bits_of(encoded, spec) for encoded in timed.encoded), Bits())
    clipped = write_flac(job.target, decoded_signal(timed.decoded, source.channels))
    row = Coded(
        clip=clip.id,
        codec=spec.name,
        status="ok",
        domain=clip.domain,
        duration_s=source.duration_s,
        bits=bits,
        decoded=job.target.relative_to(job.run_folder).as_posix(),
        decoded_sha256=sha256_of_file(job.target),
        decoded_rate_hz=timed.decoded[0].rate_hz,
        channel_mode=channel_mode,
        encode_s=timed.encode_s,
        decode_s=timed.decode_s,
        clipped_samples=clipped,
        seed=seed if spec.stochastic else None,
    )
    return row, histograms_of(timed.encoded, clip=clip.id, spec=spec)


def _warm_up(codec: Codec, audio: Audio) -> None:
    """The first call pays for memory and code that later ones find ready; it is not timed."""
    start = max(1, round(_WARM_UP_S * audio.rate_hz))
    codec.decode(codec.encode(Audio(audio.samples[:, :start], audio.rate_hz)), seed=0)


def _run(codec: Codec, inputs: Sequence[Audio], *, seed: int, device: str) -> _Timed:
    started = _now(device)
    encoded = [codec.encode(audio) for audio in inputs]
    between = _now(device)
    decoded = [codec.decode(e, seed=seed + index) for index, e in enumerate(encoded)]
    ended = _now(device)
    for audio, output in zip(inputs, decoded, strict=True):
        _check_contract(codec.spec, audio, output)
    return _Timed(encoded, decoded, between - started, ended - between)


def _now(device: str) -> float:
    """Wall-clock seconds; on a GPU, once it has finished what was asked of it."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def _check_contract(spec: CodecSpec, audio: Audio, output: Audio) -> None:
    """A codec returns what it was given in shape: a wrong length would shift every score."""
    given = (audio.channels, audio.num_samples, audio.rate_hz)
    returned = (output.channels, output.num_samples, output.rate_hz)
    if given != returned:
        raise CodecError(
            f"{spec.name} returned {returned} (channels, samples, Hz) for {given}; a codec must "
            "return the length, channels and rate it was given"
        )
