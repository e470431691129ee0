"""Runs by recipe: from its name or file, changed by options, recorded, resumed."""

from pathlib import Path

import pytest

import snacbench as sb
from snacbench.errors import MissingPackage, UserError
from snacbench.request import Request
from snacbench.rows import Score
from snacbench.runner.plan import missing
from snacbench.store.run_folder import RunFolder
from tests.support.cases import cases
from tests.support.command_line import NO_SPEED, Run, call, run_in
from tests.support.plugged import install

RECIPE = cases(__file__)["recipe"]


@pytest.fixture
def recipe(clips: Path) -> Path:
    """A recipe beside its clips."""
    path = clips.parent / "mine.yaml"
    path.write_text(RECIPE, "utf-8")
    return path


def test_a_recipe_runs_is_recorded_and_resumed(cli: Run, recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--codecs", "opus@24", "--limit", "1", "--jobs", "1", "-o", run, *NO_SPEED)
    assert "mine, changed by --codecs, --limit" in cli("run", recipe, *options).stderr
    made = RunFolder.open(run).run
    assert [spec.name for spec in made.codecs] == ["opus@24kbps"]
    assert made.seed == 5
    record = made.request.from_recipe
    before = {"codecs": "opus@24,lowpass@3.5kHz", "limit": None, "speed_budget_s": None}
    assert (record.name, record.table, record.overridden) == ("mine", "snac-paper", before)
    cli("run", "--resume", run)
    assert RunFolder.open(run).run.request.from_recipe == record
    assert "takes up the request" in cli("run", recipe, "--resume", run, code=2).stderr


def test_a_figure_is_of_one_operating_point(recipe: Path) -> None:
    recipe.write_text(RECIPE + "expect: [{source: s, figures: {opus: {si_sdr: 1}}}]\n", "utf-8")
    with pytest.raises(UserError, match=r"'opus' under expect, which is opus@8kbps, opus@14kbps"):
        call("run", recipe)


def test_everything_that_is_missing_is_said_at_once(monkeypatch, tmp_path):
    for variable in ("HOME", "XDG_CACHE_HOME", "HF_HOME", "SNACBENCH_CONFIG"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SNACBENCH_LYRA_DIR", raising=False)
    with pytest.raises(UserError) as found:
        call("run", "dac-table3")
    for text in (
        "the recipe dac-table3 needs what is not on this machine",
        "data: where does daps lie",
        "data: where does musdb18-hq lie",
        "data: where does audioset lie",
        "Zenodo",
        "weights: dac-44khz, lyra-v2: not on this disk, published at github.com, and nobody is",
        "weights fetch encodec-24khz",
    ):
        assert text in str(found.value)


def test_a_package_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    metrics = ("speaker_sim_resemblyzer",)
    found = missing(Request("mimi", weights=(str(tmp_path),), metrics=metrics, offline=True))
    for name, package, extra in (
        ("mimi", "transformers", "transformers"),
        (*metrics, "webrtcvad", "speaker"),
    ):
        said = f"{name} needs the Python package {package!r}, which is not installed; run pip insta"
        assert any(said in text and f"'.[{extra}]'" in text for text in found)
    with pytest.raises(MissingPackage, match="resemblyzer needs the Python package"):
        sb.metric(*metrics)  # before its model is fetched


EAR = cases(__file__)["ear"]


def test_a_metric_that_cannot_be_had_is_a_column_that_says_so(clips: Path, tmp_path: Path) -> None:
    plugged = install(tmp_path / "plugged", "ears", EAR, kinds=("metrics",))
    path, run, model = tmp_path / "ours.yaml", tmp_path / "run", tmp_path / "ear.pt"
    text = RECIPE.replace("[si_sdr, mel_dac7]", "[si_sdr, ear]").replace("./clips/", str(clips))
    text = text.replace("[opus@24, lowpass@3.5kHz]", "lowpass@3.5kHz")
    text = text.replace("snac-paper", "default")
    path.write_text(text, "utf-8")
    how = {"env": {"EAR": str(model)}, "plugged": plugged}
    options = ("--limit", "1", "--jobs", "1", "-o", run, *NO_SPEED)
    refused = run_in(tmp_path, "run", path, *options, **how, code=2)
    assert ("cannot get ear.pt" in refused.stderr, run.exists()) == (True, False)
    path.write_text(f"{text}allow_missing_metrics: true\n", "utf-8")
    done = run_in(tmp_path, "run", path, *options, **how)
    assert "ear is left out: cannot get ear.pt" in done.stderr
    said = "ear is not here: cannot get ear.pt; run 'snacbench weights fetch ear'. Once it is: "
    assert said + "snacbench score RUN --metrics ear" in (run / "summary.md").read_text("utf-8")
    assert "not here" in done.stdout
    made = RunFolder.open(run)
    assert [metric.name for metric in made.run.metrics] == ["si_sdr"]
    assert [*made.run.lacking] == ["ear"]
    run_in(tmp_path, "run", "--resume", run, **how)
    model.touch()  # it comes with the next scoring, not by going on
    run_in(tmp_path, "run", "--resume", run, **how)
    assert {row.metric for row in made.read(Score)} == {"si_sdr"}
    scored = run_in(tmp_path, "score", run, "--metrics", "ear", "--jobs", "1", **how)
    assert "not here" not in scored.stdout
    assert made.run.lacking == {}
    assert {row.value for row in made.read(Score) if row.metric == "ear"} == {3.0}


def test_where_no_metric_can_be_had_there_is_no_run(tmp_path: Path, clips: Path) -> None:
    plugged = install(tmp_path / "plugged", "ears", EAR, kinds=("metrics",))
    asked = ("--codecs", "lowpass@3.5kHz", "--data", clips, "--metrics", "ear", *NO_SPEED)
    how = {"env": {"EAR": str(tmp_path / "ear.pt")}, "plugged": plugged}
    done = run_in(tmp_path, "run", *asked, "--allow-missing-metrics", **how, code=2)
    assert "cannot get ear.pt" in done.stderr
    assert "pesq_wb: ready" in run_in(tmp_path, "weights", "fetch", "opus-ladder", **how).stdout
