"""Entropy coders and the range coder: codes come back, at the length of their model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import CodecError, UnknownName, UserError
from snacbench.rate.coding import coders
from snacbench.rate.coding import trained as learned
from snacbench.rate.coding.range_coder import SHARES, Reader, Writer, divided, divisible
from snacbench.units import bits_per_code
from tests.support.kept_runs import SIZES, clips, levels

TABLES = learned.train_tables("toy@1kbps", clips(8), SIZES)


USUAL = st.sampled_from([2, 3, 16, 1000, 4096])


@st.composite
def codes(draw, sizes=USUAL):
    """Streams of any number, size, rate and channels; some repeat, some are empty."""
    sizes = draw(st.lists(sizes, max_size=4))
    channels = draw(st.integers(1, 2))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    arrays = []
    for size in sizes:
        used = max(1, size // draw(st.sampled_from([1, 4, size])))
        frames = draw(st.integers(0, 40))
        arrays.append(random.integers(0, used, (channels, frames)).astype(np.int32))
    return tuple(arrays), tuple(sizes)


@settings(deadline=None, max_examples=50)
@given(codes(), st.sampled_from(coders.CODERS), st.booleans(), st.integers(0, 100))
def test_codes_come_back(made, name, trained, seed):
    """Without tables, and with some of other codes too."""
    arrays, sizes = made
    random = np.random.default_rng(seed)
    others = tuple(random.integers(0, size, (1, 30)).astype(np.int32) for size in sizes)
    corpus = [learned.KeptClip("a", "a", (others,)), learned.KeptClip("b", "b", (arrays,))]
    tables = learned.train_tables("x", corpus, sizes) if trained or name == "static" else None
    assert_they_come_back(coders.coder_named(name, tables), arrays, sizes)


def assert_they_come_back(coder, arrays, sizes):
    data = coder.encode(arrays, sizes)
    decoded = coder.decode(data, coders.shapes_of(arrays, sizes))
    assert len(decoded) == len(arrays) == len(data)
    for one, other in zip(decoded, arrays, strict=True):
        assert one.dtype == np.int32
        assert np.array_equal(one, other)
    return data


@pytest.mark.parametrize("name", coders.CODERS)
@pytest.mark.parametrize("tables", [TABLES, None], ids=["trained", "untrained"])
def test_bytes_are_the_models_code_length_and_others_are_refused(name, tables):
    if name == "static" and not tables:
        with pytest.raises(UserError, match="the coder static needs tables that were trained on"):
            coders.coder_named(name)
        return
    coder, made = coders.coder_named(name, tables), levels(200, seed=99)
    shapes, written = coders.shapes_of(made, SIZES), coder.write(made, SIZES)
    first, second = (one.data for one in written)
    assert (coder.name, coder.encode(made, SIZES)) == (name, (first, second))
    for one in written:
        # The shortest bytes in the range; now and then they are a little shorter than it is wide.
        assert one.ideal_bits - 8 < 8 * len(one.data) < one.ideal_bits + 12
    shorter = coders.shapes_of([array[:, :-20] for array in made], SIZES)
    for data, of in (((second, first), shapes), ((first + b"\1", second), shapes),
                     ((first, second), shorter)):  # fmt: skip
        with pytest.raises(CodecError, match=r"cannot have come from these tables|bytes, expected"):
            coder.decode(data, of)
    with pytest.raises(CodecError, match=r"stream 1 holds codes from .* its codebook of 32"):
        coder.encode((made[0], made[1] + 32), SIZES)
    with pytest.raises(CodecError, match="found 1 streams of codes for 2 codebooks"):
        coder.encode(made[:1], SIZES)
    with pytest.raises(CodecError, match="found bytes of 1 streams for 2 streams"):
        coder.decode([b""], shapes)
    used = tables if name != "packed" else None
    assert coder.tables_sha256 == (TABLES.sha256 if used else "")
    if used:
        with pytest.raises(UserError, match="the tables are those of toy@1kbps"):
            coder.encode(made[:1], SIZES[:1])
        with pytest.raises(UserError, match=r"books of \[32, 32\] .* codes from .* of \[32\]; tr"):
            coder.decode([b""], coders.shapes_of(made[:1], SIZES[:1]))


def test_a_model_that_was_trained_writes_less_and_all_can_write_every_code():
    made = levels(400, seed=99)
    trained, untaught = (coders.coder_named("adaptive", tables) for tables in (TABLES, None))
    assert len(trained.encode(made, SIZES)[0]) < len(untaught.encode(made, SIZES)[0])
    (first, _) = coders.coder_named("static", TABLES).write(made, SIZES)
    shares = TABLES.streams[0].shares[made[0][0]]
    assert first.ideal_bits == pytest.approx(-np.log2((shares + 1) / SHARES).sum())
    with pytest.raises(UnknownName, match="no coder 'adaptiv'; did you mean adaptive"):
        coders.coder_named("adaptiv")
    # A model that is sure of something else can still write every code.
    model = coders.LearningModel(learned.StreamTable(np.array([10**9, 0]), 1, 1), ("coarser",))
    for _ in range(1000):
        model.learn(0, (0,))
    assert model.shares((0,))[1] >= 0
    assert model.shares((0,)).sum() == divisible(2)


@pytest.mark.parametrize(("rows", "size", "data"), [
    ([[5, 3, 0, 7]], 8, bytes([0b10101100, 0b01110000])),  # 3 bits each, zeros fill up
    ([[1, 2], [3, 4]], 16, bytes([0x12, 0x34])),  # channel after channel
    ([[999]], 1000, b"\xf9\xc0"),  # 10 bits
])  # fmt: skip
def test_packed_bits_by_hand(rows, size, data):
    assert coders.PACKED.encode([np.array(rows, np.int32)], [size]) == (data,)


@given(codes(st.integers(2, 1 << 16) | st.integers(2, 1 << 31)))
def test_packed_codes_of_every_size_come_back(made):
    arrays, sizes = made
    for array, size in zip(arrays, sizes, strict=True):
        array[:, :1] = size - 1
    data = assert_they_come_back(coders.PACKED, arrays, sizes)
    bits = [codes.size * bits_per_code(size) for codes, size in zip(arrays, sizes, strict=True)]
    assert [len(one) for one in data] == [-(-count // 8) for count in bits]


@pytest.mark.parametrize(("data", "shape", "message"), [
    (b"\xe0", coders.StreamShape(5, 1, 1), "stream 0 holds codes from 7 to 7, outside its .* of 5"),
    (bytes(4), coders.StreamShape(1024, 1, 4), "0 has 4 bytes, expected 5 for 1 x 4 indices"),
    (b"\xa1", coders.StreamShape(8, 1, 1), "stream 0 goes on after its last index"),
])  # fmt: skip
def test_packed_bytes_that_are_not_those_of_the_shape(data, shape, message):
    with pytest.raises(CodecError, match=message):
        coders.PACKED.decode([data], [shape])


# Shares against the formulas of docs/bitstreams.md.
COUNTS = np.array([5, 0, 3, 0, 0, 1, 0, 91])
COARSER = learned.Pairs(np.array([2, 2, 4]), np.array([1, 7, 3]), np.array([3, 1, 2]), strength=4)
PREVIOUS = learned.Pairs(np.array([1]), np.array([6]), np.array([5]), strength=8)
PAIRS = {"coarser": COARSER, "previous": PREVIOUS}
TABLE = learned.StreamTable(COUNTS, learned.UNIT // 2, 16, PAIRS)
STATIC = (COUNTS + 0.5) / (100 + 0.5 * 8)


def probabilities(shares):
    assert shares.sum() == divisible(8)
    assert shares.min() >= 0
    # 2^24 shares, of which each code has one, and weights in 4096ths.
    return pytest.approx((shares + 1) / SHARES, abs=5e-5)


def order_zero(learnt):
    return (np.bincount(learnt, minlength=8) + 16 * STATIC) / (len(learnt) + 16)


def test_order_zero_learns_the_clip():
    assert probabilities(TABLE.shares) == STATIC
    model, learnt = coders.LearningModel(TABLE), []
    for symbol in (1, 1, 6, 7, 1):
        assert probabilities(model.shares()) == order_zero(learnt)
        model.learn(symbol)
        learnt.append(symbol)
    assert probabilities(model.shares()) == order_zero(learnt)


def test_a_context_adds_what_followed_it_in_training_and_in_the_clip():
    model = coders.LearningModel(TABLE, ("coarser", "previous"))
    for symbol, contexts in ((1, (2, -1)), (6, (2, 1)), (1, (2, 6)), (5, (4, 1)), (0, (-1, 5))):
        model.learn(symbol, contexts)
    fallback = order_zero([1, 6, 1, 5, 0])
    coarser = (np.array([0, 3 + 2, 0, 0, 0, 0, 1, 1]) + 4 * fallback) / (7 + 4)
    assert probabilities(model.shares((2, -1))) == coarser
    both = (np.array([0, 0, 0, 0, 0, 1, 5 + 1, 0]) + 8 * coarser) / (7 + 8)
    assert probabilities(model.shares((2, 1))) == both
    assert probabilities(model.shares((-1, -1))) == fallback
    assert probabilities(model.shares((6, 7))) == fallback  # contexts that never were
    # Without tables it is Krichevsky and Trofimov's estimator, at order 0 and in a context.
    only_clip = coders.LearningModel(learned.untrained(8), ("coarser",))
    assert probabilities(only_clip.shares((3,))) == np.full(8, 1 / 8)
    only_clip.learn(5, (3,))
    plain = (np.eye(8)[5] + 0.5) / 5
    assert probabilities(only_clip.shares((3,))) == (np.eye(8)[5] + 4 * plain) / (1 + 4)  # K / 2


@st.composite
def messages(draw):
    """Weights of a few symbols, from even to absurdly skewed, and symbols likely and not."""
    size = draw(st.sampled_from([2, 3, 16, 300]))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    weights = random.integers(0, 1000, size) ** draw(st.integers(1, 5))
    weights[draw(st.integers(0, size - 1))] += 10 ** draw(st.integers(0, 12))
    shares, count = divided(weights), draw(st.integers(0, 60))
    if draw(st.booleans()):
        return shares, random.choice(size, count, p=(shares + 1) / SHARES).astype(np.int32)
    return shares, random.integers(0, size, count).astype(np.int32)


@given(messages())
def test_symbols_become_the_shortest_bytes_and_come_back(message):
    shares, symbols = message
    writer = Writer()
    for symbol in symbols.tolist():
        writer.put(symbol, shares)
    data = writer.finish()
    ideal = sum(-np.log2((shares[s] + 1) / SHARES) for s in symbols)
    assert writer.bits == pytest.approx(ideal, abs=1e-6)
    # Constriction's own rounding of the range costs up to 2^-8 of a bit per symbol.
    assert len(data) * 8 <= ideal + 8 + len(symbols) / 256
    reader = Reader(data)
    assert [reader.take(shares) for _ in symbols] == symbols.tolist()
    reader.finish()


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=5000).filter(any))
def test_shares_are_whole_and_add_up(weights):
    shares = divided(np.array(weights))
    assert shares.min() >= 0
    assert shares.sum() == divisible(len(weights)) == SHARES - len(weights)
    exact = np.array(weights) / sum(weights) * divisible(len(weights))
    assert np.all(np.abs(shares - exact)[:-1] < 1.001)


def test_every_other_string_of_bytes_is_refused_or_other_symbols():
    even = divided(np.ones(16, np.int64))
    writer = Writer()
    for symbol in (3, 1, 4, 1, 5, 9, 2, 6):
        writer.put(symbol, even)
    data = writer.finish()
    foreign = [(data[:cut] + b"\0" * (len(data) - cut + 1), 8) for cut in range(len(data))]
    foreign += [(data + end, 8) for end in (b"\0", b"\1", b"\xff" * 9)]
    foreign += [(some, 3) for some in (b"\xff" * 5, b"\x12\x34\x56\x78\x9a\xbc", b"\1\2\3")]

    def read_all(some, count):
        reader = Reader(some)
        for _ in range(count):
            reader.take(even)
        reader.finish()

    for some, count in foreign:
        with pytest.raises(CodecError, match="cannot have come from these tables and lengths"):
            read_all(some, count)
    # 2^64 - 1 is not a multiple of 2^24: the very top of the range belongs to no symbol.
    with pytest.raises(CodecError, match="the file is damaged"):
        Reader(b"\xff" * 8).take(even)
