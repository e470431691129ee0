"""Files that went wrong, by accident or on purpose, and what must come of reading them."""

from __future__ import annotations

import random
import zlib

from snacbench.bitstream import wire
from snacbench.bitstream.container import MAGIC, VERSION, parse, read, write
from snacbench.errors import BitstreamError, CodecError
from snacbench.rate.coding.coders import Coder

_CHECKSUM_BYTES = 4
_INTERESTING = (0, 1, 2, 127, 128, 255, *(1 << power for power in (14, 16, 18, 20, 31, 32, 63)))


def body_of(data: bytes) -> bytes:
    """What the checksum protects, but for magic, version and length."""
    head = wire.Cursor(memoryview(data))
    head.take(len(MAGIC) + 1, "head")
    head.number("length")
    return data[head.place : -_CHECKSUM_BYTES]


def seal(body: bytes) -> bytes:
    """Content in a frame whose length and checksum are right."""
    framed = MAGIC + bytes([VERSION]) + wire.number(len(body)) + body
    return framed + zlib.crc32(framed).to_bytes(_CHECKSUM_BYTES, "little")


def judge(mutated: bytes, original: bytes, coder: Coder, *, sealed: bool) -> str:
    """How reading a mutated file is answered; AssertionError where it is answered wrongly.

    A file whose checksum was not mended must be the original to be accepted. One whose checksum
    was mended may say something else, but then what it says, written again, must be the very file.
    """
    try:
        found = read(mutated, lambda header: coder if header.coder == coder.name else None)
    except BitstreamError as error:
        return str(error).partition(":")[0].partition(" by ")[0]
    except CodecError:
        return "refused by the coder"
    assert parse(mutated).costs.total == len(mutated)
    if not sealed:
        assert mutated == original, "a damaged file was taken for whole"
        return "unchanged"
    assert write(found, coder) == mutated, "a file says what it says in two ways"
    return "another valid file"


def mutate(
    rng: random.Random, files: list[tuple[bytes, Coder]]
) -> tuple[bytes, bytes, Coder, bool]:
    """A mutated file, the original, its coder, and whether the checksum was mended.

    Bytes are cut out, put in, or exchanged: for any, for a number, or for some of another file.
    """
    (original, coder), (other, _), sealed = rng.choice(files), rng.choice(files), rng.random() < 0.7
    data = body_of(original) if sealed else original
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        start, size = rng.randrange(len(data)), rng.choice((0, 1, 1, 1, 2, 20, len(data)))
        new = (
            b"",
            bytes([data[start] ^ 1 << rng.randrange(8)]),
            wire.number(rng.choice((*_INTERESTING, data[start] + 1))),
            rng.randbytes(rng.randint(1, 20)),
            data[start:] * 2,
            other[rng.randrange(len(other)) :],
        )
        data = data[:start] + rng.choice(new) + data[start + size :] or b"\0"
    return (seal(data) if sealed else data), original, coder, sealed
