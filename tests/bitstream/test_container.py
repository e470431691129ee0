"""The container: what goes in comes out, every byte counts, what is wrong is refused."""

import random
import re
import resource
import zlib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snacbench.bitstream import container as sncb
from snacbench.bitstream import wire
from snacbench.bitstream.container import read
from snacbench.errors import BitstreamError, CodecError, StoreError
from snacbench.rate.coding.coders import ENTROPY_CODERS, PACKED, coder_named
from snacbench.types import CodecSpec, Encoded
from tests.support import bitstream_examples as made
from tests.support.bitstream_examples import part

SNAC = made.EXAMPLES["snac"]
WHOLE = sncb.write(SNAC, PACKED)


@pytest.mark.parametrize("name", made.EXAMPLES)
def test_every_damage_is_noticed(name):
    data = sncb.write(made.EXAMPLES[name], PACKED)
    for size in range(1, len(data)):
        refused(data[:size], f"truncated: the file ends after {size}")
    for bit in range(0, 8 * len(data), 3):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(bytes(flipped), r"damaged|truncated|not a \.sncb|version")


digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.text(max_size=40)


rates, channels = st.integers(1, 10_000_000), st.integers(1, 64)
headers = st.builds(
    sncb.Header, codec=names, weights_sha256=st.dictionaries(names, digests, max_size=3),
    codec_rate_hz=rates, rate_hz=rates, channels=channels,
    num_samples=st.integers(1, (1 << 64) - 1), channel_mode=st.sampled_from(sncb.CHANNEL_MODES),
    seed=st.integers(0, (1 << 64) - 1), coder=st.just("packed"), tables_sha256=st.just(""),
)  # fmt: skip


@st.composite
def bitstreams(draw):
    sizes, header = draw(st.lists(st.integers(2, 1 << 16), max_size=5)), draw(headers)
    parts = []
    for seed in draw(st.lists(st.integers(0, 100), min_size=1, max_size=3)):
        packets = draw(st.lists(st.binary(max_size=20), max_size=4))
        frames = [draw(st.integers(0, 20)) for _ in sizes]
        shape = draw(st.integers(1, 1 << 40)), draw(channels), header.codec_rate_hz
        codes = made.random_codes(sizes, frames, channels=draw(st.integers(1, 2)), seed=seed)
        side_info = draw(st.binary(max_size=20))
        bits = draw(st.none() | st.integers(0, 8 * sum(map(len, packets))))
        parts.append(Encoded(*shape, codes, side_info, tuple(packets), bits))
    return sncb.Bitstream(header, tuple(sizes), tuple(parts))


@settings(suppress_health_check=[HealthCheck.too_slow])  # of the first text ever drawn
@given(st.sampled_from([*made.EXAMPLES.values()]) | bitstreams())
def test_any_bitstream_comes_back(original):
    data = sncb.write(original, PACKED)
    again = read(data)
    made.assert_same(again, original)
    assert min(sncb.parse(data).costs.values()) >= 0
    assert sncb.write(again, PACKED) == data


def summary(name):
    return sncb.parse(sncb.write(made.EXAMPLES[name], PACKED))


def test_the_bytes_of_a_file_add_up_and_rates_are_over_the_source():
    found = summary("snac")
    assert found.stream_bytes == (5, 9, 18)  # 12 bits times 3, 6 and 12
    # Length, channels, counted bits, side information, packets: 1 or 2 bytes each; then a run of
    # shapes and one of lengths per stream.
    assert found.costs["container"] == (2 + 1 + 1 + 1 + 1) + (1 + 3 * 3) + (1 + 3 * 2)
    assert (found.costs["codes"], found.costs["file"]) == (32, len(sncb.write(SNAC, PACKED)))
    assert (found.duration_s, found.frames) == (0.05, ((3, 6, 12),))
    assert found.actual_kbps == pytest.approx(12 * 21 / 50)
    assert found.kbps_of(100) == pytest.approx(16.0)
    encodec, opus = summary("encodec"), summary("opus")
    assert (encodec.costs["side_info"], encodec.bits.side_info) == (4, 32)
    assert (opus.costs["packets"], opus.bits.payload) == (44, 44 * 8)
    assert summary("command").bits.payload == 77
    # A byte, and 7 segments of up to 6 frames at 3 bits, in whole bytes for each part.
    segments = summary("segments")
    assert (segments.costs["side_info"], segments.bits.side_info) == (1 + 2 + 1, 8 + 7 * 3)
    assert [p.encoded.segment_lengths.tolist() for p in segments.parts] == [
        [[1, 6, 3, 2, 4]],
        [[6, 6]],
    ]
    assert [sncb.write(made.EXAMPLES[name], PACKED)[4] for name in ("snac", "segments")] == [1, 2]


