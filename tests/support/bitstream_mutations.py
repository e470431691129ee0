"""Files that went wrong, by accident or on purpose, and what must come of reading them."""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from snacbench.bitstream import wire
from snacbench.bitstream.container import MAGIC, VERSION, costs, read, write
from snacbench.errors import BitstreamError, CodecError
from snacbench.rate.coding.coders import Coder
from tests.support.bitstream_examples import written_examples

_CHECKSUM_BYTES = 4
_INTERESTING = (
    0,
    1,
    2,
    127,
    128,
    255,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 31,
    1 << 32,
    1 << 63,
)


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


# ------------------------------------------------------------------------------- how files go wrong


def _flip_bits(data: bytes, other: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _truncate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _append(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data + rng.randbytes(rng.randint(1, 40))


def _cut_out(data: bytes, other: bytes, rng: random.Random) -> bytes:
    start, size = rng.randrange(len(data)), rng.randint(1, 20)
    return data[:start] + data[start + size :]


def _repeat(data: bytes, other: bytes, rng: random.Random) -> bytes:
    start, size = rng.randrange(len(data)), rng.randint(1, 20)
    return data[:start] + data[start : start + size] * rng.choice((2, 3)) + data[start + size :]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _overwrite(data: bytes, other: bytes, rng: random.Random) -> bytes:
    start, size = rng.randrange(len(data)), rng.randint(1, 8)
    return data[:start] + rng.randbytes(size) + data[start + size :]


def _edit_number(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Another number where there is one, or where something else was."""
    start = rng.randrange(len(data))
    value = rng.choice((*_INTERESTING, data[start] + 1, max(0, data[start] - 1)))
    return data[:start] + wire.number(value) + data[start + rng.choice((1, 1, 2)) :]


MUTATIONS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    _flip_bits, _truncate, _append, _cut_out, _repeat, _splice, _overwrite, _edit_number,
)  # fmt: skip


# --------------------------------------------------------------------------- what must come of them


@dataclass
class Tally:
    """How a number of mutated files were answered."""

    answers: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    grown_mib: float = 0.0

    @property
    def files(self) -> int:
        return self.answers.total()


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
    assert costs(mutated).total == len(mutated)
    if not sealed:
        assert mutated == original, "a damaged file was taken for whole"
        return "unchanged"
    assert write(found, coder) == mutated, "a file says what it says in two ways"
    return "another valid file"


def mutate(
    rng: random.Random, files: list[tuple[bytes, Coder]]
) -> tuple[bytes, bytes, Coder, bool]:
    """A mutated file, the original, its coder, and whether the checksum was mended."""
    (original, coder), (other, _) = rng.choice(files), rng.choice(files)
    sealed = rng.random() < 0.7
    data = body_of(original) if sealed else original
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(data, body_of(other) if sealed else other, rng) or b"\0"
    return (seal(data) if sealed else data), original, coder, sealed


def fuzz(seed: int, count: int, *, time_cap_s: float = 20.0, memory_cap_mib: int = 512) -> Tally:
    """Read many mutated files in this process, whose memory is capped for good.

    Raises
    ------
    AssertionError, TimeoutError, MemoryError
        With the file in hexadecimal digits, where one is answered wrongly, too late, or with more
        memory than there may be.
    """
    files, rng, tally = written_examples(), random.Random(seed), Tally()
    for data, coder in files:  # what is loaded at first use is not the files' fault
        judge(data, data, coder, sealed=False)
    _cap_memory(memory_cap_mib)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _too_late)
    for _ in range(count):
        mutated, original, coder, sealed = mutate(rng, files)
        signal.setitimer(signal.ITIMER_REAL, time_cap_s)
        began = time.perf_counter()
        try:
            answer = judge(mutated, original, coder, sealed=sealed)
        except BaseException as error:
            error.add_note(f"{coder.name}: {mutated.hex()}")
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - began)
        tally.answers[answer] += 1
    tally.grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return tally


def _cap_memory(more_mib: int) -> None:
    """Let this process take so much more memory than it has."""
    with open("/proc/self/statm") as stream:  # noqa: PTH123 - no file of anyone's
        pages = int(stream.read().split()[0])
    limit = pages * resource.getpagesize() + (more_mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def _too_late(signum: int, frame: object) -> None:
    raise TimeoutError("a file took too long to read")


if __name__ == "__main__":
    done = fuzz(int(sys.argv[1]), int(sys.argv[2]))
    lines = [f"{done.files} files, slowest {done.slowest_s:.2f} s, {done.grown_mib:.0f} MiB more"]
    lines += [f"{times:8} {answer}" for answer, times in done.answers.most_common()]
    sys.stdout.write("\n".join(lines) + "\n")
