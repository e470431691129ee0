"""What is found out of codecs before their clips: that they keep to their bits, and delay.

A decoder sees what was encoded and the seed, nothing else. In the spot check, of two clips an
excerpt is encoded and decoded, twice, and once more from the written bytes in a process that never
encoded anything.

What delay is left once a codec's declared one is removed (8 samples in some of DAC's models, 3 to 5
in Opus' SILK modes) ruins SI-SDR. It is measured over several broadband excerpts, because the
correlation of one clip may lock onto the pitch of its voice. Codes owe something to the device and
number format: where two codebook entries are almost equally near, the rounding of a sum decides.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from snacbench.audio import align
from snacbench.audio.channels import downmix, upmix
from snacbench.audio.io import read as read_audio
from snacbench.audio.levels import limited
from snacbench.audio.resample import resample
from snacbench.bitstream.container import read, write
from snacbench.errors import BitstreamError, UserError
from snacbench.rate.coding.coders import PACKED
from snacbench.request import Request
from snacbench.rows import Agreement, Calibration, SpotCheck
from snacbench.runner.bitstreams import bitstream_of, check_contract, decode_bitstream
from snacbench.runner.coding import Source, reason_of, row_seed, source_of
from snacbench.runner.loading import LoadedCodec, is_out_of_memory, load, unload
from snacbench.runner.plan import CUDA, PlannedCodec
from snacbench.runner.pool import Job, Rows, without
from snacbench.runner.signal_rules import decoded_signal
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, Clip, CodecSpec, Encoded

_CUDA_SNR_DB = 60.0  # sums on a GPU may be rounded in another order each time


@dataclass(frozen=True)
class PreparationJob(Job):
    """What is to be found out of the operating points of one model.

    `spots` are points for the spot check, each with clips of its own; `delays` those of which the
    delay is measured, each with the names of all that share it; `reduced` those that are compared
    with themselves in full precision.
    """

    request: Request
    spots: tuple[tuple[PlannedCodec, tuple[Clip, ...]], ...] = ()
    delays: tuple[tuple[PlannedCodec, tuple[str, ...]], ...] = ()
    reduced: tuple[PlannedCodec, ...] = ()

    @property
    def steps(self) -> int:
        """How many things it finds out."""
        return len(self.spots) + len(self.delays) + len(self.reduced)

    def run(self) -> Rows:
        """A `Point` for each spot check, which is to be verified; rows of the others.

        Where the codec's own code fails there are none, and each clip's row will say what is wrong;
        a delay was not found then, and its row says why.
        """
        rows: Rows = [point_of(codec, clips, self.request) for codec, clips in self.spots]
        for codec, names in self.delays:
            try:
                pairs = [(downmix(x), downmix(decoded)) for x, _, decoded in _coded(codec)]
                found = residual_delay(codec.spec.name, pairs)
                rows += [replace(found, codec=name) for name in names]
            except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
                rows += replace(self, delays=((codec, names),)).lost(reason_of(error))
        for codec in self.reduced:
            try:
                rows.append(agreement(codec))
            except Exception as error:  # noqa: BLE001 - as above
                reason_of(error)
        return rows

    def apart(self) -> Sequence[Job]:
        """One thing after another."""
        kinds = ("spots", "delays", "reduced")
        parts = [{kind: (one,)} for kind in kinds for one in getattr(self, kind)]
        return [PreparationJob(self.request, **part) for part in parts]

    def lost(self, reason: str) -> Rows:
        """No rows but of delays: a codec that ends its worker will do so on clips."""
        names = [name for _, names in self.delays for name in names]
        return [Calibration(name, 0.0, 0.0, 0.0, found=False, reason=reason) for name in names]


# ---------------------------------------------------------------------------------- spot check
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

    def row(self, reason: str) -> SpotCheck:
        """What came of it; nothing was found where the reason is empty."""
        said = f"spot check: {reason}" if reason else ""
        return SpotCheck(self.codec.spec.name, len(self.excerpts), not reason, said)


@dataclass(frozen=True)
class VerifyJob(Job):
    """What is to be decoded in a process that has encoded nothing."""

    points: tuple[Point, ...]

    def run(self) -> Rows:
        """Decode from the bytes alone, temporary files of the first process out of sight."""
        with tempfile.TemporaryDirectory() as folder, without(os.environ, "TMPDIR"):
            tempfile.tempdir = os.environ["TMPDIR"] = folder
            try:
                return [p.row(p.reason or _differs_elsewhere(p)) for p in self.points]
            finally:
                unload()  # the next model to be checked is another, or there is none
                tempfile.tempdir = None

    def apart(self) -> Sequence[Job]:
        """Point by point."""
        return [VerifyJob((point,)) for point in self.points]

    def lost(self, reason: str) -> Rows:
        """The rows of points that no process survives to decode."""
        return [p.row(f"another process cannot decode it: {reason}") for p in self.points]


def clips_to_check(clips: Sequence[Clip], codec: str, seed: int) -> tuple[Clip, ...]:
    """The clips of an operating point, by hash; more than are checked, for some may not do."""
    by_hash = sorted(clips, key=lambda clip: row_seed(seed, codec=codec, clip=clip.id))
    return tuple(by_hash[:4])  # some clips may be unreadable


def point_of(codec: PlannedCodec, clips: Sequence[Clip], request: Request) -> Point:
    """A point's excerpts; none where its own code fails, as each clip's row will say."""
    excerpts: list[Excerpt] = []
    try:
        loaded = load(codec)
        for clip in clips:
            if len(excerpts) < 2 and (found := _excerpt(loaded, clip, request)):
                excerpts.append(found)
        for excerpt in excerpts:
            source, seed = excerpt.source, excerpt.seed
            again = _decoded(loaded, source, read(excerpt.data).parts, seed)
            if differs := difference(codec, excerpt.decoded, again):
                reason = (
                    f"decoding the same codes twice gave {differs}: randomness that does not "
                    "follow from the seed, or a state that is not in the codes"
                )
                return Point(codec, tuple(excerpts), reason)
            if codec.device == CUDA:  # where rounding may turn a code
                continue
            if _written(loaded, source, loaded.encode(source.inputs), seed) != excerpt.data:
                reason = (
                    "encoding the same signal twice gave other bits: randomness, or a state that "
                    "other signals left behind"
                )
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


def _excerpt(loaded: LoadedCodec, clip: Clip, request: Request) -> Excerpt | None:
    """The middle of a clip through the codec; all of it where the codec takes no less, or none."""
    num_samples = min(clip.num_samples, round(0.5 * clip.rate_hz))
    start = clip.start + (clip.num_samples - num_samples) // 2
    seed = row_seed(request.seed, codec=loaded.planned.spec.name, clip=clip.id)
    for part in (replace(clip, start=start, num_samples=num_samples), clip):
        try:
            source = source_of(part, loaded.planned, request)
            encoded = loaded.encode(source.inputs)
            decoded = _decoded(loaded, source, encoded, seed)
        except UserError:
            raise
        except Exception:  # noqa: BLE001 - each clip's row will say what is wrong
            continue
        return Excerpt(source, seed, _written(loaded, source, encoded, seed), decoded)
    return None


def _differs_elsewhere(point: Point) -> str:
    """How decoding in this process differs, in words; empty if it does not."""
    for excerpt in point.excerpts:
        try:
            bitstream = read(excerpt.data)
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
    error = second.samples.astype(np.float64) - first.samples
    noise, power = (float(np.square(x, dtype=np.float64).sum()) for x in (error, first.samples))
    if not error.any() or (codec.device == CUDA and noise <= power * 10 ** (-_CUDA_SNR_DB / 10)):
        return ""
    return f"other audio (by up to {float(np.abs(error).max()):.2g} of full scale)"


def _decoded(loaded: LoadedCodec, source: Source, parts: Sequence[Encoded], seed: int) -> Audio:
    decoded = loaded.decode(parts, seed=seed)
    check_contract(loaded.planned.spec, source.inputs, decoded)
    return decoded_signal(decoded, source.audio.channels)


def _written(loaded: LoadedCodec, source: Source, parts: Sequence[Encoded], seed: int) -> bytes:
    """The bytes of a .sncb file; a BitstreamError if that is not what a codec may encode."""
    spec = loaded.planned.spec
    try:
        coded = bitstream_of(spec, source.audio, source.channel_mode, parts, seed=seed)
        return write(coded, PACKED)
    except Exception as error:
        raise BitstreamError(str(error)) from error


# -------------------------------------------------------------------------- delay and precision
def _coded(codec: PlannedCodec) -> list[tuple[Audio, Encoded, Audio]]:
    """Excerpts, what they are encoded to, and what that is decoded to."""
    loaded, coded = load(codec), []
    for excerpt in excerpts_for(codec.spec):
        (encoded,) = loaded.encode([excerpt])
        (decoded,) = loaded.decode([encoded], seed=0)
        coded.append((excerpt, encoded, decoded))
    return coded


def excerpts_for(spec: CodecSpec) -> Iterator[Audio]:
    """Broadband excerpts of three domains at a codec's rate and channels."""
    channels = 1 if 1 in (spec.channels or (1,)) else min(spec.channels)
    for excerpt in _material():
        yield upmix(resample(excerpt, spec.rate_hz or 48_000), channels)


