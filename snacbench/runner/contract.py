"""What every codec promises, as checks that its author can run: ``snacbench check-codec NAME``.

Each check raises `CodecError` where a promise is broken.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from snacbench.audio.align import cross_correlation
from snacbench.audio.channels import downmix
from snacbench.bitstream.container import read, write
from snacbench.errors import CodecError, UserError
from snacbench.rate.bits import bits_of
from snacbench.rate.coding.packed import PACKED
from snacbench.rows import SpotCheck
from snacbench.runner.bitstreams import bitstream_of, check_contract, check_fits
from snacbench.runner.loading import BatchCodec, load
from snacbench.runner.plan import PlannedCodec
from snacbench.runner.spot import Point, SpotJob, VerifyJob, clips_to_check, encode_points, verify
from snacbench.store.rows import from_json, to_jsonable
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, Codec, CodecSpec, nominal_kbps_of

LENGTHS = (1, 10, 319, 320, 321, 4_801, 24_000)
_ANY_RATE_HZ = 44_100
_SPARE_FRAMES = 8
_MOST_PADDING = 1.2  # of the nominal rate, on 2 s
_MAX_LAG_S = 0.5
_CLEAR_CORRELATION = 0.5
_EQUAL_CODES, _BATCH_SNR_DB = 0.95, 60.0  # rounding may turn a few codes
_SHIFT_S = 0.002  # what mode switching and strided convolutions leave stays below


@dataclass(frozen=True)
class Finding:
    """What came of one check of one operating point; `reason` is empty where it passed."""

    codec: str
    check: str
    reason: str = ""


def check_codec(planned: PlannedCodec) -> Iterator[Finding]:
    """Every check on an operating point whose weights are on disk.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
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
        "encoding the same again": partial(check_encoding, codec),
        "codes and rates": partial(check_codes, codec),
        "silence and full scale": partial(check_extremes, codec),
        "written and read again": partial(check_written, codec),
        "delay removed": partial(check_delay, codec),
        "batches as alone": partial(check_batches, codec),
        "another process": partial(check_elsewhere, planned),
    }
    for what, check in checks.items():
        reason = ""
        try:
            check()
        except CodecError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            reason = f"{type(error).__name__}: {error}"
        yield Finding(name, what, reason)


