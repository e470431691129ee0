from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.rate.coding.range_coder import SHARES, divisible
from snacbench.rate.coding.tables import (
    UNIT,
    Pairs,
    StreamTable,
    Tables,
    check_fits,
    read_tables,
    untrained,
    write_tables,
)
from snacbench.rate.coding.training import train_tables
from tests.rate.coding.corpora import SIZES, corpus


@pytest.fixture(scope="module")
def tables() -> Tables:
    return train_tables("toy@1kbps", corpus(), SIZES)


def test_tables_come_back_from_their_file(tables: Tables, tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    write_tables(path, tables)
    again = read_tables(path)
    assert again.sha256 == tables.sha256
    assert (again.codec, again.clips, again.codebook_sizes) == ("toy@1kbps", 8, SIZES)
    for one, other in zip(again.streams, tables.streams, strict=True):
        assert np.array_equal(one.shares, other.shares)
        assert one.pairs.keys() == other.pairs.keys() == {"previous", "coarser"}
    assert path.stat().st_size < 10_000


def test_the_digest_depends_on_everything_that_coding_does(tables: Tables) -> None:
    first, *others = tables.streams
    pairs = first.pairs["previous"]
    changed = [
        replace(first, smoothing=first.smoothing + 1),
        replace(first, strength=first.strength * 2),
        replace(first, counts=first.counts + 1),
        replace(first, pairs={**first.pairs, "previous": replace(pairs, strength=7)}),
        replace(first, pairs={**first.pairs, "previous": replace(pairs, counts=pairs.counts + 1)}),
    ]
    digests = {replace(tables, streams=(one, *others)).sha256 for one in changed}
    assert len(digests | {tables.sha256}) == 6


def test_every_code_can_be_written(tables: Tables) -> None:
    for stream in tables.streams:
        assert stream.shares.min() >= 0
        assert stream.shares.sum() == divisible(stream.codebook_size)


def test_an_untrained_table_is_even_and_starts_as_krichevsky_and_trofimov_do() -> None:
    table = untrained(10)
    assert np.ptp(table.shares[:-1]) == 0
    assert table.shares.sum() == SHARES - 10
    assert table.strength == 5  # half a token each
    assert table.smoothing == UNIT


def test_successors_of_a_context(tables: Tables) -> None:
    pairs = tables.streams[0].pairs["previous"]
    symbols, counts = pairs.after(int(pairs.contexts[0]))
    assert np.array_equal(symbols, np.unique(symbols))
    assert counts.sum() == pairs.counts[pairs.contexts == pairs.contexts[0]].sum()
    assert pairs.after(10**6)[0].size == 0


def test_tables_of_other_codebooks_are_refused(tables: Tables) -> None:
    check_fits(tables, SIZES)
    with pytest.raises(UserError, match="tables are those of toy@1kbps, with codebooks of 2 x 32"):
        check_fits(tables, (32, 32, 32))
    with pytest.raises(UserError, match="do not fit codes from codebooks of 32, 64; train tables"):
        check_fits(tables, (32, 64))


def test_a_file_that_holds_no_tables_is_refused(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read tables from .*No such file"):
        read_tables(tmp_path / "none.npz")
    path = tmp_path / "tables.npz"
    path.write_bytes(b"no tables")
    with pytest.raises(UserError, match="holds no tables of codes"):
        read_tables(path)
    np.savez(path, meta=np.array('{"format": "snacbench tables 9"}'))
    with pytest.raises(UserError, match="format 'snacbench tables 9', expected"):
        read_tables(path)
    write_tables(path, tables)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="holds no tables of codes"):
        read_tables(path)


def test_a_changed_file_is_refused(tables: Tables, tmp_path: Path) -> None:
    path = tmp_path / "tables.npz"
    write_tables(path, tables)
    with np.load(path) as held:
        arrays = dict(held)
    arrays["0"] = arrays["0"] + 1
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=r"is damaged: its content has sha256 \w+, expected \w+;"):
        read_tables(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": 0}, "strengths"),
        ({"smoothing": 0.5}, "expected whole numbers of 1 or more"),
        ({"counts": np.array([3])}, "expected 2 entries or more"),
        ({"symbols": np.array([40])}, "in no codebook or out of order"),
        ({"symbols": np.array([1, 2])}, "pairs of unequal length"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    one = np.ones(1, np.int64)
    pairs = {"previous": Pairs(one, change.pop("symbols", one), one, 1)}
    stream = replace(StreamTable(np.arange(4), 8, 8, pairs), **change)
    write_tables(tmp_path / "tables.npz", Tables("toy", (stream,)))
    with pytest.raises(UserError, match=message):
        read_tables(tmp_path / "tables.npz")
