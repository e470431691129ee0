"""The ladder of rates, from rows written by hand."""

from pathlib import Path

import numpy as np
import pytest

from snacbench.rate.entropy import corrected_entropy_bits, plug_in_entropy_bits
from snacbench.rows import Bits, Coded, CodedBytes
from snacbench.store.run_folder import RunFolder
from snacbench.tables.ladder import ladder_of, ladder_tables
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import entries_of
from snacbench.tables.table_model import Cell, Column
from snacbench.types import Clip
from tests.support.written_runs import NEURAL, RUN, coded, histograms, of

SPEAKERS, CLIPS = 6, 12
SECONDS, SIDE_BITS = 2.0, 8


def codes_of(clip):
    """Counts of one clip's codes in both streams."""
    rng = np.random.default_rng(clip)
    return rng.multinomial(40, [0.4, 0.3, 0.2, 0.1]), rng.multinomial(80, np.full(16, 1 / 16))


def clip(number):
    name = f"c{number}"
    samples, speaker = int(8000 * SECONDS), f"s{number % SPEAKERS}"
    return Clip(name, Path(f"{name}.wav"), "", 8000, 1, samples, domain="speech", cluster=speaker)


def made(path, order=range(CLIPS), seconds=lambda _: SECONDS):
    folder = RunFolder.create(path, RUN, [clip(i) for i in order])
    for i in order:
        counts, bits = [c.tolist() for c in codes_of(i)], Bits(codes=400, side_info=SIDE_BITS)
        folder.append([coded(f"c{i}", "speech", seconds(i), bits)])
        folder.append(histograms(f"c{i}", *counts))
    return folder


@pytest.fixture
def folder(tmp_path):
    return made(tmp_path / "run")


def write(folder, coder, *stream_bytes, clips=range(CLIPS), **more):
    ideal = tuple(8.0 * count for count in stream_bytes)
    folder.append(
        CodedBytes(f"c{i}", NEURAL.name, coder, "", stream_bytes, ideal, **more) for i in clips
    )


def ladder(folder):
    return ladder_of(entries_of([RunRows.load(folder)])[0], "all")


def cells_of(table, label=NEURAL.name):
    (row,) = (row for row in table.rows if row.label == label)
    return row.cells


def test_rates_do_not_depend_on_the_order_of_clips(tmp_path):
    orders = {"a": range(24), "b": range(23, -1, -1)}
    one, other = (made(tmp_path / n, o, lambda i: 0.1 * (1 + i)) for n, o in orders.items())
    assert ladder(one).entropy == ladder(other).entropy


def test_rates_from_the_nominal_to_the_held_out_one(folder):
    found = ladder(folder)
    first, second = (sum(counts) for counts in zip(*map(codes_of, range(CLIPS)), strict=True))
    bits = 40 * CLIPS * corrected_entropy_bits(first) + 80 * CLIPS * corrected_entropy_bits(second)
    side_bits, seconds = CLIPS * SIDE_BITS, CLIPS * SECONDS
    assert found.record["nominal_kbps"] == 0.1
    assert found.record["actual_kbps"] == pytest.approx(408 / SECONDS / 1000)
    assert found.entropy.mean == pytest.approx((bits + side_bits) / seconds / 1000)
    assert found.entropy.low < found.entropy.mean < found.entropy.high
    assert (found.entropy.clusters, found.entropy.n) == (SPEAKERS, CLIPS)
    assert found.entropy.method == "jackknife over clusters"
    held_out = sum(book.held_out for book in found.books) + side_bits
    assert found.held_out_kbps == pytest.approx(held_out / seconds / 1000)
    assert found.held_out_kbps > found.entropy.low
    # Leaving out a speaker leaves out all that is theirs.
    by_speaker = [sum(codes_of(i)[0] for i in range(s, CLIPS, SPEAKERS)) for s in range(SPEAKERS)]
    left = [corrected_entropy_bits(sum(by_speaker) - one) for one in by_speaker]
    error = np.sqrt((SPEAKERS - 1) / SPEAKERS * np.sum((np.array(left) - np.mean(left)) ** 2))
    interval = found.books[0].interval
    assert interval.mean - interval.low == pytest.approx(2.5706 * error, rel=1e-4)


