from __future__ import annotations

import numpy as np
import pytest

from snacbench.rate.coding.coders import entropy_coder
from snacbench.rate.coding.tables import Tables
from snacbench.rate.coding.training import TrainingCodes, train_tables
from tests.rate.coding.corpora import SIZE, SIZES, corpus, levels


def even(count: int, frames: int, size: int) -> list[TrainingCodes]:
    """Codes of which none says anything of another."""
    random = np.random.default_rng(0)
    return [
        TrainingCodes(
            (random.integers(0, size, (1, frames)).astype(np.int32),) * 1, f"s{n}", f"{n}"
        )
        for n in range(count)
    ]


def test_counts_are_those_of_the_corpus() -> None:
    clips = corpus(count=4)
    tables = train_tables("toy", clips, SIZES)
    assert (tables.codec, tables.clips) == ("toy", 4)
    for index, stream in enumerate(tables.streams):
        tokens = np.concatenate([one.codes[index].ravel() for one in clips])
        assert np.array_equal(stream.counts, np.bincount(tokens, minlength=SIZE))
        assert stream.pairs["previous"].counts.sum() == tokens.size - 4  # each clip has a first
    assert tables.streams[0].pairs["coarser"].counts.size == 0
    assert tables.streams[1].pairs["coarser"].counts.sum() == 4 * 300


def test_pairs_are_those_that_occurred() -> None:
    parent, child = np.array([[1, 2]], np.int32), np.array([[5, 6, 5, 5]], np.int32)
    tables = train_tables("toy", [TrainingCodes((parent, child), "a")], (8, 8))
    pairs = tables.streams[1].pairs["coarser"]
    found = zip(pairs.contexts, pairs.symbols, pairs.counts, strict=True)
    assert [tuple(map(int, one)) for one in found] == [(1, 5, 1), (1, 6, 1), (2, 5, 2)]
    before = tables.streams[1].pairs["previous"]
    found = zip(before.contexts, before.symbols, before.counts, strict=True)
    assert [tuple(map(int, one)) for one in found] == [(5, 5, 1), (5, 6, 1), (6, 5, 1)]


def test_contexts_that_tell_nothing_are_not_believed() -> None:
    useless = train_tables("even", even(8, 400, 32), (32,)).streams[0].pairs["previous"]
    useful = train_tables("toy", corpus(), SIZES).streams[0].pairs["previous"]
    assert useless.strength > 1000 * useful.strength


def test_codes_that_are_never_used_are_smoothed_less() -> None:
    flat = train_tables("flat", even(4, 50, 1024), (1024,)).streams[0]
    used = train_tables("used", even(4, 5000, 8), (1024,)).streams[0]
    assert used.smoothing < flat.smoothing / 100


def test_strength_is_chosen_by_what_other_clusters_know() -> None:
    """Speakers who differ: what is known of others is worth less than the clip's own counts."""
    random = np.random.default_rng(1)

    def speaker(number: int) -> TrainingCodes:
        codes = random.integers(4 * number, 4 * number + 4, (1, 200)).astype(np.int32)
        return TrainingCodes((codes,), f"s{number}", f"c{number}")

    apart = train_tables("apart", [speaker(n) for n in range(8)], (32,))
    alike = train_tables("alike", even(8, 200, 32), (32,))
    assert apart.streams[0].strength < alike.streams[0].strength / 8


def test_the_choice_is_near_the_best_that_the_coder_can_do() -> None:
    """The vectorised code length that training minimises is that of the coder itself."""
    tables = train_tables("toy", corpus(), SIZES)

    def coded(tables: Tables) -> float:
        written = entropy_coder("previous", tables).write(levels(150, seed=77), SIZES)
        return written[0].ideal_bits

    def with_strength(strength: int) -> Tables:
        stream = tables.streams[0]
        pairs = {k: type(p)(p.contexts, p.symbols, p.counts, strength) for k, p in
                 stream.pairs.items()}  # fmt: skip
        changed = type(stream)(stream.counts, stream.smoothing, stream.strength, pairs)
        return Tables("toy", (changed, tables.streams[1]), 8)

    best = min(coded(with_strength(2**power)) for power in range(0, 21, 2))
    assert coded(tables) <= 1.02 * best


def test_training_is_repeatable_and_needs_codes() -> None:
    assert (
        train_tables("toy", corpus(), SIZES).sha256 == train_tables("toy", corpus(), SIZES).sha256
    )
    with pytest.raises(ValueError, match="no codes of toy to train tables on"):
        train_tables("toy", [], SIZES)


def test_a_stream_without_frames_is_codable() -> None:
    empty = np.zeros((1, 0), np.int32)
    tables = train_tables("toy", [TrainingCodes((empty,), "a")], (4,))
    (data,) = entropy_coder("static", tables).encode([np.array([[3]], np.int32)], (4,))
    assert data