def refused(data, reason, *tables):
    with pytest.raises(BitstreamError, match=reason):
        read(data, *tables)


@pytest.mark.parametrize(("data", "reason"), [
    (b"RIFF....WAVE", "not a .sncb file: it begins with b'RIFF', expected b'SNCB'"),
    (
        WHOLE[:4] + b"\3" + WHOLE[5:],
        "version 3 of the format and this snacbench reads 1 and 2;",
    ),
    (WHOLE[:60] + bytes([WHOLE[60] ^ 1]) + WHOLE[61:], "damaged: its checksum is not that of"),
    (WHOLE + b"x", "damaged: 1 bytes follow its end"),
    (b"SNCB\x01\x80\x00" + bytes(40), "damaged: its length cannot be read"),
])  # fmt: skip
def test_foreign_newer_and_damaged_files(data, reason):
    refused(data, reason)


def test_coders_travel_in_the_header_and_none_but_theirs_will_do():
    tables, other = made.tables_for(SNAC.codebook_sizes), made.tables_for((8,))
    for name in ENTROPY_CODERS:
        data = sncb.write(SNAC, coder_named(name, tables))
        again = read(data, tables)
        told = replace(SNAC.header, coder=name, tables_sha256=tables.sha256)
        made.assert_same(again, replace(SNAC, header=told))
        shown = tables.sha256[:12]
        refused(data, f"tables of sha256 {shown}... and has none here; give the tables that the")
        refused(data, f"{shown}... and has {other.sha256[:12]} here", other)
        body = made.body_of(data)
        foreign = body.replace(name.encode(), b"x" * len(name), 1)
        refused(made.seal(foreign), "by the coder 'x+', which is unknown here")
        sizes = wire.runs([(4096,)] * 3), wire.runs([(4095,)] * 3)
        refused(
            made.seal(body.replace(*sizes, 1)), "the tables are those of toy@3kbps, with", tables
        )
    body = made.body_of(WHOLE).replace(b"packed", b"static", 1)
    refused(made.seal(body), "the coder static needs tables")
    made.assert_same(read(WHOLE, tables), SNAC)  # which it does not need


@pytest.mark.parametrize(("old", "new", "reason"), [
    # part: num_samples, channels, counted bits, side information, packets, runs of shapes
    (b"\xa0\x06\1\0\0\0\3", b"\0\1\0\0\0\3", "the length of a part is 0, expected 1 to"),
    (b"\xa0\x06\1\0\0\0\3", b"\xa0\x06\1\0\x7f\0\3", "length of the side information is 127"),
    (b"\xa0\x06\1\0\0\0\3", b"\xa0\x06\1\0\0\x7f\3", "the number of packets is 127"),
    (b"\3\1\1\3\1\1\6\1\1\x0c", b"\3\1\1\3\1\1\6\2\1\x0c", "a run of the channels and frames"),
    (b"\1\5\1\x09\1\x12", b"\1\5\1\x09\1\x13", "a stream takes 19 bytes and 18 are left"),
    (b"\1\5\1\x09\1\x12", b"\1\5\1\x09\1\x11", "1 bytes follow the last part"),
    (b"\1\1\x0c", b"\1\1" + wire.number(300_000), "300009 codes in 32 bytes, .* be 294912"),
    (b"weights.pth", b"aeights.pth", "the weights files are not in order"),
    # of the file with segments: the longest, shapes, lengths less 1 at 3 bits
    (b"\x10\6\2\xa0", b"\x10\1\2\xa0", "the longest segment is 1, expected 2 to 65536"),
    (b"\1\2\1\5\2", b"\2\1\1\5\1\1\4\2", "codes of segments are of several shapes, or"),
    (b"\xb4\0\xc0", b"\xf4\0\xc0", "of segment lengths, stream 0 holds codes from 5 to 7"),
    (b"\xb4\0\xc0", b"\xb5\0\xc0", "of segment lengths, stream 0 goes on after its last"),
])  # fmt: skip
def test_impossible_content(old, new, reason):
    whole = (WHOLE, sncb.write(made.EXAMPLES["segments"], PACKED))
    data = next(data for data in whole if made.body_of(data).count(old) == 1)
    content = made.body_of(data).replace(old, new)
    refused(made.seal(content, data[4]), f"not a valid .sncb file: .*{reason}")


