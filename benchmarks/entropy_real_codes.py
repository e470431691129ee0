"""How far the entropy that a run states is off on real codes, by clips and tokens per entry.

    python -m benchmarks.entropy_real_codes FOLDER... --codecs dac-mini@9q --weights embedded

codes 10 s of every clip, and prints the second table of docs/rates.md. All codes of a codebook
together are taken as the truth. Samples of N tokens are drawn anew: token by token, as estimators
assume, and as parts of so many clips, equally long, as a test set comes about. A sample takes at
most half of the clips and half of the tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, codebook_entropy, plug_in_entropy_bits

CLIPS = (3, 5, 10, 15, 20, 25, 30)
PER_ENTRY = (0.3, 0.5, 0.9, 1, 3, 5, 10, 20)
SAMPLES, SECONDS = 40, 10

Tokens = NDArray[np.intp]
Draw = Callable[[np.random.Generator], Tokens]


def by_tokens(clips: Sequence[Tokens], tokens: int) -> Draw:
    """Tokens of all clips, one by one."""
    pooled = np.concatenate(clips)
    return lambda rng: rng.choice(pooled, tokens)


def by_clips(clips: Sequence[Tokens], tokens: int, *, count: int) -> Draw | None:
    """So many clips, and of each an equally long part; None where there are too few as long."""
    each = tokens // count
    long = [clip for clip in clips if len(clip) >= each]
    if each < 2 or len(long) < max(2 * count, 0.8 * len(clips)):
        return None

    def draw(rng: np.random.Generator) -> Tokens:
        parts = []
        for index in rng.permutation(len(long))[:count]:
            start = int(rng.integers(0, len(long[index]) - each + 1))
            parts.append(long[index][start : start + each])
        return np.concatenate(parts)

    return draw


def stated(draw: Draw, size: int, *, samples: int, seed: int = 0) -> Iterator[CodebookEntropy]:
    """What a run would state of each sample."""
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        yield codebook_entropy(np.bincount(draw(rng), minlength=size), clips=1)


def errors_percent(
    draw: Draw, clips: Sequence[Tokens], size: int, *, samples: int = SAMPLES
) -> NDArray[np.float64]:
    """Errors of the estimate and of the ends of its range over the truth, shape (samples, 3)."""
    truth = plug_in_entropy_bits(np.bincount(np.concatenate(clips), minlength=size))
    books = stated(draw, size, samples=samples)
    ends = [(book.corrected_bits, book.lowest_bits, book.highest_bits) for book in books]
    return 100 * (np.array(ends) / truth - 1)


def shown(errors: NDArray[np.float64], per_entry: float) -> str:
    """Mean and root mean square of the error; of a range how often it held the truth."""
    if per_entry < 1:
        held = (errors[:, 1] <= 0) & (errors[:, 2] >= 0)
        return f"{100 * held.mean():.0f} %"
    return f"{errors[:, 0].mean():+.1f} ({np.sqrt((errors[:, 0] ** 2).mean()):.1f})"


def codes_of(
    selectors: str, sets: Sequence[str], weights: str
) -> Iterator[tuple[str, list[list[Tokens]]]]:
    """Name and, for every codebook, the tokens of each clip."""
    from snacbench.audio.io import read_clip
    from snacbench.request import Request
    from snacbench.runner.loading import load
    from snacbench.runner.plan import locate_all, plan_codecs
    from snacbench.runner.signal_rules import codec_inputs, source_signal
    from snacbench.testsets import open_test_set
    from snacbench.types import Audio

    clips = [clip for name in sets for clip in open_test_set(name).clips]
    codecs, policy, _ = plan_codecs(Request(codecs=selectors, weights=(weights,)))
    for codec in locate_all(codecs, policy):
        loaded = load(codec)
        books: list[list[Tokens]] = [[] for _ in codec.spec.streams]
        for clip in clips:
            whole = source_signal(read_clip(clip), "mono")
            part = Audio(whole.samples[:, : SECONDS * whole.rate_hz], whole.rate_hz)
            with loaded.computing():
                encoded = loaded.codec.encode(codec_inputs(part, codec.spec)[0][0])
            for book, codes in zip(books, encoded.codes, strict=True):
                book.append(codes[0].astype(np.intp))
        yield codec.spec.name, books


def main() -> None:
    """Print a Markdown table; a line per codebook and way of drawing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--codecs", required=True)
    parser.add_argument("--weights", default="auto")
    arguments = parser.parse_args()
    print("| codebook | drawn |", " | ".join(f"{r:g}" for r in PER_ENTRY), "|")
    print("|---|---|" + "---:|" * len(PER_ENTRY))
    for name, books in codes_of(arguments.codecs, arguments.sets, arguments.weights):
        for index, clips in enumerate(books, start=1):
            print_book(f"{name}, {index}", clips, 1 + max(int(clip.max()) for clip in clips))


def print_book(name: str, clips: Sequence[Tokens], largest: int) -> None:
    """The lines of one codebook, whose size is the power of two that holds its codes."""
    size = 1 << (largest - 1).bit_length()
    total = sum(map(len, clips))
    for count in (None, *CLIPS):
        cells = []
        for per_entry in PER_ENTRY:
            tokens = round(per_entry * size)
            draw = by_clips(clips, tokens, count=count) if count else by_tokens(clips, tokens)
            few = draw is None or 2 * tokens > total
            cells.append("" if few else shown(errors_percent(draw, clips, size), per_entry))
        if any(cells):
            how = f"{count} clips" if count else "by tokens"
            print(f"| {name} | {how} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
