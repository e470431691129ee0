"""How many bits of a coded file are the codec's own, and how many only wrap them."""

from __future__ import annotations

import re
import struct

import numpy as np

from snacbench.codecs._command_file import FileSize, Frames, OggPackets, Printed
from snacbench.codecs._command_run import Call
from snacbench.errors import CodecError
from snacbench.units import BITS_PER_BYTE

# Capture pattern, version, kind, granule position, serial, page number, checksum, lacing values
# (RFC 3533, section 6).
_PAGE = struct.Struct("<4sBBqIIIB")
_FULL_SEGMENT = 255


def payload_bits(coded: bytes, rule: FileSize | Frames | OggPackets | Printed, call: Call) -> int:
    """Bits of a coded file that count, by the rule of the codec's file.

    Raises
    ------
    CodecError
        If the file is not made as the rule says.
    """
    if isinstance(rule, FileSize):
        bits = (len(coded) - call.whole(rule.header_bytes)) * BITS_PER_BYTE
    elif isinstance(rule, Frames):
        bits = _bits_of_frames(
            coded, call.whole(rule.bytes_per_frame), call.whole(rule.bits_per_frame)
        )
    elif isinstance(rule, OggPackets):
        bits = sum(ogg_packet_sizes(coded)[rule.header_packets :]) * BITS_PER_BYTE
    else:
        bits = _printed_number(call.run(rule.command))
    if not 0 < bits <= len(coded) * BITS_PER_BYTE:
        raise CodecError(
            f"{bits} bits were weighed in a coded file of {len(coded)} bytes; check the rule "
            f"{rule.rule!r} under bits"
        )
    return bits


def _bits_of_frames(coded: bytes, bytes_per_frame: int, bits_per_frame: int) -> int:
    """Used bits of frames that are filled up to whole bytes; what is filled in must be zero."""
    if not bytes_per_frame or len(coded) % bytes_per_frame:
        raise CodecError(
            f"the coded file has {len(coded)} bytes, which are no whole frames of "
            f"{bytes_per_frame} bytes"
        )
    frames = np.frombuffer(coded, np.uint8).reshape(-1, bytes_per_frame)
    if np.unpackbits(frames, axis=1)[:, bits_per_frame:].any():
        raise CodecError(
            f"frames of {bytes_per_frame} bytes use more than the first {bits_per_frame} bits"
        )
    return len(frames) * bits_per_frame


def ogg_packet_sizes(data: bytes) -> list[int]:
    """Sizes in bytes of all packets of an Ogg file with one stream, in order.

    Raises
    ------
    CodecError
        If the data is no complete Ogg file, or interleaves several streams.
    """
    sizes: list[int] = []
    begun, position, streams = 0, 0, set()
    while position < len(data):
        head = data[position : position + _PAGE.size]
        if len(head) < _PAGE.size or head[:4] != b"OggS":
            raise CodecError(f"the coded file is no Ogg stream: no page at byte {position}")
        *_, serial, _, _, segments = _PAGE.unpack(head)
        streams.add(serial)
        lacing = data[position + _PAGE.size : position + _PAGE.size + segments]
        for length in lacing:
            begun += length
            if length < _FULL_SEGMENT:
                sizes.append(begun)
                begun = 0
        position += _PAGE.size + segments + sum(lacing)
    if position != len(data) or begun:
        raise CodecError(f"the Ogg stream ends within a packet, after {len(data)} bytes")
    if len(streams) != 1:
        raise CodecError(f"the Ogg file holds {len(streams)} streams, expected one")
    return sizes


def _printed_number(printed: str) -> int:
    found = re.findall(r"\d+", printed)
    if not found:
        raise CodecError(f"the command under bits printed {printed!r:.60}, expected a number")
    return int(found[-1])
