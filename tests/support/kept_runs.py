"""Codes with known statistics, and run folders that keep such codes, without any codec."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from snacbench.bitstream.container import Bitstream, Header, write
from snacbench.rate.coding.coders import PACKED
from snacbench.rate.coding.trained import KeptClip
from snacbench.rows import Bits, Coded
from snacbench.store.run_folder import RunFolder
from snacbench.types import CodecSpec, Codes, Encoded, Stream
from tests.support.synthetic_runs import RUN, clip, codec

SIZE = 32
SIZES = (SIZE, SIZE)
_TRANSITIONS = np.random.default_rng(5).dirichlet(np.full(SIZE, 0.05), SIZE)


def markov(frames: int, seed: int) -> Codes:
    """One channel in which the next code depends on the one before."""
    random, codes = np.random.default_rng(seed), [0]
    for _ in range(frames - 1):
        codes.append(int(random.choice(SIZE, p=_TRANSITIONS[codes[-1]])))
    return np.array([codes], np.int32)


def levels(frames: int, seed: int) -> tuple[Codes, ...]:
    """A Markov stream, and one of twice its rate whose codes say much of their parent."""
    coarse = markov(frames, seed)
    noise = np.random.default_rng(seed + 1000).integers(0, 3, (1, 2 * frames))
    fine = (7 * np.repeat(coarse, 2, axis=1) + noise) % SIZE
    return coarse, fine.astype(np.int32)


def clips(count: int = 12, frames: int = 150) -> list[KeptClip]:
    """Clips of `levels`, two of each speaker."""
    return [KeptClip(f"c{n}", f"speaker {n // 2}", (levels(frames, n),)) for n in range(count)]


STREAMS = (Stream(Fraction(25), SIZE), Stream(Fraction(50), SIZE))
SIDE_INFO = b"1234"


def toy(name: str = "toy@1kbps") -> CodecSpec:
    """A codec of two streams, one twice as fast as the other: 0.375 kbps."""
    return replace(codec(name), streams=STREAMS, nominal_kbps=0.375)


def kept_run(path: Path, *, codecs: tuple[str, ...] = ("toy@1kbps",), count: int = 8,
             speakers: int = 4) -> RunFolder:  # fmt: skip
    """A run of 4 s clips whose codes lie in it; a stereo-like clip of two parts is among them."""
    clips = [clip(number, speakers=speakers) for number in range(count)]
    specs = tuple(toy(name) for name in codecs)
    folder = RunFolder.create(path, replace(RUN, codecs=specs), clips)
    for spec in specs:
        for number, one in enumerate(clips):
            parts = [levels(100, seed=number)] + [levels(100, seed=99)] * (number == 0)
            folder.append([keep(folder, one.id, spec.name, parts)])
    return folder


def keep(folder: RunFolder, clip_id: str, name: str, parts: list[tuple[Codes, ...]]) -> Coded:
    """Write codes as a run would, and give the row that says so."""
    header = Header(name, {}, 8000, 8000, 1, 32_000, "mono", 0)
    encoded = tuple(Encoded(32_000, 1, 8000, codes, side_info=SIDE_INFO) for codes in parts)
    data = write(Bitstream(header, (SIZE, SIZE), encoded), PACKED)
    path = folder.codes_path(clip_id, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    code_bits = sum(array.size for part in parts for array in part) * 5
    bits = Bits(codes=code_bits, side_info=len(parts) * len(SIDE_INFO) * 8)
    return Coded(
        clip_id, name, "ok", "", "speech", 4.0, bits,
        codes=path.relative_to(folder.path).as_posix(),
        codes_sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
