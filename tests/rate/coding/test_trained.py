"""Tables from codes, and what they save on speakers that they never saw."""

import re
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding import coders
from snacbench.rate.coding import trained as learned
from snacbench.rate.coding.coders import ENTROPY_CODERS, coder_named
from snacbench.rate.coding.heldout import cross_fitted, held_out_rows, shuffled_clips
from snacbench.rate.coding.range_coder import divisible
from tests.support.kept_runs import SIZE, SIZES, clips, levels


@pytest.fixture(scope="module")
def tables():
    return learned.train_tables("toy@1kbps", clips(8), SIZES)


def test_tables_come_back_from_their_file(tables, tmp_path):
    path = tmp_path / "toy.npz"
    learned.write_tables(path, tables)
    again = learned.read_tables(path)
    assert again.sha256 == tables.sha256
    assert (again.codec, again.clips, again.codebook_sizes) == ("toy@1kbps", 8, SIZES)
    for one, other in zip(again.streams, tables.streams, strict=True):
        assert np.array_equal(one.shares, other.shares)
        assert one.shares.min() >= 0  # every code can be written
        assert one.shares.sum() == divisible(len(one.counts))
        assert one.pairs.keys() == other.pairs.keys() == {"previous", "coarser"}


def test_the_digest_depends_on_everything_that_coding_does(tables):
    first, *others = tables.streams
    pairs = first.pairs["previous"]
    other = (replace(pairs, strength=7), replace(pairs, counts=pairs.counts + 1))
    more = {"smoothing": first.smoothing + 1, "strength": first.strength * 2}
    changed = [replace(first, **{name: value}) for name, value in more.items()]
    changed += [replace(first, counts=first.counts + 1)]
    changed += [replace(first, pairs={**first.pairs, "previous": of}) for of in other]
    digests = {replace(tables, streams=(one, *others)).sha256 for one in changed}
    assert len(digests | {tables.sha256}) == 6


