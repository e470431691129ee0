"""Bits that one `Encoded` really takes, and how often each code occurs in it."""

import math
from collections.abc import Sequence

import numpy as np

from snacbench.errors import CodecError
from snacbench.rows import Bits, CodeHistogram, RateOverTime
from snacbench.types import CodecSpec, Codes, Encoded, Floats
from snacbench.units import BITS_PER_BYTE, BITS_PER_KILOBIT, bits_per_code

MOST_PADDING_FRAMES = 8  # that a codec may send beyond the end of a clip


def check_range(codes: Codes, codebook_size: int, what: str) -> None:
    """Refuse codes outside their codebook (`CodecError`)."""
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < codebook_size:
        raise CodecError(
            f"{what} holds codes from {codes.min()} to {codes.max()}, outside its codebook of "
            f"{codebook_size}"
        )


def bits_of(encoded: Encoded, spec: CodecSpec) -> Bits:
    """Bits of codes (whole bits per index), side information and packets, over all channels.

    Padding frames count: they are in the codes. A container around packets (Ogg) does not. Raises
    `CodecError` for codes or segment lengths that do not fit the spec, or more counted bits than
    the packets have.
    """
    if len(encoded.codes) != len(spec.streams):
        raise CodecError(
            f"{spec.name} returned {len(encoded.codes)} code arrays for {len(spec.streams)} streams"
        )
    code_bits = 0
    for index, (codes, stream) in enumerate(zip(encoded.codes, spec.streams, strict=True)):
        check_range(codes, stream.codebook_size, f"{spec.name} stream {index}")
        code_bits += codes.size * bits_per_code(stream.codebook_size)
    check_segments(encoded, spec)
    held = sum(map(len, encoded.packets)) * BITS_PER_BYTE
    counted = held if encoded.payload_bits is None else encoded.payload_bits
    if not 0 <= counted <= held:
        raise CodecError(f"{spec.name} counts {counted} bits in packets of {held} bits")
    return Bits(code_bits, side_info_bits(encoded, spec.max_segment_frames), counted)


def side_info_bits(encoded: Encoded, max_segment_frames: int) -> int:
    """Bits of side information: its bytes, and the segment lengths at whole bits for each."""
    lengths, bits = encoded.segment_lengths, len(encoded.side_info) * BITS_PER_BYTE
    return bits if lengths is None else bits + lengths.size * bits_per_code(max_segment_frames)


def check_segments(encoded: Encoded, spec: CodecSpec) -> None:
    """Refuse segment lengths that are not the codes', or not those of the clip (`CodecError`).

    Each channel's sum to the base frames of its signal, the last one rounded up, or to at most
    `MOST_PADDING_FRAMES` more. A codec whose decoder predicts them sends none.
    """
    lengths, most = encoded.segment_lengths, spec.max_segment_frames
    if lengths is None:
        return
    rates, shapes = {s.frame_rate_hz for s in spec.streams}, {c.shape for c in encoded.codes}
    if most < 2 or len(rates) != 1:
        wrong = (
            f"with max_segment_frames={most} and {len(rates)} frame rates; declare 2 or more, and 1"
        )
    elif lengths.dtype != np.int32 or shapes != {lengths.shape}:
        wrong = f"{lengths.dtype} {lengths.shape}, expected int32 and the shape of all codes"
    elif not 1 <= int(lengths.min(initial=1)) <= int(lengths.max(initial=1)) <= most:
        wrong = f"from {lengths.min()} to {lengths.max()} frames, expected 1 to {most}"
    else:
        frames = math.ceil(encoded.num_samples * rates.pop() / encoded.rate_hz)
        sums = lengths.sum(axis=1).tolist()
        if frames <= min(sums) and max(sums) <= frames + MOST_PADDING_FRAMES:
            return
        wrong = f"of {sums} frames in all, expected {frames}, or up to {MOST_PADDING_FRAMES} more"
    raise CodecError(f"{spec.name} returned segment lengths {wrong}")


def rate_over_time(parts: Sequence[Encoded], spec: CodecSpec) -> RateOverTime | None:
    """How the rate of a clip varies along it, padding included; `parts` are its channels.

    Of packets of a known duration, or of segments of known lengths, whose bits are spread evenly
    over the segment, and those of other side information over the clip. None for other codecs.
    """
    series: list[Floats] = []  # of each channel, bits frame by frame
    if spec.packet_s and all(p.packets and p.payload_bits is None for p in parts):
        frame_s = spec.packet_s
        series = [np.array([*map(len, p.packets)], float) * BITS_PER_BYTE for p in parts]
    for part in parts:
        if part.segment_lengths is None:
            continue
        frame_s = float(1 / spec.streams[0].frame_rate_hz)
        sizes = [spec.max_segment_frames, *(stream.codebook_size for stream in spec.streams)]
        for lengths in part.segment_lengths:
            bits = np.repeat(sum(map(bits_per_code, sizes)) / lengths, lengths)
            other = len(part.side_info) * BITS_PER_BYTE / len(part.segment_lengths)
            series.append(bits + other / len(bits))
    if not series:
        return None
    shortest = min(map(len, series))  # channels may be padded by a frame more or less
    kbps = np.sum([one[:shortest] for one in series], axis=0) / frame_s / BITS_PER_KILOBIT
    return RateOverTime(*np.percentile(kbps, (5, 50, 95), method="inverted_cdf").tolist())


def histograms_of(
    parts: Sequence[Encoded], *, clip: str, spec: CodecSpec
) -> tuple[CodeHistogram, ...]:
    """One histogram per stream of a clip; `parts` are its channels where each is coded alone."""
    rows = []
    for index, stream in enumerate(spec.streams):
        codes = np.concatenate([part.codes[index].ravel() for part in parts])
        used, counts = np.unique(codes, return_counts=True)
        size, used, counts = stream.codebook_size, used.astype(np.int32), counts.astype(np.int64)
        rows.append(CodeHistogram(clip, spec.name, index, size, used, counts))
    return tuple(rows)
