"""What a report holds, and what it refuses."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.plots.drawing import Plot
from snacbench.plugins import OWN, Origin, discovered
from snacbench.progress import Notes
from snacbench.report import build
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import Options, tables_of
from snacbench.tables.run_rows import RunRows
from tests.support.command_line import call
from tests.support.plots import MEL, OPUS, run_rows
from tests.support.reports import EVIL, IDS, TONES_HZ


def test_the_folder_is_whole_and_refers_to_nothing_outside_and_names_are_escaped(page):
    html = page.read_text("utf-8")
    references = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    for reference in references:
        assert reference == "data:," or (page.parent / reference).is_file(), reference
    for raw in ("<script>alert", "<img src=x", "it <broke>", "<odd>"):
        assert raw not in html
    for escaped in ("&lt;script&gt;alert(1)", "it &lt;broke&gt;", "1 of 3 clips is &lt;odd&gt;."):
        assert escaped in html


def test_every_score_is_there_with_five_digits(page):
    text = (page.parent / "data.js").read_text("utf-8")
    data = json.loads(text.removeprefix("snacbench.data(").removesuffix(");\n"))
    assert {clip["media"]: clip["id"] for clip in data["clips"]} == dict(enumerate(IDS))
    columns, names = data["rows"], list(TONES_HZ)
    lines = zip(*(columns[c] for c in ("clip", "codec", "ok")), *columns["scores"], strict=True)
    found = {(IDS[clip], names[codec]): tuple(rest) for clip, codec, *rest in lines}
    assert len(found) == 9
    assert found[EVIL, "ladder@1kbps"] == (1, 20.0, 4.0)
    assert found["set/b", "same"] == (1, 1.0, "undefined")
    assert found["set/c", "same"] == (0, None, None)
    odd = run_rows(OPUS[:1], clips=6)
    values = [123456.7, -0.000123456, 0.0, np.inf, np.nan, 1e-300]
    odd.codecs[0].scores["si_sdr"]["value"] = values
    data = json.loads(json.dumps(build.score_data(odd, {}), allow_nan=False))
    assert data["rows"]["scores"][0] == [123460.0, -0.00012346, 0.0, None, None, 1e-300]


def test_anothers_plot_that_fails_costs_its_own_figure_alone(run_folder, tmp_path, monkeypatch):
    found = discovered("plots")
    broken = Plot("broken", "fails", lambda data, options: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(found.items, "broken", broken)
    monkeypatch.setitem(found.origins, "broken", Origin("rival", "2.0"))
    said = Notes()
    build.build_report(run_folder, tmp_path / "report", clips=0, progress=said)
    why = "plug-in broken (plots) of rival 2.0 failed: ZeroDivisionError: division by zero"
    assert any(text.startswith(f"warning: no figure broken: {why}") for text in said.texts)
    monkeypatch.setitem(found.origins, "broken", OWN)  # a fault of ours is said to be one
    with pytest.raises(ZeroDivisionError):
        build.build_report(run_folder, tmp_path / "other", clips=0)


def test_an_older_report_is_replaced_and_nothing_else(run_folder, tmp_path, monkeypatch):
    """The first has players; the second is of a copy without decoded audio and has none."""
    target, copy = tmp_path / "report", tmp_path / "copy"
    shutil.copytree(run_folder.path, copy, ignore=shutil.ignore_patterns("decoded"))
    done = call("report", run_folder.path, "-o", target, "--clips", 1)
    assert (done.exit_code, "1 clips with players" in done.output) == (0, True)
    assert "1 of 3" in (target / "index.html").read_text("utf-8")
    assert (target / "media" / "0.js").exists()
    build.build_report(RunFolder.open(copy), target, clips=30)
    assert not (target / "media" / "0.js").exists()
    assert "No players" in (target / "index.html").read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "report"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for place, message in {
        other: r"other is not empty and holds no report; choose",
        other / "thesis.tex": r"thesis.tex is a file; choose a folder",
        other / "thesis.tex" / "below": "cannot write the report to",
    }.items():
        with pytest.raises(StoreError, match=message):
            build.build_report(run_folder, place, clips=30)


def tables_as_html(rows):
    return build.summary_tables(rows, tables_of([rows], options=Options(complete=True)))


def test_the_summary_marks_the_best_and_demonstration_models(run_folder):
    found = dict(tables_as_html(RunRows.load(run_folder)))
    assert list(found) == ["all clips", "speech", "music"]
    rates, quality = re.findall(r"<table>.*?</table>", found["all clips"], re.DOTALL)
    assert "kbps" in rates
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', quality)
    names = [re.sub("<.*", "", name) for name, _ in rows]
    assert names == ["same", "ladder@2kbps (demo)", "ladder@1kbps (demo)"]
    up = [cells.split("</td>")[0] for _, cells in rows]
    assert ["best" in cell for cell in up] == [False, False, True]
    assert all('class="ends">[' in cell for cell in up)  # the interval of every mean
    assert re.search("up ↑.*down ↓", quality, re.DOTALL)
    rows = run_rows(OPUS)
    rows = replace(rows, clips=tuple(replace(clip, corpus="a, b") for clip in rows.clips))
    made, by_corpus = (tables_of([rows], options=Options(by)) for by in ("both", "corpus"))
    grouped = dict(build.summary_tables(rows, made, grouped=by_corpus))
    assert list(grouped) == ["all clips", "speech", "music", "corpus a, b"]
    assert "Quality, corpus a, b" in grouped["corpus a, b"]
    metrics = [replace(MEL, name=f"metric_{i}") for i in range(17)]
    ((_, html), *_) = tables_as_html(run_rows(OPUS, metrics=metrics))
    tables = re.findall(r"<thead>.*?</thead>", html)
    assert [table.count("metric_") for table in tables] == [0, 6, 6, 5]  # about equal widths


def test_the_worst_are_chosen_and_rows_without_a_number_told(run_folder):
    rows = RunRows.load(run_folder)
    assert build.chosen_clips(rows, IDS, 3) == list(IDS)
    assert build.chosen_clips(rows, IDS, 2) == [EVIL, "set/c"]  # a codec's worst, then by domain
    assert build.chosen_clips(rows, IDS, 0) == []
    failed, undefined = build.troubles(RunRows.load(run_folder))
    told = {"status": "failed", "what": "coding with same", "reason": "it <broke>"}
    assert failed == {**told, "count": 1, "example": "set/c"}
    assert (undefined["status"], undefined["reason"]) == ("undefined", "silent")
    assert not any("visqol_audio" in note for note in build.notes(rows))
    rows.codecs[1].scores["visqol_audio"] = rows.codecs[1].scores["up"]
    (note,) = [note for note in build.notes(rows) if "visqol_audio" in note]
    assert note.endswith("outside of that domain here: ladder@2kbps.")
