"""Runs by recipe: from its name or file, changed by options, recorded, resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from snacbench.errors import UserError
from snacbench.request import Request
from snacbench.runner.plan import missing
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import NO_SPEED, Run, call

RECIPE = """\
summary: a try
codecs: [opus@24, lowpass@3.5kHz]
data: ./clips/
metrics: [si_sdr, mel_dac7]
weights: embedded
seed: 5
table: snac-paper
"""


@pytest.fixture
def recipe(clips: Path) -> Path:
    """A recipe beside its clips."""
    path = clips.parent / "mine.yaml"
    path.write_text(RECIPE, "utf-8")
    return path


def test_a_recipe_runs_is_recorded_and_resumed(cli: Run, recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--codecs", "opus@24", "--limit", "1", "--jobs", "1", "-o", run, *NO_SPEED)
    done = cli("run", recipe, *options)
    assert done.returncode == 0, done.stderr
    assert "mine, changed by --codecs, --limit" in done.stderr
    made = RunFolder.open(run).run
    assert [spec.name for spec in made.codecs] == ["opus@24kbps"]
    assert made.seed == 5
    record = made.request.from_recipe
    before = {"codecs": "opus@24,lowpass@3.5kHz", "limit": None, "speed_budget_s": None}
    assert (record.name, record.table, record.overridden) == ("mine", "snac-paper", before)
    again = cli("run", "--resume", run)
    assert again.returncode == 0, again.stderr
    assert RunFolder.open(run).run.request.from_recipe == record
    both = cli("run", recipe, "--resume", run)
    assert both.returncode == 2
    assert "takes up the request" in both.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ablation",), "takes its codecs from the command line, for example --codecs full=dac"),
        (("quick", "--weights", "auto"), "never falls back to other weights"),
        ((), "or a recipe: snacbench run quick"),
    ],
)
def test_what_cannot_run_is_said_with_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call("run", *arguments)


def test_everything_that_is_missing_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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
        "weights: lyra-v2 needs models that only you can name",
        "weights: dac-44khz: not on this disk, published at github.com, and nobody is asked",
        "weights fetch encodec-24khz",
    ):
        assert text in str(found.value)


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = missing(Request("mimi", weights=(str(tmp_path),)))
    assert any("mimi needs 'transformers'; run pip install '.[transformers]'" in f for f in found)


def test_recipes_are_listed_and_shown() -> None:
    assert "low-rate-speech" in call("list", "recipes").stdout
    assert "lyra-v2@9.2" in call("show", "recipe", "dac-table3").stdout
