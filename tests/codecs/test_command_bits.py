"""Weighing coded files: Ogg packets, frames filled up to bytes, headers, printed numbers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from snacbench.codecs._command_bits import ogg_packet_sizes, payload_bits
from snacbench.codecs._command_file import FileSize, Frames, OggPackets, Printed
from snacbench.codecs._command_run import Call
from snacbench.errors import CodecError


def ogg(pages: Sequence[Sequence[bytes]], *, serials: Sequence[int] = ()) -> bytes:
    """An Ogg file of complete packets; a packet of n x 255 bytes ends with an empty segment."""
    out = b""
    for number, packets in enumerate(pages):
        lacing = b"".join(bytes([255] * (len(p) // 255) + [len(p) % 255]) for p in packets)
        serial = serials[number] if serials else 7
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 0, serial, number, 0, len(lacing))
        out += head + lacing + b"".join(packets)
    return out


def spanning(packet: bytes) -> bytes:
    """One packet that begins on one page and ends on the next."""
    first = struct.pack("<4sBBqIIIB", b"OggS", 0, 0, 0, 7, 0, 0, 1) + b"\xff" + packet[:255]
    return first + ogg([[packet[255:]]])


def call(tmp_path: Path, **values: Any) -> Call:
    return Call("toy", tmp_path, values, timeout_s=10.0)


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (ogg([[b"x" * 19], [b"y" * 60], [b"a" * 30, b"b" * 31]]), [19, 60, 30, 31]),
        (ogg([[b"x" * 255, b"", b"y" * 510, b"z"]]), [255, 0, 510, 1]),
        (spanning(b"x" * 300), [300]),
        (spanning(b"x" * 255), [255]),
        (b"", []),
    ],
)
def test_packet_sizes_follow_from_the_lacing_values(data: bytes, sizes: list[int]) -> None:
    if data:
        assert ogg_packet_sizes(data) == sizes
    else:
        with pytest.raises(CodecError, match="holds 0 streams, expected one"):
            ogg_packet_sizes(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"RIFF" + bytes(100), "no Ogg stream: no page at byte 0"),
        (ogg([[b"x"]]) + b"Ogg", r"no Ogg stream: no page at byte 29"),
        (ogg([[b"x" * 50]])[:-1], "ends within a packet, after 77 bytes"),
        (spanning(b"x" * 300)[:283], "ends within a packet, after 283 bytes"),
        (ogg([[b"x"], [b"y"]], serials=[1, 2]), "holds 2 streams, expected one"),
    ],
)
def test_what_is_no_single_whole_stream_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(CodecError, match=text):
        ogg_packet_sizes(data)


def test_header_packets_and_pages_do_not_count(tmp_path: Path) -> None:
    data = ogg([[b"h" * 19], [b"t" * 600], [b"a" * 30, b"b" * 31], [b"c" * 5]])
    two = OggPackets(rule="ogg_packets")
    three = OggPackets(rule="ogg_packets", header_packets=3)
    assert payload_bits(data, two, call(tmp_path)) == 8 * (30 + 31 + 5)
    assert payload_bits(data, three, call(tmp_path)) == 8 * (31 + 5)


def test_a_file_counts_without_its_header(tmp_path: Path) -> None:
    data = bytes(100)
    assert payload_bits(data, FileSize(rule="file_size"), call(tmp_path)) == 800
    header = FileSize(rule="file_size", header_bytes=44)
    assert payload_bits(data, header, call(tmp_path)) == 448


@pytest.mark.parametrize("header_bytes", [100, 101])
def test_a_file_with_nothing_but_a_header_is_refused(tmp_path: Path, header_bytes: int) -> None:
    rule = FileSize(rule="file_size", header_bytes=header_bytes)
    with pytest.raises(CodecError, match=r"bits were weighed in a coded file of 100 bytes; check"):
        payload_bits(bytes(100), rule, call(tmp_path))


def test_bits_that_fill_frames_up_do_not_count(tmp_path: Path) -> None:
    frames = b"\xff\xff\xff\xf0" * 3  # 28 bits of 32
    rule = Frames(rule="frames", bytes_per_frame="{bytes}", bits_per_frame="{bits}")
    assert payload_bits(frames, rule, call(tmp_path, bytes=4, bits=28)) == 84
    with pytest.raises(CodecError, match="frames of 4 bytes use more than the first 27 bits"):
        payload_bits(frames, rule, call(tmp_path, bytes=4, bits=27))
    for size in (5, 0):
        with pytest.raises(CodecError, match=f"12 bytes, which are no whole frames of {size}"):
            payload_bits(frames, rule, call(tmp_path, bytes=size, bits=28))


def test_a_program_may_count(tmp_path: Path) -> None:
    rule = Printed(rule="command", command="echo 3 frames, {n} bits")
    assert payload_bits(bytes(10), rule, call(tmp_path, n=75)) == 75
    with pytest.raises(CodecError, match="81 bits were weighed in a coded file of 10 bytes"):
        payload_bits(bytes(10), rule, call(tmp_path, n=81))
    silent = Printed(rule="command", command="echo none")
    with pytest.raises(CodecError, match=r"printed 'none\\n', expected a number"):
        payload_bits(bytes(10), silent, call(tmp_path))