SOME, HUGE = part(made.random_codes((8,), (4,))), (1 << 16) + 1
SEGMENTS = replace(SOME, segment_lengths=np.ones((1, 4), np.int32))


@pytest.mark.parametrize(("stream", "reason"), [
    (sncb.Bitstream(made.HEADER, (8,), ()), "the number of parts is 0, expected 1 to 64"),
    (made.bitstream((8,), SOME, channel_mode="swapped"), "is called 'swapped'; a .sncb file"),
    (made.bitstream((8,), SOME, seed=-1), "numbers from 0 to .* found -1"),
    (made.bitstream((8,), SOME, weights_sha256={"a": "ABC"}), "64 hexadecimal .* 'ABC'"),
    (made.bitstream((8,), replace(SOME, rate_hz=8_000)), r"parts at \[8000\] Hz, .* 16000 Hz"),
    (made.bitstream((HUGE,), part(made.random_codes((HUGE,), (1,)))), "codebook sizes is 65537"),
    (made.bitstream((8,), SOME, max_segment_frames=4), "has no segment lengths of up to 4 frames"),
    (made.bitstream((8,), SEGMENTS), r"has \(1, 4\) segment lengths of up to 1 frames for codes"),
    (made.bitstream((8,), SEGMENTS, SOME, max_segment_frames=4), "has no segment .*every code has"),
    (made.bitstream((8,), SEGMENTS, max_segment_frames=HUGE), "the longest segment is 65537"),
    (made.bitstream((2,) * 1025, part((np.zeros((1, 1), np.int32),) * 1025)), "streams is 1025"),
])  # fmt: skip
def test_what_the_format_cannot_hold(stream, reason):
    with pytest.raises(BitstreamError, match=reason):
        sncb.write(stream, PACKED)


def test_codes_outside_their_codebook_are_refused_on_both_ways():
    with pytest.raises(CodecError, match="stream 0 holds codes from 9 to 9, outside its codebook"):
        sncb.write(made.bitstream((8,), part((np.array([[9]], np.int32),))), PACKED)
    data = sncb.write(made.bitstream((8,), part((np.array([[7]], np.int32),))), PACKED)
    content = made.body_of(data).replace(wire.runs([(8,)]), wire.runs([(7,)]), 1)
    with pytest.raises(CodecError, match="stream 0 holds codes from 7 to 7"):
        read(made.seal(content))
    # Silence that codes too well is to be packed.
    silence = made.bitstream((1024,), part((np.zeros((1, 600_000), np.int32),)))
    nothing = Mock(tables_sha256="", encode=lambda *_: (b"",))  # what a coder tends to
    nothing.name = "nothing"
    with pytest.raises(BitstreamError, match=r"600000 codes in 0 bytes, .* the coder packed takes"):
        sncb.write(silence, nothing)
    made.assert_same(read(sncb.write(silence, PACKED)), silence)


def test_every_way_of_handling_channels_has_a_number():
    from snacbench.runner.signal_rules import coded_channels

    specs = [CodecSpec("c", "c", "c", 8_000, taken) for taken in [(), (1,), (2,), (1, 2)]]
    modes = {coded_channels(channels, spec)[1] for spec in specs for channels in (1, 2, 3)}
    assert modes == set(sncb.CHANNEL_MODES)


DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bitstreams.md"


def test_the_example_is_a_file():
    (block,) = re.findall(r"```\n(53 4e.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    data = bytes.fromhex("".join(line[:44] for line in block.splitlines()))
    stream = read(data)
    assert stream.header == sncb.Header("toy@1kbps", {}, 16_000, 48_000, 1, 1_920, "mono", 0)
    assert stream.codebook_sizes == (1024, 1024)
    (part,) = stream.parts
    assert [codes.tolist() for codes in part.codes] == [[[5, 1000]], [[1, 2, 3, 4]]]
    assert sncb.write(stream, PACKED) == data
    assert (len(data), sncb.parse(data).costs["codes"]) == (72, 8)
    assert int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4])
    listed = ", ".join(f"{index} {mode}" for index, mode in enumerate(sncb.CHANNEL_MODES))
    assert listed in DOCUMENT.read_text("utf-8")


