"""Set-level metrics from the files of decodes to tables: kept, gone on with, merged, compared."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import snacbench as sb
from snacbench.errors import StoreError, UserError
from snacbench.metrics import fad
from snacbench.request import Expected, FromRecipe
from snacbench.rows import Embedded
from snacbench.stats.sets import DISTANCES, EmbeddingSet
from snacbench.store.embeddings import embeddings_name, keep, kept
from snacbench.store.run_folder import RunFolder
from snacbench.tables.protocol import judged
from snacbench.types import Audio, Clip
from tests.support import law_material as material
from tests.support.command_line import call, summary

METRICS = "fad_logmel,kad_logmel"
CLIPS = 6
SNRS_DB = (20, 10)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """References, and a run of the decodes at each signal-to-noise ratio."""
    folder = tmp_path_factory.mktemp("sets")
    clips = material.references(folder / "clips", CLIPS, seconds=2.0)
    for snr_db in SNRS_DB:
        decodes = material.decodes(folder / f"at{snr_db}", clips, material.noisy(snr_db))
        assert scored(folder, decodes, folder / f"run{snr_db}", f"at{snr_db}") == 0
    return folder


def scored(place, decodes, run, name="codec", metrics=METRICS):
    return material.score_files(place / "clips", decodes, run, name=name, metrics=metrics)


def by_hand(place, decodes, metric, left_out=()):
    """The distance of the files themselves."""
    sets = []
    for folder in (place / "clips", decodes):
        paths = [p for p in sorted(folder.glob("*.wav")) if int(p.stem) not in left_out]
        samples = (soundfile.read(path, dtype="float32")[0][None] for path in paths)
        signals = [Audio(of, 16_000) for of in samples]
        embedded = [fad.by_log_mel(s).astype(np.float16).astype(float) for s in signals]
        values = np.concatenate(embedded)
        sets.append(EmbeddingSet(values, np.zeros(len(values), int)))
    distance = {"fad_logmel": "frechet", "kad_logmel": "kernel"}[metric]
    return DISTANCES[distance](*sets, 1).value


def table_of(*runs, ci=False):
    done = call("table", *runs, "--by", "all", "--format", "json", *(["--ci"] if ci else []))
    (table,) = json.loads(done.stdout)["tables"]
    return {row["codec"]: row["cells"] for row in table["rows"]}, " ".join(table["footnotes"])


@pytest.mark.parametrize("metric", METRICS.split(","))
def test_the_figure_is_the_distance_of_all_files_and_rises_with_noise(place, metric):
    cells, notes = table_of(*(place / f"run{snr}" for snr in SNRS_DB), ci=True)
    values = [cells[f"at{snr}"][metric]["value"] for snr in SNRS_DB]
    expected = [by_hand(place, place / f"at{snr}", metric) for snr in SNRS_DB]
    assert values == pytest.approx(expected, rel=1e-9)
    assert sorted(values) == values
    cell = cells["at20"][metric]
    assert cell["interval"]["low"] < cell["value"] < cell["interval"]["high"]
    assert cell["n"] == CLIPS
    assert "fad_logmel, kad_logmel: one distance of all decodes from all their references" in notes
    assert "in brackets its 95 % interval: jackknife over clips." in notes
    *_, line = summary(place / "run20")
    assert float(line[metric]) == pytest.approx(values[0])
    assert line[f"{metric}_n"] == str(CLIPS)
    frame = sb.load(place / "run20").summary()
    assert frame[f"{metric}_low"][0] == pytest.approx(float(line[f"{metric}_low"]))


def test_a_row_for_each_clip_and_a_file_for_each_signal(place):
    folder = RunFolder.open(place / "run20")
    rows = list(folder.read(Embedded))
    assert len(rows) == 2 * CLIPS
    assert {(row.status, row.value, row.reason) for row in rows} == {("ok", None, "")}
    files = {digest for row in rows for digest in (row.reference, row.degraded)}
    assert len(files) == 2 * CLIPS  # both metrics embed alike
    assert {p.stem for p in folder.path.glob("embeddings/*/*.npy")} == files
    other = {row.reference for row in RunFolder.open(place / "run10").read(Embedded)}
    assert other == {row.reference for row in rows}
    assert sb.load(folder.path).scores.empty


def test_rows_that_are_lacking_are_made_and_come_out_the_same(place, tmp_path):
    run = shutil.copytree(place / "run20", tmp_path / "run")
    folder = RunFolder.open(run)
    before = list(folder.read(Embedded))
    first = before[0].clip
    folder.take_out(Embedded, of=lambda row: row.clip == first or row.metric == "kad_logmel")
    assert call("score", run, "--metrics", METRICS, "--jobs", "1").return_value == 0
    made = sorted(folder.read(Embedded), key=lambda row: (row.clip, row.metric))
    assert made == sorted(before, key=lambda row: (row.clip, row.metric))


def test_clips_that_one_lacks_count_for_none(place, tmp_path):
    lost = {2: None}  # no file of that name
    decodes = material.decodes(tmp_path / "few", place / "clips", material.noisy(10), lost)
    assert scored(place, decodes, tmp_path / "run", "few") == 1
    cells, notes = table_of(tmp_path / "run", place / "run20")
    for name, of in (("few", decodes), ("at20", place / "at20")):
        cell = cells[name]["fad_logmel"]
        assert cell["n"] == CLIPS - 1
        assert cell["value"] == pytest.approx(by_hand(place, of, "fad_logmel", [2]), rel=1e-9)
    assert "fad_logmel, kad_logmel" in notes.replace("rates, ", "")
    assert "few lacks 1" in notes
    failed = [row for row in RunFolder.open(tmp_path / "run").read(Embedded) if row.status != "ok"]
    reasons = {(row.status, row.reason) for row in failed}
    assert reasons == {("failed", "not decoded: no degraded file of that name")}
    assert set(sb.load(tmp_path / "run").failed["metric"]) == {""}  # the coding itself
    half = dict.fromkeys(range(3))
    decodes = material.decodes(tmp_path / "half", place / "clips", material.noisy(10), half)
    assert scored(place, decodes, tmp_path / "less", "half") == 1
    cells, notes = table_of(tmp_path / "less", place / "run20")
    assert cells["half"]["fad_logmel"]["value"] is None
    assert cells["at20"]["fad_logmel"]["n"] == CLIPS


def test_short_clips_are_undefined_and_few_embeddings_said(place, tmp_path):
    clips = material.references(tmp_path / "clips", 3, seconds=0.9)
    material.references(tmp_path / "long", 4, seconds=1.0)
    for path in (tmp_path / "long").glob("*.wav"):
        path.rename(clips / f"long{path.name}")
    decodes = material.decodes(tmp_path / "decodes", clips, material.noisy(20))
    assert scored(tmp_path, decodes, tmp_path / "run") == 0
    cells, notes = table_of(tmp_path / "run")
    cell = cells["codec"]["fad_logmel"]
    assert cell["n"] == 4
    said = " ".join(cell["notes"])
    assert "n = 4 of 7 clips (3 undefined)" in said
    assert "4 embeddings of 128 dimensions, too few" in said
    assert "scores.jsonl and embedded.jsonl" in notes


def test_merged_runs_have_all_files(place, tmp_path):
    call("merge", place / "run20", place / "run10", "-o", tmp_path / "merged")
    cells, _ = table_of(tmp_path / "merged")
    for name in ("at20", "at10"):
        expected = by_hand(place, place / name, "fad_logmel")
        assert cells[name]["fad_logmel"]["value"] == pytest.approx(expected, rel=1e-9)


def test_embeddings_that_do_not_count_are_said(place, monkeypatch):
    monkeypatch.setattr("snacbench.stats.sets._MOST", 5)
    cells = table_of(place / "run20")[0]["at20"]
    assert "12 embeddings, of which one in 3 counts" in cells["kad_logmel"]["notes"]
    assert "counts" not in str(cells["fad_logmel"]["notes"])


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_embeddings_that_are_not_what_was_kept_have_no_figure(place, tmp_path, damage):
    run = shutil.copytree(place / "run20", tmp_path / "run")
    path = next(run.glob("embeddings/*/*.npy"))
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    cell = table_of(run)[0]["at20"]["fad_logmel"]
    assert cell["value"] is None
    said = " ".join(cell["notes"])
    assert ("cannot read" if damage == "gone" else "its sha256 has changed") in said
    assert "remove embedded.jsonl" in said
    (run / "embedded.jsonl").unlink()
    assert call("score", run, "--metrics", METRICS, "--jobs", "1").return_value == 0
    before, made = (list(RunFolder.open(of).read(Embedded)) for of in (place / "run20", run))
    assert sorted(made, key=str) == sorted(before, key=str)


def test_what_is_kept_comes_back_and_a_disk_that_refuses_is_told(tmp_path):
    embeddings = np.arange(6, dtype=np.float16).reshape(2, 3)
    digest = keep(tmp_path, embeddings)
    assert keep(tmp_path, embeddings.copy()) == digest
    np.testing.assert_array_equal(kept(tmp_path, digest), embeddings)
    assert (tmp_path / embeddings_name(digest)).is_file()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot write"):
        keep(tmp_path / "file", embeddings)


def test_clips_have_nothing_to_compare(place):
    runs = place / "run20", place / "run10"
    with pytest.raises(UserError, match="fad_logmel is one figure for all clips of a codec"):
        call("compare", *runs, "--codecs", "at20=at10", "--metrics", "fad_logmel")
    with pytest.raises(UserError, match="gives clips no score, but a codec one figure"):
        sb.score(place / "clips", place / "at20", METRICS)


def test_beside_other_metrics_it_is_left_out_of_what_goes_by_clip(place, tmp_path):
    runs = []
    for snr_db in (20, 10):
        run = shutil.copytree(place / f"run{snr_db}", tmp_path / f"run{snr_db}")
        call("score", run, "--metrics", "si_sdr", "--jobs", "1")
        runs.append(run)
    answer = sb.compare(*runs, codecs=["at20=at10"])
    assert {c.metric for c in answer.comparisons} == {"si_sdr"}
    assert answer.not_compared == ("fad_logmel", "kad_logmel")
    assert "Not compared, being one figure for all clips: fad_logmel" in str(answer.tables)
    rows = sb.load(runs[0]).rows
    assert rows.clip_metrics == ["si_sdr"]
    assert set(rows.metrics) == {"si_sdr", "fad_logmel", "kad_logmel"}
    marked, _ = table_of(*runs)
    assert marked["at20"]["fad_logmel"]["marks"] == ["best"]
    assert "logmel" not in sb.load(runs[0]).table("speech-codec")  # which has no such column


def test_plots_of_figures_draw_it_and_plots_of_clips_do_not(place):
    run = sb.load(place / "run20")
    figure = run.plot("quality-rate", metric="fad_logmel", beside=[sb.load(place / "run10")])
    assert "fad_logmel" in figure.axes[0].get_ylabel()
    by_clip = "distribution goes by clip, and clips have no score by fad"
    with pytest.raises(UserError, match=by_clip):
        run.plot("distribution", metric="fad_logmel")


def test_a_recipe_may_expect_a_figure(place, tmp_path):
    run = shutil.copytree(place / "run20", tmp_path / "run")
    value = by_hand(place, place / "at20", "fad_logmel")

    def held(off):
        rows = sb.load(run).rows
        expected = Expected("fad_logmel", value + off, 0.5, "a paper", codec="at20")
        request = replace(rows.run.request, from_recipe=FromRecipe("p", expect=(expected,)))
        return judged([replace(rows, run=replace(rows.run, request=request))])

    assert held(0.0) == ([], ["1 of 1 figures that recipe p expects are met."])
    assert "fad_logmel of at20 is" in held(1.0).above[0]
    next(run.glob("embeddings/*/*.npy")).unlink()
    (said,) = held(1.0).below  # nobody's models are at fault
    assert said.startswith("0 of 1 figures that recipe p expects are met. Cannot be computed: ")
    assert "fad_logmel of at20 (fad_logmel: cannot read" in said


def test_groups_have_distances_of_their_own_clips_that_all_codecs_have(place, tmp_path):
    decodes = material.decodes(tmp_path / "few", place / "clips", material.noisy(10), {2: None})
    scored(place, decodes, tmp_path / "run", "few")
    runs = tmp_path / "run", shutil.copytree(place / "run20", tmp_path / "run20")
    for run in map(RunFolder.open, runs):
        read = enumerate(run.read(Clip))
        clips = [replace(clip, language="en" if number < 4 else "de") for number, clip in read]
        run.replace(Clip, clips, of=lambda clip: True)
    done = call("table", *runs, "--by", "language", "--format", "json", "--ci")
    tables = json.loads(done.stdout)["tables"]
    for table, out in zip(tables, [(0, 1, 2, 3), (2, 4, 5)], strict=True):
        for row, of in zip(table["rows"], (decodes, place / "at20"), strict=True):
            cell = row["cells"]["fad_logmel"]
            assert cell["n"] == CLIPS - len(out)
            assert cell["value"] == pytest.approx(by_hand(place, of, "fad_logmel", out), rel=1e-9)
