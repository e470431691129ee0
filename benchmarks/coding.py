"""How fast codes are entropy-coded and decoded: times real time, per codec and coder, one thread.

    python benchmarks/coding.py              # published shapes, Zipf-distributed codes
    python benchmarks/coding.py --run RUN    # the codes that a run kept

What a model costs depends on the number of codes a second and the size of the codebook, hardly on
the codes, so that published codecs need no weights to be measured. Tables are trained on as much
again; the time for that is told, too. The targets are 100 times real time for static tables and 5
for the models that learn. Run it on an idle machine: CPU time is what is told.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from snacbench.rate.coding.coders import ENTROPY_CODERS, coder_named, shapes_of
from snacbench.rate.coding.trained import KeptClip, train_tables
from snacbench.runner.bitstreams import kept_clips, kept_codecs
from snacbench.selectors import select
from snacbench.store.run_folder import RunFolder
from snacbench.types import Codes, Stream

PUBLISHED = (
    "snac-24khz,snac-32khz,snac-44khz,dac-44khz-16kbps,dac-24khz@24,dac-16khz@6,encodec-24khz@24,"
    "encodec-48khz@24,encodec-32khz,mimi,lyra-v2@9.2"
)
SECONDS, TRAINED_CLIPS = 10.0, 8
_EXPONENT = 0.7  # of Zipf's law: about 0.5 to 1 bit below even codes

Corpus = tuple[str, tuple[int, ...], float, list[KeptClip]]


def drawn(streams: Sequence[Stream], seed: int) -> tuple[Codes, ...]:
    """Codes of a clip: independent, the first of a codebook the most frequent."""
    random = np.random.default_rng(seed)
    slowest = min(stream.frame_rate_hz for stream in streams)
    blocks = max(1, int(SECONDS * slowest))
    codes = []
    for stream in streams:
        chances = np.arange(1.0, stream.codebook_size + 1) ** -_EXPONENT
        frames = int(blocks * Fraction(stream.frame_rate_hz) / slowest)
        drawn_codes = random.choice(stream.codebook_size, (1, frames), p=chances / chances.sum())
        codes.append(drawn_codes.astype(np.int32))
    return tuple(codes)


def published(selectors: str) -> Iterator[Corpus]:
    """Clips of made-up codes in the shapes of published codecs."""
    for selector in selectors.split(","):
        _, spec = select(selector)[0]
        sizes = tuple(stream.codebook_size for stream in spec.streams)
        clips = [
            KeptClip(f"clip {seed}", f"cluster {seed}", (drawn(spec.streams, seed),))
            for seed in range(TRAINED_CLIPS)
        ]
        yield spec.name, sizes, SECONDS, clips


def kept(path: Path) -> Iterator[Corpus]:
    """The codes that a run kept, each clip of a duration that is the mean of all."""
    folder = RunFolder.open(path)
    for codec in kept_codecs(folder):
        clips = kept_clips(folder, codec)
        seconds = sum(row.duration_s or 0.0 for row in codec.rows) / len(codec.rows)
        yield codec.spec.name, codec.codebook_sizes, seconds, clips


def measure(corpus: Corpus, coded_clips: int) -> None:
    """Print one line per coder."""
    name, sizes, seconds, clips = corpus
    start = time.process_time()
    tables = train_tables(name, clips, sizes)
    training_s = time.process_time() - start
    tokens = (
        sum(array.size for one in clips for part in one.parts for array in part)
        / len(clips)
        / seconds
    )
    print(
        f"{name}: {tokens:.0f} codes/s of {min(sizes)} to {max(sizes)} entries; training "
        f"{seconds * len(clips) / training_s:.0f} x real time"
    )
    chosen = [part for one in clips[:coded_clips] for part in one.parts]
    for coder_name in ENTROPY_CODERS:
        coder = coder_named(coder_name, tables)
        start = time.process_time()
        data = [coder.encode(one, sizes) for one in chosen]
        encode_s = time.process_time() - start
        shapes = [shapes_of(one, sizes) for one in chosen]
        start = time.process_time()
        for coded, shape in zip(data, shapes, strict=True):
            coder.decode(coded, shape)
        decode_s = time.process_time() - start
        duration_s = seconds * min(coded_clips, len(clips))
        print(
            f"  {coder_name:<9} encode {duration_s / encode_s:8.0f} x   "
            f"decode {duration_s / decode_s:8.0f} x"
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codecs", default=PUBLISHED)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--clips", type=int, default=2, help="coded of each codec")
    options = parser.parse_args()
    for corpus in kept(options.run) if options.run else published(options.codecs):
        measure(corpus, options.clips)


if __name__ == "__main__":
    main()