def test_files_on_disk(tmp_path):
    place = tmp_path / "deep" / "er" / "a.sncb"
    sncb.save(place, b"abc")
    assert sncb.load(place) == b"abc"
    assert [p.name for p in place.parent.iterdir()] == ["a.sncb"]
    with pytest.raises(StoreError, match=r"cannot write .*b\.sncb \(.*\); .*check its permissions"):
        sncb.save(place / "b.sncb", b"abc")
    with pytest.raises(BitstreamError, match=r"b\.sncb cannot be read: No such file"):
        sncb.load(tmp_path / "b.sncb")


def cursor(data):
    return wire.Cursor(memoryview(data))


@given(
    st.integers(0, wire.MOST),
    st.text(max_size=300),
    st.lists(st.tuples(st.integers(0, 3), st.integers(5, 300)), max_size=50),
)
def test_values_come_back(number, text, rows):
    assert len(wire.number(number)) == max(1, -(-number.bit_length() // 7))
    reader = cursor(wire.number(number) + wire.text(text) + wire.runs(rows))
    assert reader.number("a number") == number
    assert reader.text("a name") == text
    assert reader.runs("shapes", least=(0, 5), most=(3, 300), rows=len(rows)) == tuple(rows)
    reader.end("the number")
    for none in (-1 - number, wire.MOST + 1 + number):
        with pytest.raises(BitstreamError, match=f"numbers from 0 to .* found {none}"):
            wire.number(none)
    assert wire.runs([(16,)] * 46) == bytes([1, 46, 16])  # equal streams take three bytes


def number(reader):
    return reader.number("it", most=4)


def text(reader):
    return reader.text("it")


def runs(reader):
    return reader.runs("it", least=(2,), most=(100,), rows=4)


@pytest.mark.parametrize(("data", "read", "reason"), [
    (b"\x05", number, "it is 5, expected 0 to 4"),
    (b"\x80\x00", number, "it is written in more bytes than it takes"),
    (b"\xff" * 30, number, "it is more than 4"),
    (b"\x83", number, "it takes 1 bytes and 0 are left"),
    (b"\x02\xff\xfe", text, "it is no text"),
    (wire.number(2000) + b"a" * 2000, text, "the length of it is 2000, expected 0 to 1024"),
    (b"\x05abc", lambda reader: reader.length("it"), "it is 5 and 3 bytes are left"),
    (b"ab", lambda reader: reader.end("it"), "2 bytes follow it"),
    (bytes([1, 3, 9]), runs, "are given for 3 of 4"),
    (bytes([1, 5, 9]), runs, "a run of it is 5, expected 1 to 4"),
    (bytes([2, 2, 9, 2, 9]), runs, "it are written as more runs than they are"),
    (bytes([9, 4, 9]), runs, "the number of runs of it is 9, expected 0 to 4"),
    (bytes([1, 4, 1]), runs, "it is 1, expected 2 to 100"),
])  # fmt: skip
def test_what_no_writer_writes(data, read, reason):
    with pytest.raises(BitstreamError, match=f"not a valid .sncb file: .*{reason}"):
        read(cursor(data))


FILES = made.written_examples()


@pytest.fixture(scope="module")
def memory_is_capped():
    """At 512 MiB more than is in use."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    for data, tables in FILES:  # what is loaded at first use is not the files' fault
        assert made.is_taken(data, data, tables, sealed=False)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (512 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("memory_is_capped")
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    for data_, sealed in ((data, False), (b"SNCB\1" + data, False), (made.seal(data), True)):
        assert not made.is_taken(data_, b"", None, sealed=sealed)


@pytest.mark.usefixtures("memory_is_capped")
@settings(max_examples=400, deadline=None)
@given(st.integers(0, 1 << 32))
def test_mutated_files_are_refused_or_mean_what_they_say(seed):
    mutated, original, tables, sealed = made.mutate(random.Random(seed), FILES)
    made.is_taken(mutated, original, tables, sealed=sealed)
