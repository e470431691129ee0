from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from snacbench.rows import Bits
from snacbench.store.folder import RunFolder
from snacbench.tables.formats import notes, to_csv, to_markdown, to_terminal
from snacbench.tables.run import RunRows
from snacbench.tables.summary import summary
from snacbench.types import MetricSpec, WeightsInfo
from tests.tables.conftest import NEURAL, RUN, SPEED, coded, histograms, score


def printed(runs, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for table in to_terminal(runs, width=width):
        console.print(table)
    return console.file.getvalue()


def wide_run(tmp_path) -> RunRows:
    """Eight metrics on a codec with a long name: more than a terminal is wide."""
    spec = replace(NEURAL, name="a-codec-with-a-long-name@12.5kbps")
    metrics = tuple(
        MetricSpec(f"metric_number_{i}", "", "higher", (0, 1), 8000, "none") for i in range(8)
    )
    made = RunFolder.create(tmp_path / "wide", replace(RUN, codecs=(spec,), metrics=metrics), [])
    made.append([coded(c, "speech", 1.0, Bits(12345), codec=spec.name) for c in "ab"])
    made.append([replace(h, codec=spec.name) for h in histograms("a", [9, 9], [9, 8, 7])])
    made.append([replace(SPEED, codec=spec.name)])
    made.append(
        score(c, m.name, 1.5 + i, codec=spec.name) for c in "ab" for i, m in enumerate(metrics)
    )
    return RunRows.load(made)


def test_csv_is_the_summary_at_full_precision_with_missing_cells_empty(rows):
    header, *lines = to_csv([rows]).splitlines()
    frame = summary([rows])
    assert header == ",".join(frame.columns)
    cells = dict(zip(header.split(","), lines[-2].split(","), strict=True))
    assert (cells["codec"], cells["domain"], cells["n"]) == ("plain", "speech", "1")
    assert cells["nominal_kbps"] == cells["entropy_kbps"] == cells["down"] == ""
    assert (cells["up"], cells["n_up"], cells["n_down"]) == ("-4.0", "1", "0")
    assert float(lines[2].split(",")[5]) == frame["entropy_kbps"][2]


def test_markdown_has_one_table_per_domain_and_the_notes(rows):
    text = to_markdown([rows])
    assert re.findall(r"^### (.*)$", text, flags=re.MULTILINE) == ["speech", "music", "all"]
    speech, music, everything = (part.splitlines() for part in text.split("### ")[1:])
    assert [line.split("|")[1].strip() for line in speech[4:6]] == [NEURAL.name, "plain"]
    assert len([line for line in music if line.startswith("|")]) == 3
    assert [line for line in everything if line.startswith("- ")] == [
        f"- {note}" for note in notes([rows])
    ]
    assert text.endswith(".\n")


def test_markdown_cells_are_rounded_and_missing_ones_a_dash(rows):
    line = next(x for x in to_markdown([rows]).splitlines() if x.startswith("| plain"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "plain", "1", "–", "8.00", "–", "–", "–", "–", "0.500 [0.450, 0.600]",
        "1.000 [1.000, 1.050]", "1", "–",
        "-4.000", "1", "–", "0",
    ]  # fmt: skip


def test_one_domain_alone_has_no_second_table_of_all(tmp_path):
    made = RunFolder.create(tmp_path / "f", RUN, [])
    made.append([coded("a", "speech", 1.0, Bits(8))])
    text = to_markdown([RunRows.load(made)])
    assert "### speech" in text
    assert "### all" not in text


def test_large_numbers_keep_fewer_digits(folder):
    folder.append([score("a", "up", 123456.789)])
    assert "| 123456.8 |" in to_markdown([RunRows.load(folder)]).replace("  ", "")


def test_terminal_shows_rates_once_and_quality_per_domain(rows):
    tables = to_terminal([rows], width=200)
    assert [table.title for table in tables] == [
        "rates and speed, all clips",
        "speech",
        "music",
        "all",
    ]


def test_terminal_arrows_point_to_the_better_end(rows):
    text = printed([rows], 200)
    assert "up ↑" in text
    assert "down ↓" in text


def test_terminal_shows_n_of_a_metric_where_it_is_not_the_rows(rows):
    everything = printed([rows], 200).split("all\n")[-1]
    assert re.search(rf"{NEURAL.name}\s+2\s+0.07\s+15.000\s+3.000 \(1\)", everything)


@pytest.mark.parametrize("width", [200, 80, 60, 40, 30])
def test_terminal_never_cuts_a_number(tmp_path, width):
    text = printed([wide_run(tmp_path)], width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for number in ("12.35", "30.0", "0.500", "1.000", *(f"{1.5 + i:.3f}" for i in range(8))):
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", text), number


def test_notes_name_set_seed_and_version(rows):
    assert notes([rows])[0] == ("Test set tiny (sha256 abababababab), seed 7, mono, snacbench 1.2.")


@pytest.mark.parametrize(
    "note",
    [
        r"^neural: embedded demonstration models, not the published codecs",
        r"^neural@0.1kbps: truncated to a depth the model was not trained for\.",
        r"^neural@0.1kbps: weights from a local folder, see run.json for sha256\.",
        r"^Entropy of neural@0.1kbps rests on fewer than 3 tokens per codebook entry or fewer "
        "than 30 clips, per domain",
        r"^Undefined for some clips, see their reasons in scores.jsonl: down\.",
        r"^1 of 4 codings \(clips times codecs\) failed; means are over clips that all ",
    ],
)
def test_notes_say_what_a_reader_must_know(rows, note):
    assert any(re.search(note, found) for found in notes([rows]))


def test_a_run_without_peculiarities_has_two_notes(tmp_path):
    spec = replace(NEURAL, truncated=False, demonstration=False, weights=WeightsInfo("published"))
    made = RunFolder.create(tmp_path / "f", replace(RUN, codecs=(spec,)), [])
    for clip in map(str, range(30)):
        made.append([coded(clip, "speech", 1.0, Bits(8)), score(clip, "up", 1.0)])
        made.append(histograms(clip, [6, 6], [24, 24]))
    made.append([SPEED])
    assert [note.split()[0] for note in notes([RunRows.load(made)])] == ["Test", "RTF:"]


def test_fewer_tokens_than_entries_are_shown_as_a_range(tmp_path):
    spec = replace(NEURAL, truncated=False, demonstration=False, weights=WeightsInfo("published"))
    made = RunFolder.create(tmp_path / "f", replace(RUN, codecs=(spec,)), [])
    made.append([coded("a", "speech", 1.0, Bits(8)), *histograms("a", [6, 6], [8, 7])])
    rows = RunRows.load(made)
    _, note, _ = notes([rows])
    assert note.startswith(
        "Entropy of neural@0.1kbps is unreliable: some codebook has fewer tokens"
    )
    (line,) = (x for x in to_markdown([rows]).splitlines() if x.startswith("| neural"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert re.fullmatch(r"0\.0\d to 0\.0\d", cells[4])
    assert re.fullmatch(r"0\.\d{3} to 0\.\d{3}", cells[5])
    (rates, *_) = to_terminal([rows], width=150)
    assert "entropy\nkbps" in [column.header for column in rates.columns]
