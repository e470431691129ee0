"""Bitstreams of the kinds that codecs make, small; and how files go wrong."""

import random
import zlib
from collections.abc import Sequence

import numpy as np

from snacbench.bitstream import wire
from snacbench.bitstream.container import MAGIC, VERSION, Bitstream, Header, read, write
from snacbench.errors import BitstreamError, CodecError
from snacbench.rate.coding.coders import ENTROPY_CODERS, PACKED, coder_named
from snacbench.rate.coding.trained import StreamTable, Tables
from snacbench.types import Codes, Encoded

HEADER = Header(
    codec="toy@3kbps",
    weights_sha256={"config.json": "0123456789abcdef" * 4, "weights.pth": "f" * 64},
    codec_rate_hz=16_000, rate_hz=48_000, channels=1, num_samples=2_400, channel_mode="mono",
    seed=(1 << 63) + 7,
)  # fmt: skip


def random_codes(sizes: Sequence[int], frames: Sequence[int], *, channels: int = 1,
                 seed: int = 0) -> tuple[Codes, ...]:  # fmt: skip
    rng = np.random.default_rng(seed)
    # Mostly small, as codes are not uniform: entropy coders then have something to do.
    return tuple(
        np.minimum(rng.geometric(0.2, (channels, count)) - 1, size - 1).astype(np.int32)
        for size, count in zip(sizes, frames, strict=True)
    )


def bitstream(sizes: Sequence[int], *parts: Encoded, **header: object) -> Bitstream:
    return Bitstream(Header(**{**vars(HEADER), **header}), tuple(sizes), parts)


def part(codes: tuple[Codes, ...] = (), **more: object) -> Encoded:
    return Encoded(**{"num_samples": 800, "channels": 1, "rate_hz": 16_000, "codes": codes, **more})


_SNAC, _SCALARS = (4096, 4096, 4096), (3, 1000, 65_536)
EXAMPLES: dict[str, Bitstream] = {
    "snac": bitstream(_SNAC, part(random_codes(_SNAC, (3, 6, 12)))),
    "lyra": bitstream((16,) * 46, part(random_codes((16,) * 46, (5,) * 46)), seed=0),
    "encodec": bitstream(
        (1024, 1024), part(random_codes((1024, 1024), (7, 7)), channels=2, side_info=b"\0\0\x80?"),
        channels=2),
    "opus": bitstream((), part(packets=(b"\x08abc", b"", b"\x08" * 40)), weights_sha256={}),
    "command": bitstream((), part(packets=(b"header and bits",), payload_bits=77)),
    # Odd codebooks, as of quantisers that round scalars; two channels coded alone.
    "two parts": bitstream(
        _SCALARS, *(part(random_codes(_SCALARS, (9, 5, 2), seed=seed)) for seed in (1, 2)),
        channels=2, channel_mode="each channel alone"),
    "segments": bitstream(
        (1024, 16),
        *(part(random_codes((1024, 16), (len(lengths),) * 2), side_info=side_info,
               segment_lengths=np.array([lengths], np.int32))
          for lengths, side_info in (((1, 6, 3, 2, 4), b"?"), ((6, 6), b""))),
        max_segment_frames=6),
}  # fmt: skip


def tables_for(sizes: Sequence[int]) -> Tables:
    """Tables as if something had been learnt."""
    streams = tuple(StreamTable(np.arange(size, 0, -1), 4096, 64) for size in sizes)
    return Tables("toy@3kbps", streams, clips=3)


def written_examples() -> list[tuple[bytes, Tables | None]]:
    """Files of all examples by all kinds of coders, with their tables."""
    files: list[tuple[bytes, Tables | None]] = [(write(s, PACKED), None) for s in EXAMPLES.values()]
    for stream in (EXAMPLES["snac"], EXAMPLES["encodec"]):
        for name in ENTROPY_CODERS:
            tables = tables_for(stream.codebook_sizes) if name == "static" else None
            files.append((write(stream, coder_named(name, tables)), tables))
    return files


def assert_same(one: Bitstream, other: Bitstream) -> None:
    assert (one.header, one.codebook_sizes) == (other.header, other.codebook_sizes)
    assert len(one.parts) == len(other.parts)
    for a, b in zip(one.parts, other.parts, strict=True):
        none = {"codes": None, "segment_lengths": None}
        assert {**vars(a), **none} == {**vars(b), **none}
        assert np.array_equal(a.segment_lengths, b.segment_lengths)
        assert len(a.codes) == len(b.codes)
        for x, y in zip(a.codes, b.codes, strict=True):
            assert x.dtype == y.dtype == np.int32
            assert np.array_equal(x, y)


_CHECKSUM_BYTES = 4
_INTERESTING = (0, 1, 2, 127, 128, 255, *(1 << power for power in (14, 16, 18, 20, 31, 32, 63)))


def body_of(data: bytes) -> bytes:
    """What the checksum protects, but for magic, version and length."""
    head = wire.Cursor(memoryview(data))
    head.take(len(MAGIC) + 1, "head")
    head.number("length")
    return data[head.place : -_CHECKSUM_BYTES]


def seal(body: bytes, version: int = VERSION) -> bytes:
    """Content in a frame whose length and checksum are right."""
    framed = MAGIC + bytes([version]) + wire.number(len(body)) + body
    return framed + zlib.crc32(framed).to_bytes(_CHECKSUM_BYTES, "little")


def is_taken(mutated: bytes, original: bytes, tables: Tables | None, *, sealed: bool) -> bool:
    """Whether a mutated file is read; AssertionError where it is, and should not be.

    A file whose checksum was not mended must be the original to be accepted. One whose checksum
    was mended may say something else, but then what it says, written again, must be the very file.
    """
    try:
        found = read(mutated, tables)
    except (BitstreamError, CodecError):
        return False
    assert sealed or mutated == original, "a damaged file was taken for whole"
    coder = coder_named(found.header.coder, tables if found.header.tables_sha256 else None)
    assert write(found, coder) == mutated, "a file says what it says in two ways"
    return True


def mutate(
    rng: random.Random, files: list[tuple[bytes, Tables | None]]
) -> tuple[bytes, bytes, Tables | None, bool]:
    """A mutated file, the original, its tables, and whether the checksum was mended.

    Bytes are cut out, put in, or exchanged: for any, for a number, or for some of another file."""
    (original, tables), (other, _) = rng.choice(files), rng.choice(files)
    sealed = rng.random() < 0.7
    data = body_of(original) if sealed else original
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        start, size = rng.randrange(len(data)), rng.choice((0, 1, 1, 1, 2, 20, len(data)))
        flipped = bytes([data[start] ^ 1 << rng.randrange(8)])
        number = wire.number(rng.choice((*_INTERESTING, data[start] + 1)))
        drawn = rng.randbytes(rng.randint(1, 20))
        new = (b"", flipped, number, drawn, data[start:] * 2, other[rng.randrange(len(other)) :])
        data = data[:start] + rng.choice(new) + data[start + size :] or b"\0"
    return (seal(data, original[len(MAGIC)]) if sealed else data), original, tables, sealed
