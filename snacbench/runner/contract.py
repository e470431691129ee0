"""What every codec promises, checked for its author by ``snacbench check-codec NAME``.

Each check raises `CodecError`. The last one is that of every run (`preparing`).
"""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from snacbench.audio.channels import downmix
from snacbench.bitstream.container import read, write
from snacbench.errors import CodecError, UserError
from snacbench.rate.bits import MOST_PADDING_FRAMES, bits_of
from snacbench.rate.coding.coders import PACKED
from snacbench.request import Request
from snacbench.rows import SpotCheck
from snacbench.runner.bitstreams import bitstream_of, check_contract, check_fits
from snacbench.runner.loading import BatchCodec, load
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.pool import run_all
from snacbench.runner.preparing import VerifyJob, clips_to_check, point_of, residual_delay
from snacbench.store.jsonl import from_json, to_jsonable
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, Codec, CodecSpec, nominal_kbps_of
from snacbench.units import lateness

LENGTHS = (1, 10, 319, 320, 321, 4_801, 24_000)  # below a frame, about one, and many
_MOST_PADDING = 1.2  # of the nominal rate, on 2 s
_EQUAL_CODES, _BATCH_SNR_DB = 0.95, 60.0  # rounding may turn a few codes
_SHIFT_S = 0.002  # what mode switching and strided convolutions leave stays below


@dataclass(frozen=True)
class Finding:
    """What came of one check of one operating point; `reason` is empty where it passed."""

    codec: str
    check: str
    reason: str = ""


def check_codec(planned: PlannedCodec) -> Iterator[Finding]:
    """Every check on an operating point whose weights are on disk."""
    name = planned.spec.name
    try:
        codec = load(planned).codec
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
        yield Finding(name, "loading", f"{type(error).__name__}: {error}")
        return
    checks: dict[str, Callable[[], None]] = {
        "specification": partial(check_spec, planned.spec),
        **{f"{n} samples": partial(check_length, codec, n) for n in LENGTHS},
        "decoding by codes and seed alone": partial(check_decoding, codec),
        "codes and rates": partial(check_codes, codec),
        "silence and full scale": partial(check_extremes, codec),
        "written and read again": partial(check_written, codec),
        "delay removed": partial(check_delay, codec),
        "batches as alone": partial(check_batches, codec),
        "codes nested in those of the highest point": partial(check_nested, planned),
        "another process": partial(check_elsewhere, planned),
    }
    for what, check in checks.items():
        reason = ""
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            kind = "" if isinstance(error, CodecError) else f"{type(error).__name__}: "
            reason = f"{kind}{error}"
        yield Finding(name, what, reason)


def check_spec(spec: CodecSpec) -> None:
    """A specification can be written down, is complete, and states the rate of its streams."""
    kept = from_json(json.dumps(to_jsonable(spec)), CodecSpec, origin=spec.name)
    _require(kept == spec, "it is not the same once written")
    for field in ("licence", "citation"):
        _require(bool(getattr(spec, field)), f"it states no {field}")
    stated, expected = spec.nominal_kbps, nominal_kbps_of(spec.streams)
    if spec.max_segment_frames > 1:  # there is no rate but a mean, of material of the authors'
        return
    _require(not spec.streams or stated is not None, "it has streams and states no nominal_kbps")
    # EnCodec's authors state rates without the overlap of the 48 kHz model's segments.
    if spec.streams and stated is not None and spec.family != "encodec":
        _require(
            math.isclose(stated, expected, rel_tol=1e-6),
            f"nominal_kbps is {stated:g} and its streams make {expected:g}",
        )


