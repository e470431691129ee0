"""What happens to a clip on its way from encoder to decoder: lost packets, flipped bits."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from snacbench.conditions.condition import Condition, generator
from snacbench.errors import CodecError
from snacbench.later import NDArray, np
from snacbench.types import Audio, CodecSpec, Encoded
from snacbench.units import MS_PER_S, bits_per_code

SILENCE = "silence"  # the concealment of decoders that leave a hole
_SPARED_BYTES = {"opus": 1, "mp3": 4}  # of each packet: Opus' TOC (RFC 6716, 3.1), MP3's header


def applies(spec: CodecSpec, condition: Condition) -> str:
    """Why an operating point cannot be had under a condition; empty if it can."""
    if condition.stage != "channel":
        return ""
    if spec.max_segment_frames > 1 and condition.kind == "loss":
        return "its codes stand for stretches of different length, and no packets are known"
    if not spec.streams and spec.packet_s is None:
        return "it sends a clip as a whole and not in packets"
    if not spec.streams and condition.option("repeat") is not None:
        return "repeat gives the decoder codes again, and its packets hold none"
    return ""


def transmitted(
    parts: Sequence[Encoded], spec: CodecSpec, condition: Condition, *, seed: int, clip: str
) -> tuple[list[Encoded], float]:
    """What arrives of a clip's parts under a channel condition, and what the condition came to.

    ``loss``: packets of 20 ms, or as `packet` says: of codecs with codes the nearest whole number
    of frames of the slowest stream, half ones up, one at least, and the finer streams' frames with
    them; of others so many of their own (`packet_s`). Which are lost depends on the seed, the clip
    and the packet's number alone (`lost_packets`). Side information arrives. Lost packets are
    empty, and lost codes those of the last frame received, of finer streams at the same place
    within it; of the first one received if none came before; zeros if none came at all. No decoder
    sees a lost code. `lost` has a flag for each frame of the slowest stream, or each packet.
    Realised is the share of lost packets in %.

    ``flips``: each bit of the codes, at whole bits per index, is flipped at the same probability,
    independently; what is flipped at one rate is flipped at every higher one. A code beyond its
    codebook is then taken modulo the codebook's size. Side information is spared, and of packets
    the first byte of Opus' and the header, four bytes, of MP3's; one that its decoder then refuses
    counts as lost. Realised is the share of flipped bits.

    Raises `CodecError` if no packet, or no bit, was sent that could be lost or flipped.
    """
    if condition.stage != "channel" or condition.neutral:
        return list(parts), condition.strength
    if condition.kind == "loss":
        lossy = [_with_losses(part, spec, condition, seed, clip) for part in parts]
        return [part for part, _ in lossy], 100 * lossy[0][1]
    keys = ((seed, clip, index, "flips") for index in range(len(parts)))
    flipped = [_flipped(*pair, spec, condition.strength) for pair in zip(parts, keys, strict=False)]
    changed, bits = (sum(counts) for counts in zip(*(counts for _, counts in flipped), strict=True))
    if not bits:
        raise CodecError("its codec sent nothing of it but headers, and there is no bit to flip")
    return [part for part, _ in flipped], changed / bits


def concealed(
    decoded: Sequence[Audio], parts: Sequence[Encoded], spec: CodecSpec, condition: Condition
) -> list[Audio]:
    """Decoded parts, silent where lost packets would have been heard, if nothing else conceals.

    `parts` are as `transmitted` gave them. Silence is for codecs without concealment of their own
    (of SNAC, DAC, EnCodec and Mimi none was found to be published), and with `zero` for all. With
    `repeat` it is for clips of which nothing arrived. A packet covers whole frames from the
    beginning on, at the slowest stream's mean rate (where EnCodec's segments overlap, up to 10 ms
    off); of codecs that send no codes, as much earlier as their latency exceeds a packet.
    """
    silent = condition.option("zero") is not None and spec.concealment != SILENCE
    silent |= condition.option("repeat") is None and not spec.concealment
    early_s = 0.0 if spec.streams else max(0.0, (spec.latency_s or 0.0) - (spec.packet_s or 0.0))
    heard = []
    for signal, part in zip(decoded, parts, strict=True):
        heard.append(signal)
        if condition.kind == "loss" and part.lost and (silent or all(part.lost)):
            per_frame = signal.rate_hz * _frame_s(spec)  # samples
            at = np.arange(signal.num_samples) + round(early_s * signal.rate_hz)
            frame = at * per_frame.denominator // per_frame.numerator
            lost = np.take(part.lost, np.minimum(frame, len(part.lost) - 1))
            heard[-1] = Audio(np.where(lost, np.float32(0), signal.samples), signal.rate_hz)
    return heard


def lost_packets(count: int, condition: Condition, *, seed: int, clip: str) -> "NDArray[np.bool_]":
    """Which of so many packets of a clip are lost.

    Independent losses: what is lost at one rate is lost at every higher one. With `burst` b, at the
    rate p, Gilbert's chain of two states, all packets in the bad one being lost (Gilbert, Capacity
    of a Burst-Noise Channel, BSTJ 39, 1960), begun in its equilibrium: the bad state ends with
    the probability 1 / b and begins with p / (1 - p) / b.
    """
    drawn = generator(seed, clip, "loss").random(count)
    rate, burst = condition.strength / 100, condition.option("burst")
    lost = drawn < rate
    if burst:
        begins, goes_on = rate / (1 - rate) / float(burst), 1 - 1 / float(burst)
        for i in range(1, count):
            lost[i] = drawn[i] < (goes_on if lost[i - 1] else begins)
    return lost


def _frame_s(spec: CodecSpec) -> Fraction:
    """Duration of a frame of the slowest stream, or of a packet that holds no codes."""
    if spec.streams:
        return 1 / min(stream.frame_rate_hz for stream in spec.streams)
    return Fraction(spec.packet_s or 0).limit_denominator(10**6)


def packet_s(spec: CodecSpec, condition: Condition) -> float:
    """Duration in s of what a codec loses at once, the nearest that it can to what is asked."""
    asked_ms = Fraction((condition.option("packet") or "20ms").removesuffix("ms"))
    frames = math.floor(asked_ms / MS_PER_S / _frame_s(spec) + Fraction(1, 2))
    return float(max(1, frames) * _frame_s(spec))


def _with_losses(
    part: Encoded, spec: CodecSpec, condition: Condition, seed: int, clip: str
) -> tuple[Encoded, float]:
    """What arrives of a part, and the share of packets that does not."""
    frame_s = _frame_s(spec)
    slowest = [i for i, stream in enumerate(spec.streams) if stream.frame_rate_hz * frame_s == 1]
    frames = part.codes[slowest[0]].shape[1] if slowest else len(part.packets)
    if not frames:
        raise CodecError("its codec sent nothing of it, and there is no packet to lose")
    packet = np.arange(frames) // round(packet_s(spec, condition) / frame_s)
    lost_of_packets = lost_packets(int(packet[-1]) + 1, condition, seed=seed, clip=clip)
    lost, share = lost_of_packets[packet], float(np.mean(lost_of_packets))
    arrived, received = replace(part, lost=tuple(map(bool, lost))), np.flatnonzero(~lost)
    if not spec.streams:
        packets = (b"" if gone else p for p, gone in zip(part.packets, lost, strict=True))
        return replace(arrived, packets=tuple(packets)), share
    if not len(received):
        return replace(arrived, codes=tuple(map(np.zeros_like, part.codes))), share
    source = np.maximum.accumulate(np.where(lost, received[0], np.arange(frames)))
    codes = []
    for stream, sent in zip(spec.streams, part.codes, strict=True):
        ratio = stream.frame_rate_hz * frame_s  # of its frames to those of the slowest stream
        first = np.array([math.ceil(frame * ratio) for frame in range(frames + 1)])
        first[-1] = max(first[-1], sent.shape[1])
        at = np.arange(sent.shape[1])
        frame = np.searchsorted(first, at, side="right") - 1
        moved = first[source[frame]] + at - first[frame]
        moved = np.minimum(moved, first[source[frame] + 1] - 1)
        codes.append(sent[:, np.minimum(moved, sent.shape[1] - 1)])
    repeated = condition.option("repeat") is not None
    return replace(arrived, codes=tuple(codes), lost=() if repeated else arrived.lost), share


def _flipped(
    part: Encoded, key: tuple[object, ...], spec: CodecSpec, rate: float
) -> tuple[Encoded, tuple[int, int]]:
    """A part with bits flipped; how many those are, and of how many."""
    codes, packets, changed, bits = [], [], 0, 0
    for index, (stream, sent) in enumerate(zip(spec.streams, part.codes, strict=True)):
        width = bits_per_code(stream.codebook_size)
        flips = generator(*key, index).random((*sent.shape, width)) < rate
        code = (sent ^ (flips @ (1 << np.arange(width)))) % stream.codebook_size
        codes.append(code.astype(np.int32))
        changed, bits = changed + int(flips.sum()), bits + flips.size
    if spec.streams:
        return replace(part, codes=tuple(codes)), (changed, bits)
    spared, random = _SPARED_BYTES.get(spec.model.partition("+")[0], 0), generator(*key)
    for packet in part.packets:
        payload = np.unpackbits(np.frombuffer(packet[spared:], np.uint8))
        flips = random.random(payload.size) < rate
        packets.append(packet[:spared] + np.packbits(payload ^ flips).tobytes())
        changed, bits = changed + int(flips.sum()), bits + flips.size
    # None is lost, yet each may be refused.
    return replace(part, packets=tuple(packets), lost=(False,) * len(packets)), (changed, bits)