def test_a_file_that_holds_no_tables_is_refused(tables, tmp_path):
    path = tmp_path / "tables.npz"
    learned.write_tables(path, tables)
    data = path.read_bytes()
    method = data.rindex(b"PK\1\2") + 10
    with np.load(path) as held:
        arrays = dict(held)
    np.savez(path, **{**arrays, "0": arrays["0"] + 1})
    changed = path.read_bytes()
    np.savez(path, meta=np.array('{"format": "snacbench tables 9"}'))
    for content, message in (
        (b"no tables", "holds no tables of codes"),
        (data[: len(data) // 2], "holds no tables of codes"),
        (data[:method] + b"c" + data[method + 1 :], r"no tables of codes \(NotImplementedError"),
        (path.read_bytes(), "format 'snacbench tables 9', expected"),
        (changed, r"is damaged: its content has sha256 \w+, expected \w+;"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            learned.read_tables(path)
    with pytest.raises(UserError, match=r"cannot read tables from .*No such file"):
        learned.read_tables(tmp_path / "none.npz")


@pytest.mark.parametrize(("frames", "coarser", "found"), [
    (6, [10, 11, 12], [10, 10, 11, 11, 12, 12]),  # in SNAC's hierarchy: t // stride
    (6, [10, 11, 12, 13], [10, 11, 11, 12, 13, 13]),  # by time, where rates are no multiples
    (3, [10, 11, 12, 13, 14], [10, 12, 14]),  # a finer stream that is slower
])  # fmt: skip
def test_a_coarser_code_is_the_one_at_that_time(frames, coarser, found):
    both = np.array([coarser, coarser], np.int32)
    assert learned.coarser_context(frames, 2, both).tolist() == [found, found]
    assert learned.coarser_context(2, 1, None).tolist() == [[-1, -1]]
    assert learned.coarser_context(1, 1, both).tolist() == [[-1]]  # other channels


def even(count, frames, size):
    """Codes of which none says anything of another."""
    random = np.random.default_rng(0)
    made = (random.integers(0, size, (1, frames)).astype(np.int32) for _ in range(count))
    return [learned.KeptClip(f"{n}", f"s{n}", ((codes,),)) for n, codes in enumerate(made)]


def test_counts_and_pairs_are_those_of_the_corpus():
    corpus = clips(4)
    tables = learned.train_tables("toy", corpus, SIZES)
    assert (tables.codec, tables.clips) == ("toy", 4)
    for index, stream in enumerate(tables.streams):
        tokens = np.concatenate([one.parts[0][index].ravel() for one in corpus])
        assert np.array_equal(stream.counts, np.bincount(tokens, minlength=SIZE))
        assert stream.pairs["previous"].counts.sum() == tokens.size - 4  # each clip has a first
    assert tables.streams[0].pairs["coarser"].counts.size == 0
    with pytest.raises(ValueError, match="no codes of toy to train tables on"):
        learned.train_tables("toy", [], SIZES)
    parent, child = np.array([[1, 2]], np.int32), np.array([[5, 6, 5, 5]], np.int32)
    tables = learned.train_tables("toy", [learned.KeptClip("a", "a", ((parent, child),))], (8, 8))
    expected = {
        "coarser": [(1, 5, 1), (1, 6, 1), (2, 5, 2)],
        "previous": [(5, 5, 1), (5, 6, 1), (6, 5, 1)],
    }
    for name, occurred in expected.items():
        pairs = tables.streams[1].pairs[name]
        found = zip(pairs.contexts, pairs.symbols, pairs.counts, strict=True)
        assert [tuple(map(int, one)) for one in found] == occurred
    assert [part.tolist() for part in pairs.after(5)] == [[5, 6], [1, 1]]
    assert pairs.after(10**6)[0].size == 0
    empty = learned.KeptClip("a", "a", ((np.zeros((1, 0), np.int32),),))
    static = coder_named("static", learned.train_tables("toy", [empty], (4,)))
    (data,) = static.encode([child[:, :1] - 4], (4,))
    assert data


def test_contexts_that_tell_nothing_are_not_believed():
    useless = learned.train_tables("even", even(8, 400, 32), (32,)).streams[0].pairs["previous"]
    first, second = learned.train_tables("toy", clips(8), SIZES).streams
    assert useless.strength > 1000 * first.pairs["previous"].strength
    # The parent tells all that the code before does.
    assert second.pairs["previous"].strength > 1000 * second.pairs["coarser"].strength
    # Of speakers who differ, what is known of others is worth less than the clip's own counts.
    random = np.random.default_rng(1)
    codes = [random.integers(4 * n, 4 * n + 4, (1, 200)).astype(np.int32) for n in range(8)]
    corpus = [learned.KeptClip(f"c{n}", f"s{n}", ((of,),)) for n, of in enumerate(codes)]
    apart, alike = (learned.train_tables("x", c, (32,)) for c in (corpus, even(8, 200, 32)))
    assert apart.streams[0].strength < alike.streams[0].strength / 8


def test_the_choice_is_near_the_best_that_the_coder_can_do(tables):
    """The vectorised code length that training minimises is that of the coder itself."""

    def coded(strength=None):
        stream = tables.streams[0]
        pairs = stream.pairs["previous"]
        changed = replace(pairs, strength=strength or pairs.strength)
        stream = replace(stream, pairs={**stream.pairs, "previous": changed})
        with_it = learned.Tables("toy", (stream, tables.streams[1]), 8)
        return coder_named("context", with_it).write(levels(150, seed=77), SIZES)[0].ideal_bits

    assert coded() <= 1.02 * min(coded(2**power) for power in range(0, 21, 2))


REAL, CONTROL = (
    list(held_out_rows("toy", clips(), SIZES, coders=ENTROPY_CODERS, shuffled=control, seed=3))
    for control in (False, True)
)


def total(rows, coder, stream):
    return sum(row.stream_bytes[stream] for row in rows if row.coder == coder)


def test_tables_never_saw_the_clusters_that_they_code():
    coded_by_halves = []
    for (tables, coded), (_, again) in zip(
        cross_fitted("toy", clips(), SIZES), cross_fitted("toy", clips()[::-1], SIZES), strict=True
    ):
        others = [c for c in clips() if c.cluster not in {one.cluster for one in coded}]
        tokens = np.concatenate([c.parts[0][0].ravel() for c in others])
        assert np.array_equal(tables.streams[0].counts, np.bincount(tokens, minlength=SIZES[0]))
        assert (len(coded), len(others)) == (6, 6)
        assert [c.clip for c in again] == [c.clip for c in coded][::-1]
        coded_by_halves += coded
    assert sorted(c.clip for c in coded_by_halves) == sorted(c.clip for c in clips())
    alone = [learned.KeptClip(name, "s", clips(1)[0].parts) for name in "ab"]
    with pytest.raises(UserError, match=re.escape("speakers or tracks or more, found 1: tables")):
        list(held_out_rows("toy", alone, SIZES, coders=["static"]))


def test_contexts_save_where_there_is_something_to_know_and_nothing_in_the_control():
    for known in ("static", "adaptive"):
        assert total(REAL, "context", 0) < 0.7 * total(REAL, known, 0)  # by the code before
        assert total(REAL, "context", 1) < 0.6 * total(REAL, known, 1)  # by the parent
    for stream in (0, 1):
        saving = 1 - total(CONTROL, "context", stream) / total(CONTROL, "adaptive", stream)
        assert -0.02 < saving < 0.002
    # A row per clip and coder.
    asked = {(one.clip, name) for one in clips() for name in ENTROPY_CODERS}
    for rows, control in ((REAL, False), (CONTROL, True)):
        assert {(row.clip, row.coder) for row in rows} == asked
        assert len(rows) == len(asked)
        assert {(row.shuffled, row.trained_on_clips) for row in rows} == {(control, 6)}
        assert len({row.tables_sha256 for row in rows}) == 2


def test_what_is_shuffled_is_the_order_and_nothing_else():
    given, shuffled = clips(), shuffled_clips(clips(), seed=3)
    for index in range(2):
        before, after = (
            np.concatenate([c.parts[0][index].ravel() for c in these])
            for these in (given, shuffled)
        )
        assert not np.array_equal(before, after)
        assert np.array_equal(np.sort(before), np.sort(after))
    again, other = (shuffled_clips(clips(), seed=seed)[0].parts[0][0] for seed in (3, 4))
    assert again.shape == given[0].parts[0][0].shape
    assert np.array_equal(again, shuffled[0].parts[0][0])
    assert not np.array_equal(again, other)


def test_parts_of_a_clip_add_up_and_a_coder_that_loses_codes_is_caught(monkeypatch):
    first, second, other = clips(3)
    twice = replace(second, parts=second.parts * 2)  # coded by what `other` taught, as `second` is
    made = [held_out_rows("toy", [c, other], SIZES, coders=["adaptive"]) for c in (second, twice)]
    alone, both = (next(row for row in rows if row.clip == "c1") for rows in made)
    assert both.stream_bytes == tuple(2 * size for size in alone.stream_bytes)
    wrong = tuple(array + 1 for array in first.parts[0])
    monkeypatch.setattr(coders.Coder, "decode", lambda *_: wrong)
    with pytest.raises(CodecError, match=r"adaptive did not give back the codes of c\d"):
        list(held_out_rows("toy", [first, other], SIZES, coders=["adaptive"]))
