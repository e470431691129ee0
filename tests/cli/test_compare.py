"""compare, merge, rates and plot from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.rows import Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call
from tests.support.plots import DAC, OPUS, coded, run_rows
from tests.support.synthetic_runs import make_run

BASE = np.random.default_rng(0).normal(10, 3, 30)
QUICK = Path(__file__).parents[2] / "results" / "quick"


@pytest.fixture
def runs(tmp_path):
    """A baseline, and a candidate that is 1 dB worse by one metric and equal by the other."""
    steady = BASE + np.linspace(-0.3, 0.3, 30)
    before = make_run(tmp_path / "a", {"c": {"up": BASE, "down": BASE}})
    after = make_run(tmp_path / "b", {"c": {"up": steady - 1, "down": BASE}})
    return before.path, after.path


def test_the_gate_fails_a_worse_candidate(runs):
    done = call("compare", *runs)
    assert done.return_value == 1
    assert "failed: the candidate is worse" in done.stdout
    assert call("compare", *runs, "--metrics", "down").return_value == 0
    assert call("compare", *reversed(runs)).return_value == 0
    done = call("compare", *runs, "--format", "json", "--tolerance", "up=2", "--strict")
    assert (done.return_value, json.loads(done.stdout)["passed"]) == (0, True)


def test_merge_joins_and_cannot_be_resumed(runs, tmp_path):
    other = make_run(tmp_path / "other", {"d": {"up": BASE}})
    done = call("merge", runs[0], other.path, "-o", tmp_path / "new")
    assert "2 runs merged; 0 rows were in several; files: 60 linked, 0 copied" in done.stdout
    with pytest.raises(StoreError, match="it was merged; go on with the runs"):
        call("run", "--resume", tmp_path / "new")


def test_rates_shows_the_ladder_or_says_what_a_rate_is_worth():
    shown = call("rates", QUICK, "--format", "csv", "--codebooks", "--by", "domain").stdout
    assert shown.startswith("schema,table,codec,domain,source,beside,nominal_kbps")
    assert "Codebooks of snac-mini, speech" in shown
    asked = ("rates", QUICK, "--of", "snac-mini", "--against", "opus", "--domain", "speech")
    assert call(*asked, "--metrics", "stoi").stdout.startswith("speech: opus reaches the stoi of")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three clips, four operating points, two metrics."""
    path = tmp_path_factory.mktemp("plot") / "run"
    specs = [*OPUS[:2], *DAC[:2]]
    made = RunFolder.create(path, run_rows(specs).run, [])
    for number, spec in enumerate(specs):
        for clip in range(3):
            made.append([coded(clip, spec, "speech")])
            for metric in ("si_sdr", "mel_dac7"):
                made.append([Score(f"c{clip}", spec.name, metric, "1", "ok", number + clip / 10)])
    return path


def test_all_plots_of_all_metrics_and_codecs_of_both_runs_once(cli, folder, tmp_path):
    done = cli("plot", folder, folder, "all")
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert len(names) == 1 + 2 * 6
    assert {"codebooks.svg", "speed-mel_dac7.svg", "quality-rate-si_sdr.svg"} <= names
    assert "drawn from the first run that has them: opus@8kbps" in done.stderr.replace("\n", " ")


def test_one_plot_with_choices(cli, folder, tmp_path):
    done = cli(
        "plot", folder, "differences", "--metric", "si_sdr", "--domain", "speech", "--baseline",
        "opus@8kbps", "--width", "double", "--format", "svg,png", "-o", "out", "--codecs",
        "opus,dac-44khz@1.78kbps", "--label", "opus=Mine", "--title", "Named", "--no-caption",
    )  # fmt: skip
    expected = [f"differences-si_sdr-speech-vs-opus@8kbps.{form}" for form in ("svg", "png")]
    assert done.stdout.split() == [str(Path("out") / name) for name in expected]
    svg = (tmp_path / "out" / expected[0]).read_text("utf-8")
    asked = ("domains", "--metric", "si_sdr", "--by", "language", "-o", "out")
    assert "domains-si_sdr-by-language.svg" in cli("plot", folder, *asked).stdout
    for text in ("Mine@14kbps", "compared with Mine@8kbps", ">Named<", "dac-44khz@1.78kbps"):
        assert text in svg
    assert "dac-44khz@2.67kbps" not in svg
    assert "on shared clips" not in svg
