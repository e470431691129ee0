from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import CodecError, UnknownName, UserError
from snacbench.rate.coding.coder import shapes_of
from snacbench.rate.coding.coders import CODERS, ENTROPY_CODERS, coder_named, entropy_coder
from snacbench.rate.coding.range_coder import SHARES
from snacbench.rate.coding.tables import Tables
from snacbench.rate.coding.training import TrainingCodes, train_tables
from snacbench.types import Codes
from tests.rate.coding.corpora import SIZES, corpus, levels

TABLES = train_tables("toy@1kbps", corpus(), SIZES)
LEARNING = ("adaptive", "previous", "coarser")
BOTH = [(name, True) for name in ENTROPY_CODERS] + [(name, False) for name in LEARNING]


@st.composite
def codes(draw: st.DrawFn) -> tuple[tuple[Codes, ...], tuple[int, ...]]:
    """Streams of any number, size, rate and channels; some repeat, some are empty."""
    sizes = draw(st.lists(st.sampled_from([2, 3, 16, 1000, 4096]), max_size=4))
    channels = draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    arrays = []
    for size in sizes:
        used = max(1, size // draw(st.sampled_from([1, 4, size])))
        frames = draw(st.integers(0, 40))
        arrays.append(random.integers(0, used, (channels, frames)).astype(np.int32))
    return tuple(arrays), tuple(sizes)


def there_and_back(
    name: str, given_codes: tuple[Codes, ...], sizes: tuple[int, ...], tables: Tables | None
) -> None:
    coder = coder_named(name, tables)
    data = coder.encode(given_codes, sizes)
    decoded = coder.decode(data, shapes_of(given_codes, sizes))
    assert len(decoded) == len(given_codes) == len(data)
    for one, other in zip(decoded, given_codes, strict=True):
        assert one.dtype == np.int32
        assert np.array_equal(one, other)


@given(codes(), st.sampled_from(LEARNING))
def test_codes_come_back_without_tables(
    made: tuple[tuple[Codes, ...], tuple[int, ...]], name: str
) -> None:
    there_and_back(name, *made, None)


@given(codes(), st.sampled_from(ENTROPY_CODERS), st.integers(0, 100))
def test_codes_come_back_with_tables_of_other_codes(
    made: tuple[tuple[Codes, ...], tuple[int, ...]], name: str, seed: int
) -> None:
    arrays, sizes = made
    random = np.random.default_rng(seed)
    others = tuple(
        random.integers(0, size, (1, 30)).astype(np.int32)
        for size, array in zip(sizes, arrays, strict=True)
    )
    tables = train_tables("x", [TrainingCodes(others, "a"), TrainingCodes(arrays, "b")], sizes)
    there_and_back(name, arrays, sizes, tables)


@pytest.mark.parametrize(("name", "trained"), BOTH)
def test_bytes_are_the_models_code_length_rounded_up(name: str, trained: bool) -> None:
    coder = entropy_coder(name, TABLES if trained else None)
    assert coder.tables_sha256 == (TABLES.sha256 if trained else "")
    made = levels(400, seed=99)
    written = coder.write(made, SIZES)
    assert coder.encode(made, SIZES) == tuple(one.data for one in written)
    for one in written:
        # The shortest bytes in the range; now and then they are a little shorter than it is wide.
        assert one.ideal_bits - 8 < 8 * len(one.data) < one.ideal_bits + 12


def test_models_that_know_more_write_less() -> None:
    made = levels(400, seed=99)
    size = {
        name: [len(one) for one in entropy_coder(name, TABLES).encode(made, SIZES)]
        for name in ENTROPY_CODERS
    }
    assert size["previous"][0] < 0.7 * size["static"][0]  # the Markov stream
    assert size["coarser"][1] < 0.6 * size["static"][1]  # its child
    assert abs(size["coarser"][0] - size["adaptive"][0]) <= 1  # has no coarser one
    untrained = entropy_coder("adaptive").encode(made, SIZES)
    assert size["adaptive"][0] < len(untrained[0])


def test_the_ideal_length_is_that_of_the_shares() -> None:
    made = levels(50, seed=3)
    (first, _) = entropy_coder("static", TABLES).write(made, SIZES)
    shares = TABLES.streams[0].shares[made[0][0]]
    assert first.ideal_bits == pytest.approx(-np.log2((shares + 1) / SHARES).sum())


@pytest.mark.parametrize(("name", "trained"), BOTH)
def test_bytes_of_another_stream_or_length_are_refused(name: str, trained: bool) -> None:
    coder = entropy_coder(name, TABLES if trained else None)
    made = levels(100, seed=5)
    shapes = shapes_of(made, SIZES)
    first, second = coder.encode(made, SIZES)
    for data in ((second, first), (first + b"\1", second)):
        with pytest.raises(CodecError, match="cannot have come from these tables and lengths"):
            coder.decode(data, shapes)
    shorter = shapes_of([array[:, :-20] for array in made], SIZES)
    with pytest.raises(CodecError, match="cannot have come"):
        coder.decode((first, second), shorter)


@pytest.mark.parametrize(("name", "trained"), BOTH)
def test_changed_bytes_never_give_the_codes(name: str, trained: bool) -> None:
    """Without redundancy they may be the bytes of other codes: a checksum has to tell."""
    coder = entropy_coder(name, TABLES if trained else None)
    made = levels(60, seed=6)
    data, shapes = coder.encode(made, SIZES), shapes_of(made, SIZES)
    for place in range(len(data[0])):
        changed = bytearray(data[0])
        changed[place] ^= 1 << place % 8
        try:
            decoded = coder.decode((bytes(changed), data[1]), shapes)
        except CodecError:
            continue
        assert not np.array_equal(decoded[0], made[0])


@pytest.mark.parametrize(("name", "trained"), BOTH)
def test_codes_in_no_codebook_are_refused(name: str, trained: bool) -> None:
    coder = entropy_coder(name, TABLES if trained else None)
    made = levels(10, seed=5)
    with pytest.raises(
        CodecError, match=r"stream 1 holds codes from .* outside its codebook of 32"
    ):
        coder.encode((made[0], made[1] + 32), SIZES)
    with pytest.raises(CodecError, match="found 1 streams of codes for 2 codebooks"):
        coder.encode(made[:1], SIZES)
    with pytest.raises(CodecError, match="found bytes of 1 streams for 2 streams"):
        coder.decode([b""], shapes_of(made, SIZES))


@pytest.mark.parametrize("name", ENTROPY_CODERS)
def test_tables_of_another_operating_point_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="the tables are those of toy@1kbps"):
        entropy_coder(name, TABLES).encode(levels(10, seed=1)[:1], SIZES[:1])
    with pytest.raises(UserError, match="the tables are those of toy@1kbps"):
        entropy_coder(name, TABLES).decode([b""], shapes_of(levels(10, seed=1)[:1], SIZES[:1]))


def test_names() -> None:
    assert CODERS == ("packed", "static", "adaptive", "previous", "coarser")
    assert [coder_named(name, TABLES).name for name in CODERS] == list(CODERS)
    assert coder_named("packed").tables_sha256 == ""
    with pytest.raises(UnknownName, match="no coder 'adaptiv'; did you mean adaptive"):
        coder_named("adaptiv")
    with pytest.raises(UnknownName, match="no entropy coder 'packed'; there are: static"):
        entropy_coder("packed")
    with pytest.raises(UserError, match="the coder static needs tables that were trained on other"):
        coder_named("static")