def check_length(codec: Codec, num_samples: int) -> None:
    """Length, channels and rate come back exactly, from one sample up."""
    full = signal_for(codec, 3.0)  # 24,000 samples even at 8 kHz
    audio = Audio(full.samples[:, :num_samples], full.rate_hz)
    _require(isinstance(codec, Codec), "it lacks spec, encode or decode")
    encoded = codec.encode(audio)
    _require(
        encoded.num_samples == num_samples,
        f"Encoded.num_samples is {encoded.num_samples} for a signal of {num_samples}",
    )
    check_contract(codec.spec, [audio], [codec.decode(encoded, seed=1)])


def check_decoding(codec: Codec) -> None:
    """What is decoded depends on the codes and the seed, and on the seed only if that is said."""
    encoded = codec.encode(signal_for(codec, 0.7))
    first = codec.decode(encoded, seed=5)
    codec.decode(codec.encode(signal_for(codec, 0.4, seed=9)), seed=77)  # leaves no trace
    _require(
        _alike(first, codec.decode(encoded, seed=5)),
        "the same codes and seed gave other audio after another signal was coded",
    )
    same = _alike(first, codec.decode(encoded, seed=6))
    _require(
        codec.spec.stochastic != same,
        "another seed gave the same audio: leave stochastic=True out"
        if same
        else "another seed gave other audio: declare stochastic=True",
    )


def check_codes(codec: Codec) -> None:
    """Codes have the spec's streams, frames and codebooks, and their bits make its rate."""
    spec, audio = codec.spec, signal_for(codec, 2.0)
    encoded = codec.encode(audio)
    bits = bits_of(encoded, spec)
    _require(bits.total > 0, "no bits were counted: what the decoder needs must be in Encoded")
    for index, (codes, stream) in enumerate(zip(encoded.codes, spec.streams, strict=True)):
        expected = float(stream.frame_rate_hz) * audio.duration_s
        _require(codes.dtype == np.int32, f"stream {index} holds {codes.dtype}, expected int32")
        least = expected / spec.max_segment_frames
        _require(
            codes.ndim == 2 and least <= codes.shape[1] <= expected + MOST_PADDING_FRAMES,
            f"stream {index} has the shape {codes.shape}, expected (channels, {expected:g} frames "
            "or a few more)",
        )
    if spec.streams and spec.nominal_kbps is not None and spec.max_segment_frames == 1:
        actual_kbps = bits.total / audio.duration_s / 1000
        _require(
            spec.nominal_kbps - 1e-9 <= actual_kbps <= _MOST_PADDING * spec.nominal_kbps,
            f"{actual_kbps:.4g} kbps were spent on 2 s, and it states {spec.nominal_kbps:.4g}",
        )


def check_extremes(codec: Codec) -> None:
    """Silence and full scale are coded like anything else, to samples that are finite."""
    like = signal_for(codec, 0.5)
    for value in (0.0, 1.0, -1.0):
        audio = Audio(np.full_like(like.samples, value), like.rate_hz)
        codec.decode(codec.encode(audio), seed=0)  # `Audio` refuses what is not finite


def check_written(codec: Codec) -> None:
    """A signal is encoded to the same .sncb file again, and is decoded from it to the same."""
    audio, spec = signal_for(codec, 0.5), codec.spec
    before = audio.samples.copy()
    encoded = codec.encode(audio)
    mode = {1: "mono", 2: "stereo"}.get(audio.channels, "all channels")
    try:
        data, again = (
            write(bitstream_of(spec, audio, mode, [one], seed=3), PACKED)
            for one in (encoded, codec.encode(audio))
        )
        kept = read(data)
        check_fits(kept, spec)
    except UserError as error:
        raise CodecError(str(error)) from error
    _require(np.array_equal(audio.samples, before), "encode changes its input")
    _require(data == again, "the same signal was encoded to something else the second time")
    _require(
        _alike(codec.decode(encoded, seed=3), codec.decode(kept.parts[0], seed=3)),
        "what was encoded, written and read again decodes to other audio",
    )


