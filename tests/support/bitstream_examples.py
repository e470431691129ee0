"""Bitstreams of the kinds that codecs make, small, and whether two are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snacbench.bitstream.container import Bitstream, Header, write
from snacbench.rate.coding.coders import PACKED, Coder, coder_named
from snacbench.rate.coding.trained import StreamTable, Tables
from snacbench.types import Codes, Encoded

HEADER = Header(
    codec="toy@3kbps",
    weights_sha256={"config.json": "0123456789abcdef" * 4, "weights.pth": "f" * 64},
    codec_rate_hz=16_000,
    rate_hz=48_000,
    channels=1,
    num_samples=2_400,
    channel_mode="mono",
    seed=(1 << 63) + 7,
)


def random_codes(
    sizes: Sequence[int], frames: Sequence[int], *, channels: int = 1, seed: int = 0
) -> tuple[Codes, ...]:
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
        (1024, 1024),
        part(random_codes((1024, 1024), (7, 7)), channels=2, side_info=b"\0\0\x80?"),
        channels=2,
    ),
    "opus": bitstream((), part(packets=(b"\x08abc", b"", b"\x08" * 40)), weights_sha256={}),
    "command": bitstream((), part(packets=(b"header and bits",), payload_bits=77)),
    # Odd codebooks, as of quantisers that round scalars; two channels coded alone.
    "two parts": bitstream(
        _SCALARS,
        *(part(random_codes(_SCALARS, (9, 5, 2), seed=seed)) for seed in (1, 2)),
        channels=2,
        channel_mode="each channel alone",
    ),
}


def tables_for(sizes: Sequence[int]) -> Tables:
    """Tables as if something had been learnt."""
    streams = tuple(StreamTable(np.arange(size, 0, -1), 4096, 64) for size in sizes)
    return Tables("toy@3kbps", streams, clips=3)


def written_examples() -> list[tuple[bytes, Coder]]:
    """Files of all examples by all kinds of coders."""
    files: list[tuple[bytes, Coder]] = [(write(s, PACKED), PACKED) for s in EXAMPLES.values()]
    for stream in (EXAMPLES["snac"], EXAMPLES["encodec"]):
        tables = tables_for(stream.codebook_sizes)
        for name in ("static", "adaptive", "context"):
            coder = coder_named(name, tables if name == "static" else None)
            files.append((write(stream, coder), coder))
    return files


def assert_same(one: Bitstream, other: Bitstream) -> None:
    assert one.codebook_sizes == other.codebook_sizes
    assert len(one.parts) == len(other.parts)
    for a, b in zip(one.parts, other.parts, strict=True):
        fields = {**vars(a), "codes": None}
        assert fields == {**vars(b), "codes": None}
        assert len(a.codes) == len(b.codes)
        for x, y in zip(a.codes, b.codes, strict=True):
            assert x.dtype == y.dtype == np.int32
            assert np.array_equal(x, y)
