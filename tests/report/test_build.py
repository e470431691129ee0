"""What a report holds, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from snacbench.cli.main import cli
from snacbench.errors import StoreError
from snacbench.report.build import Request, build
from snacbench.report.choose import chosen_clips
from snacbench.report.notes import notes, troubles
from snacbench.report.scores import score_data
from snacbench.report.summary import _rate_text, domain_tables
from snacbench.stats.intervals import mean_interval
from snacbench.store.folder import RunFolder
from snacbench.tables.run_rows import RunRows, clusters_of, scores_of
from tests.report.conftest import EVIL, IDS, TONES_HZ


def data_of(index: Path) -> Any:
    text = (index.parent / "data.js").read_text("utf-8")
    return json.loads(text.removeprefix("snacbench.data(").removesuffix(");\n"))


def test_the_folder_is_whole_and_refers_to_nothing_outside(page: Path) -> None:
    html = page.read_text("utf-8")
    references = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    assert references
    for reference in references:
        assert reference == "data:," or (page.parent / reference).is_file(), reference


def test_every_name_is_escaped(page: Path) -> None:
    html = page.read_text("utf-8")
    for raw in ("<script>alert", "<img src=x", "it <broke>", "<odd>"):
        assert raw not in html
    for escaped in ("&lt;script&gt;alert(1)", "it &lt;broke&gt;", "1 of 3 clips is &lt;odd&gt;."):
        assert escaped in html


def test_every_score_is_there(page: Path) -> None:
    data = data_of(page)
    assert [clip["id"] for clip in data["clips"]] == list(IDS)
    assert [clip["media"] for clip in data["clips"]] == [0, 1, 2]
    rows = data["rows"]
    found = {
        (IDS[clip], list(TONES_HZ)[codec]): (ok, up, down)
        for clip, codec, ok, up, down in zip(
            rows["clip"], rows["codec"], rows["ok"], *rows["scores"], strict=True
        )
    }
    assert found[EVIL, "ladder@1kbps"] == (1, 20.0, 4.0)
    assert found["set/b", "same"] == (1, 1.0, "undefined")
    assert found["set/c", "same"] == (0, None, None)
    assert data["media"][2]["audio"] == [True, False, True, True]


def test_clips_without_players_keep_their_scores(run_folder: RunFolder, tmp_path: Path) -> None:
    made = build(run_folder, tmp_path / "small", Request(clips=1))
    data = data_of(made.index)
    assert made.num_clips == 1
    assert sum(clip["media"] is not None for clip in data["clips"]) == 1
    assert len(data["rows"]["clip"]) == 9
    assert "1 of 3" in made.index.read_text("utf-8")


def test_a_run_without_its_audio_has_a_report_without_players(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder.path, copy, ignore=shutil.ignore_patterns("decoded"))
    made = build(RunFolder.open(copy), tmp_path / "silent", Request())
    assert made.num_clips == 0
    assert "No players" in made.index.read_text("utf-8")


def test_an_older_report_is_replaced_and_nothing_else(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    target = tmp_path / "report"
    build(run_folder, target, Request(clips=3))
    assert (target / "media" / "2.js").exists()
    build(run_folder, target, Request(clips=1))
    assert not (target / "media" / "2.js").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"other is not empty and holds no report; choose"):
        build(run_folder, other, Request())
    with pytest.raises(StoreError, match=r"thesis.tex is a file; choose a folder"):
        build(run_folder, other / "thesis.tex", Request())
    with pytest.raises(StoreError, match="cannot write the report to"):
        build(run_folder, other / "thesis.tex" / "below", Request())


def test_the_worst_clips_are_among_the_chosen_and_domains_share_the_rest(
    run_folder: RunFolder,
) -> None:
    rows = RunRows.load(run_folder)
    assert chosen_clips(rows, IDS, 3) == list(IDS)
    assert chosen_clips(rows, IDS, 2) == [EVIL, "set/c"]
    assert chosen_clips(rows, IDS, 0) == []


def test_the_summary_marks_the_best_and_says_another_n(run_folder: RunFolder) -> None:
    everything, *domains = domain_tables(RunRows.load(run_folder))
    assert everything.domain == "all"
    assert [table.domain for table in domains] == ["speech", "music"]
    cells = {codec: cells for codec, _, cells in everything.rows}
    headings = [heading.text for heading in everything.headings]
    up, down = headings.index("up"), headings.index("down")
    assert cells["ladder@1kbps"][up].best
    assert not cells["ladder@2kbps"][up].best
    assert (cells["same"][down].text, cells["same"][down].note) == ("–", "n = 0")  # it has 1 of 3
    assert cells["ladder@1kbps"][up].note == ""  # over the 2 clips that the row rests on
    assert everything.headings[down].arrow == "↓"


def test_the_summary_has_the_interval_of_every_mean(run_folder: RunFolder) -> None:
    rows = RunRows.load(run_folder)
    everything, *_ = domain_tables(rows)
    up = [heading.text for heading in everything.headings].index("up")
    found = {codec: cells[up].interval for codec, _, cells in everything.rows}
    having = scores_of([rows], "up", "all")
    scores = {c: v for c, v in having["ladder@1kbps"].items() if c in having["same"]}
    shared = [clusters_of([rows])[clip] for clip in scores]
    expected = mean_interval(list(scores.values()), shared)
    assert expected.low is not None
    assert expected.high is not None
    ends = f"{expected.low:.3f} to {expected.high:.3f}".replace("-", "−")
    assert found["ladder@1kbps"] == ends
    assert any(expected.method in footnote for footnote in everything.footnotes)


def test_rows_without_a_number_are_counted_by_reason(run_folder: RunFolder) -> None:
    failed, undefined = troubles(run_folder)
    assert (failed.count, failed.status, failed.what) == (1, "failed", "coding with same")
    assert (failed.reason, failed.example) == ("it <broke>", "set/c")
    assert (undefined.status, undefined.reason) == ("undefined", "silent")


def test_notes_name_what_lies_outside_a_metrics_domain(run_folder: RunFolder) -> None:
    rows = RunRows.load(run_folder)
    assert not any("visqol_audio" in note for note in notes(rows))
    rows.codecs[1].scores["visqol_audio"] = rows.codecs[1].scores["up"]
    (note,) = [note for note in notes(rows) if "visqol_audio" in note]
    assert note.endswith("outside of that domain here: ladder@2kbps.")


def test_no_number_is_null_in_the_data(run_folder: RunFolder) -> None:
    data = score_data(RunRows.load(run_folder), {})
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_verb_writes_beside_the_run(run_folder: RunFolder, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder.path, copy)
    done = CliRunner().invoke(cli, ["report", str(copy), "--clips", "1"])
    assert done.exit_code == 0, done.output
    assert (copy / "report" / "index.html").is_file()
    assert "1 clips with players" in done.output


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [(2.5, (None, None), "2.50"), (None, (2.4, 2.6), "2.40 to 2.60"), (None, (None, None), "–")],
)
def test_a_rate_that_is_a_range_is_shown_as_one(
    value: float | None, ends: tuple[float | None, float | None], text: str
) -> None:
    record = {"entropy_kbps": value, "entropy_low_kbps": ends[0], "entropy_high_kbps": ends[1]}
    assert _rate_text(record, "entropy_kbps") == text