def check_spec(spec: CodecSpec) -> None:
    """A specification can be written down, is complete, and states the rate of its streams."""
    kept = from_json(json.dumps(to_jsonable(spec)), CodecSpec, origin=spec.name)
    _require(kept == spec, "it is not the same once written")
    for field in ("licence", "citation"):
        _require(bool(getattr(spec, field)), f"it states no {field}")
    stated, expected = spec.nominal_kbps, nominal_kbps_of(spec.streams)
    _require(not spec.streams or stated is not None, "it has streams and states no nominal_kbps")
    # EnCodec's authors state rates without the overlap of the 48 kHz model's segments.
    if spec.streams and stated is not None and spec.family != "encodec":
        _require(
            math.isclose(stated, expected, rel_tol=1e-6),
            f"nominal_kbps is {stated:g} and its streams make {expected:g}",
        )
    _require(
        spec.demonstration == spec.model.endswith("-mini"),
        "demonstration models, and no others, have names that end in -mini",
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
    check_contract(codec.spec, audio, codec.decode(encoded, seed=1))


def check_decoding(codec: Codec) -> None:
    """What is decoded depends on the codes and the seed, and on the seed only if that is said."""
    encoded = codec.encode(signal_for(codec, 0.7))
    first = codec.decode(encoded, seed=5)
    codec.decode(codec.encode(signal_for(codec, 0.4, seed=9)), seed=77)  # leaves no trace
    again = codec.decode(encoded, seed=5)
    _require(
        np.array_equal(first.samples, again.samples),
        "the same codes and seed gave other audio after another signal was coded",
    )
    same = np.array_equal(first.samples, codec.decode(encoded, seed=6).samples)
    _require(
        codec.spec.stochastic != same,
        "another seed gave the same audio: leave stochastic=True out"
        if same
        else "another seed gave other audio: declare stochastic=True",
    )


def check_encoding(codec: Codec) -> None:
    """The same signal is encoded the same again, and is left as it was."""
    audio = signal_for(codec, 0.5)
    before = hashlib.sha256(audio.samples.tobytes()).digest()
    one, two = codec.encode(audio), codec.encode(audio)
    _require(hashlib.sha256(audio.samples.tobytes()).digest() == before, "encode changes its input")
    same = (one.packets, one.side_info) == (two.packets, two.side_info) and all(
        np.array_equal(a, b) for a, b in zip(one.codes, two.codes, strict=True)
    )
    _require(same, "the same signal was encoded to something else the second time")


def check_codes(codec: Codec) -> None:
    """Codes have the spec's streams, frames and codebooks, and their bits make its rate."""
    spec, audio = codec.spec, signal_for(codec, 2.0)
    encoded = codec.encode(audio)
    bits = bits_of(encoded, spec)
    _require(bits.total > 0, "no bits were counted: what the decoder needs must be in Encoded")
    for index, (codes, stream) in enumerate(zip(encoded.codes, spec.streams, strict=True)):
        expected = float(stream.frame_rate_hz) * audio.duration_s
        _require(codes.dtype == np.int32, f"stream {index} holds {codes.dtype}, expected int32")
        _require(
            codes.ndim == 2 and expected <= codes.shape[1] <= expected + _SPARE_FRAMES,
            f"stream {index} has the shape {codes.shape}, expected (channels, {expected:g} frames "
            "or a few more)",
        )
    if spec.streams and spec.nominal_kbps is not None:
        actual_kbps = bits.total / audio.duration_s / 1000
        _require(
            spec.nominal_kbps - 1e-9 <= actual_kbps <= _MOST_PADDING * spec.nominal_kbps,
            f"{actual_kbps:.4g} kbps were spent on 2 s, and it states {spec.nominal_kbps:.4g}",
        )


def check_extremes(codec: Codec) -> None:
    """Silence and full scale are coded like anything else."""
    rate_hz = codec.spec.rate_hz or _ANY_RATE_HZ
    for value in (0.0, 1.0, -1.0):
        audio = Audio(np.full((_channels(codec), rate_hz // 2), value, np.float32), rate_hz)
        decoded = codec.decode(codec.encode(audio), seed=0)
        finite = bool(np.isfinite(decoded.samples).all())
        _require(finite, f"a signal of {value:g} gives no finite one")


def check_written(codec: Codec) -> None:
    """What was encoded can be written as a .sncb file, and is decoded from it to the same."""
    audio, spec = signal_for(codec, 0.5), codec.spec
    encoded = codec.encode(audio)
    mode = {1: "mono", 2: "stereo"}.get(audio.channels, "all channels")
    try:
        bitstream = bitstream_of(spec, audio, mode, [encoded], seed=3)
        kept = read(write(bitstream, PACKED), lambda header: PACKED)
        check_fits(kept, spec)
    except UserError as error:
        raise CodecError(str(error)) from error
    (part,) = kept.parts
    same = np.array_equal(codec.decode(encoded, seed=3).samples, codec.decode(part, seed=3).samples)
    _require(same, "what was encoded, written and read again decodes to other audio")


def check_delay(codec: Codec) -> None:
    """Decoded audio is not late or early, where it resembles the signal enough to tell."""
    audio = signal_for(codec, 1.5)
    decoded = codec.decode(codec.encode(audio), seed=0)
    max_lag = round(_MAX_LAG_S * audio.rate_hz)
    curve = cross_correlation(reference=downmix(audio), degraded=downmix(decoded), max_lag=max_lag)
    shift_s = (int(np.argmax(curve)) - max_lag) / audio.rate_hz
    _require(
        curve.max() < _CLEAR_CORRELATION or abs(shift_s) <= _SHIFT_S,
        f"decoded audio comes {abs(shift_s) * 1000:.1f} ms {'late' if shift_s > 0 else 'early'}; "
        "decode must remove the delay that the codec knows of",
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
        check_contract(codec.spec, encoded, output)
        error = float(np.square(output.samples - alone.samples).sum())
        power = float(np.square(alone.samples).sum())
        _require(
            error <= power * 10 ** (-_BATCH_SNR_DB / 10),
            f"a signal decoded in a batch is not what it is alone within {_BATCH_SNR_DB:g} dB",
        )


def check_elsewhere(planned: PlannedCodec) -> None:
    """The spot check of every run, on clips of the embedded set."""
    clips = clips_to_check(NAMED_SETS["quick"].build().clips, planned.spec.name, seed=0)
    job = SpotJob(((planned, clips),), "mono", 0)
    points = [point for point in encode_points(job) if isinstance(point, Point)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        rows = other.submit(verify, VerifyJob(tuple(points))).result()
    for row in rows:
        assert isinstance(row, SpotCheck)
        _require(row.passed, row.reason)
        _require(row.excerpts > 0, "it can code none of the clips of the embedded set")


def signal_for(codec: Codec, duration_s: float, *, seed: int = 0) -> Audio:
    """Noise with a slow envelope and a falling spectrum, at a codec's rate and channels."""
    rate_hz, rng = codec.spec.rate_hz or _ANY_RATE_HZ, np.random.default_rng(seed)
    shape = (_channels(codec), round(duration_s * rate_hz))
    white = rng.standard_normal(shape)
    falling = white + 0.1 * np.cumsum(white, axis=1)
    falling -= falling.mean(axis=1, keepdims=True)
    noise = falling * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(shape[1]) / rate_hz))
    return Audio((0.5 * noise / np.abs(noise).max()).astype(np.float32), rate_hz)


def _channels(codec: Codec) -> int:
    return max(codec.spec.channels or (1,))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CodecError(otherwise)