def check_delay(codec: Codec) -> None:
    """Decoded audio is not late or early, where it resembles the signal enough to tell."""
    audio = signal_for(codec, 1.5)
    decoded = codec.decode(codec.encode(audio), seed=0)
    found = residual_delay(codec.spec.name, [(downmix(audio), downmix(decoded))])
    _require(
        abs(found.delay_s) <= _SHIFT_S,  # 0 where none is found
        f"decoded audio comes {lateness(found.delay_s)}; decode must remove the delay that the "
        "codec knows of",
    )


def check_batches(codec: Codec) -> None:
    """Signals in a batch come out as alone but for rounding; of codecs that take batches."""
    if not isinstance(codec, BatchCodec):
        return
    signals = [signal_for(codec, 0.5, seed=seed) for seed in (1, 2)]
    together = codec.encode_batch(signals)
    decoded = codec.decode_batch(together, seeds=[1, 2])
    for signal, encoded, output, seed in zip(signals, together, decoded, (1, 2), strict=True):
        pairs = list(zip(encoded.codes, codec.encode(signal).codes, strict=True))
        equal = sum(int((a == b).sum()) for a, b in pairs if a.shape == b.shape)
        total = sum(a.size for a, _ in pairs)
        _require(
            equal >= _EQUAL_CODES * total,
            f"{equal} of {total} codes of a signal in a batch are those that it gets alone",
        )
        alone = codec.decode(encoded, seed=seed)
        check_contract(codec.spec, [encoded], [output])
        error = float(np.square(output.samples - alone.samples).sum())
        power = float(np.square(alone.samples).sum())
        _require(
            error <= power * 10 ** (-_BATCH_SNR_DB / 10),
            f"a signal decoded in a batch is not what it is alone within {_BATCH_SNR_DB:g} dB",
        )


def check_nested(planned: PlannedCodec) -> None:
    """Codes are the first streams of those at the highest point; of models that say so."""
    spec, highest = planned.spec, planned.model.points[-1:]
    if not planned.model.nested or len(spec.streams) == len(highest[0].streams):
        return
    signal = signal_for(load(planned).codec, 0.7)
    ours = load(planned).codec.encode(signal)
    full = replace(highest[0], model=spec.model, weights=spec.weights)
    deepest = load(replace(planned, spec=full)).codec.encode(signal)
    _require(
        ours.side_info == deepest.side_info
        and np.array_equal(ours.segment_lengths, deepest.segment_lengths)  # type: ignore[arg-type]
        and all(map(np.array_equal, ours.codes, deepest.codes)),
        f"its codes are not the first {len(ours.codes)} streams of those of {full.name}: leave "
        "nested=True out",
    )


def check_elsewhere(planned: PlannedCodec) -> None:
    """The spot check of every run, on clips of the embedded set."""
    clips = clips_to_check(NAMED_SETS["quick"].build().clips, planned.spec.name, seed=0)
    point = point_of(planned, clips, Request())
    ((row,),) = run_all([VerifyJob((point,))], log=Path(os.devnull))
    assert isinstance(row, SpotCheck)
    _require(row.passed, row.reason)
    _require(row.excerpts > 0, "it can code none of the clips of the embedded set")


def signal_for(codec: Codec, duration_s: float, *, seed: int = 0) -> Audio:
    """Noise with a slow envelope and a falling spectrum, at a codec's rate and channels."""
    rate_hz, rng = codec.spec.rate_hz or 44_100, np.random.default_rng(seed)
    shape = (max(codec.spec.channels or (1,)), round(duration_s * rate_hz))
    white = rng.standard_normal(shape)
    falling = white + 0.1 * np.cumsum(white, axis=1)
    falling -= falling.mean(axis=1, keepdims=True)
    noise = falling * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(shape[1]) / rate_hz))
    return Audio((0.5 * noise / np.abs(noise).max()).astype(np.float32), rate_hz)


def _alike(one: Audio, other: Audio) -> bool:
    return np.array_equal(one.samples, other.samples)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CodecError(otherwise)