@cache
def _material() -> tuple[Audio, ...]:
    """Excerpts of the embedded set, a few per domain, mono."""
    clips, found = NAMED_SETS["quick"].build().clips, []
    for domain in sorted({clip.domain for clip in clips}):
        of_domain = [clip for clip in clips if clip.domain == domain]
        for clip in sorted(of_domain, key=lambda c: -c.rate_hz)[:3]:
            length = min(clip.num_samples, clip.rate_hz)  # 1 s
            start = (clip.num_samples - length) // 2
            found.append(downmix(limited(read_audio(clip.path, start=start, num_samples=length))))
    return tuple(found)


def residual_delay(codec: str, pairs: Iterable[tuple[Audio, Audio]]) -> Calibration:
    """The weighted median of the lags at which each (reference, degraded) pair correlates best.

    Each pair has one rate, and pairs may differ in it. A median, because some excerpts lock onto a
    pitch, and because Opus' delay depends on the mode that it chooses for each.
    """
    lags_s, heights, believed = [], [], []
    for reference, degraded in pairs:
        max_lag = round(align.MAX_DELAY_S * degraded.rate_hz)
        curve = align.cross_correlation(reference=reference, degraded=degraded, max_lag=max_lag)
        match = align.strongest(curve)
        lags_s.append(match.lag / degraded.rate_hz)
        heights.append(match.correlation)
        plain = align.best_lag(reference=reference, degraded=degraded, around=match.lag, reach=0)
        believed.append(match.stands_out or abs(plain.correlation) >= align.PLAINLY_ALIKE)
    weights = np.abs(heights)
    if not weights.sum():
        return Calibration(codec, 0.0, 0.0, 0.0, found=False)
    order = np.argsort(lags_s, kind="stable")
    cumulated = np.cumsum(weights[order])
    delay_s = lags_s[order[np.searchsorted(cumulated, cumulated[-1] / 2)]]
    close = np.abs(np.subtract(lags_s, delay_s)) <= align.WINDOW_S
    correlation, share = float(weights.mean()), float(weights[close].sum() / weights.sum())
    found = bool(weights[close & believed].sum() >= 0.5 * weights.sum())
    inverted = found and float(np.sum(heights)) < 0
    return Calibration(codec, delay_s if found else 0.0, correlation, share, found, inverted)


def agreement(codec: PlannedCodec) -> Agreement:
    """Compare a codec with itself in 32-bit floats on its device.

    On the excerpts on which delay is measured: codes one by one, audio by its signal-to-noise ratio
    in dB.
    """
    other = replace(codec, precision="fp32")
    # One after the other: two models may not fit into the device's memory.
    expected, found = _coded(other), _coded(codec)
    tokens = equal = 0
    signal = noise = 0.0
    for (_, ours, decoded), (_, theirs, wanted) in zip(found, expected, strict=True):
        for a, b in zip(ours.codes, theirs.codes, strict=True):
            tokens += b.size
            equal += int(np.count_nonzero(a == b)) if a.shape == b.shape else 0
        error = decoded.samples - wanted.samples
        signal += float(np.square(wanted.samples, dtype=np.float64).sum())
        noise += float(np.square(error, dtype=np.float64).sum())
    computed, baseline = (f"{of.device} {of.precision}" for of in (codec, other))
    snr_db = float(10 * np.log10(signal / noise)) if noise and signal else None
    return Agreement(codec.spec.name, computed, baseline, tokens, equal, snr_db)