def test_bytes_that_coders_wrote_are_rates_with_the_side_information(folder):
    rates, use, books = ladder_tables([RunRows.load(folder)], codebooks=True)
    keys = "nominal_kbps actual_kbps entropy_kbps held_out_kbps"
    assert " ".join(c.key for c in rates.columns) == keys
    assert any("'snacbench entropy RUN' adds it" in note for note in rates.footnotes)
    cells = cells_of(use)
    assert (cells["tokens"].value, cells["dead"].value, cells["entries"].value) == (960, 0, 20)
    assert cells["usage_percent"].value == 100
    assert cells["bitrate_efficiency_percent"].value < cells["efficiency_percent"].value
    assert books.title == f"Codebooks of {NEURAL.name}, all clips"
    first, counts = cells_of(books, "1"), sum(codes_of(i)[0] for i in range(CLIPS))
    assert first["plug_in_bits"].value == plug_in_entropy_bits(counts)
    assert first["packed_bits"].value == 2
    assert first["perplexity"].value == 2 ** corrected_entropy_bits(counts)
    write(folder, "static", 99, 99)
    write(folder, "static", 10, 40)  # of two rows of a coder the last counts
    write(folder, "static", 1, 1, shuffled=True)  # a control is no rate
    write(folder, "previous", 9, 30, clips=range(5))
    static, previous = (ladder(folder).coded[name] for name in ("static", "previous"))
    assert static.kbps == pytest.approx((50 * 8 + SIDE_BITS) / SECONDS / 1000)
    assert static.bits_per_token == pytest.approx((10 * 8 / 40, 40 * 8 / 80))
    assert (previous.clips, previous.bits_per_token) == (5, ())
    rates, _, books = ladder_tables([RunRows.load(folder)], codebooks=True)
    assert "The columns after it are of bytes" in rates.footnotes[1]
    assert cells_of(rates)["previous_kbps"].notes == ("5 of 12 clips were written.",)
    assert cells_of(books, "2")["static_bits"].value == 4


def test_few_tokens_are_flagged_or_leave_a_range_only(tmp_path):
    made = of(tmp_path / "few")
    made.append([coded("a", "speech", 1.0, Bits(100)), *histograms("a", [10, 10], [8, 7])])
    made.append([coded("a", "speech", 1.0, Bits(payload=8000), codec="plain")])
    rates, use, books = ladder_tables([RunRows.load(made)], codebooks=True)
    cell, column = cells_of(rates)["entropy_kbps"], Column("c", "c", digits=3)
    assert (cell.number(column), cell.ends(column)) == ("unreliable", "[0.036, 0.081]")
    assert cell.notes[0].startswith("Fewer tokens than codebook entries")
    assert cells_of(rates, "plain")["actual_kbps"].value == 8.0
    assert cells_of(rates, "plain")["entropy_kbps"] == Cell()
    assert cells_of(use)["efficiency_percent"].text == "unreliable"
    assert books.rows[1].cells["entropy_bits"].interval.high == 4
    assert books.rows[1].cells["perplexity"].value is None
    rows = [coded("a", "speech", 1.0, Bits(100)), *histograms("a", [10, 10], [10, 10])]
    rates, _ = ladder_tables([RunRows.load(of(tmp_path / "more", rows))])
    cell = cells_of(rates)["entropy_kbps"]
    assert cell.value is not None
    assert cell.notes[0].startswith("Fewer than 3 tokens per codebook entry, or fewer than 30 cl")
    failed = [Coded("a", NEURAL.name, "failed", "why", "speech", 1.0, None)]
    (rates,) = ladder_tables([RunRows.load(of(tmp_path / "failed", failed))])
    assert any(note.startswith("1 of 1 codings") for note in rates.footnotes)


def test_a_clip_alone_has_no_interval_and_nothing_held_out(tmp_path, folder):
    rows = [coded("a", "speech", 1.0, Bits(100)), *histograms("a", [30, 30], [60] * 16)]
    found = ladder(of(tmp_path / "one", rows))
    assert (found.entropy.low, found.entropy.high, found.held_out_kbps) == (None, None, None)
    assert all(book.held_out is None for book in found.books)
    folder.append([coded("late", "speech", 1.0, Bits(100))])  # and without any histogram no entropy
    found = ladder(folder)
    assert (found.entropy, found.held_out_kbps, found.books) == (None, None, ())
    assert found.record["actual_kbps"] is not None
