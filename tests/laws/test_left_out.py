"""What was left out is said: skipped metrics, values that no clip has, clips that a codec lost."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support import law_material as material
from tests.support.command_line import call
from tests.support.synthetic_runs import System, run_of

CLIPS = 4
NAN = np.full(CLIPS, np.nan)


def test_an_undefined_metric_says_for_how_many(tmp_path: Path) -> None:
    values = np.arange(CLIPS, dtype=float)
    some = np.where(values < 1, np.nan, values)
    systems = {
        "a": System({"up": NAN, "down": some, "voice": values}),
        "b": System({"up": NAN, "down": values, "voice": NAN}),
    }
    text = call("table", run_of(tmp_path / "run", systems, ["speech"] * CLIPS)).stdout
    text = " ".join(text.split())
    assert "Undefined for all clips, see their reasons in scores.jsonl: up; voice of b." in text
    assert "Undefined for some clips, see their reasons in scores.jsonl: down." in text
    assert "down: over the 3 clips that all codecs have (a lacks 1)." in text
    assert "voice: no figure where half of the clips are lacking, or more (b lacks 4)." in text


def test_the_ladder_of_rates_says_who_lost_clips(tmp_path: Path) -> None:
    systems = {"a": System({"up": np.ones(CLIPS)}), "b": System({"up": np.ones(CLIPS)}, failed=[1])}
    text = call("rates", run_of(tmp_path / "run", systems, ["speech"] * CLIPS)).stdout
    said = "Every row is over the clips that its codec coded: b lacks 1 that others have."
    assert said in " ".join(text.split())


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    return material.references(tmp_path / "clips", 2, seconds=0.5)


def test_metrics_skipped_on_clips_of_unknown_domain(clips: Path, tmp_path: Path) -> None:
    """The plan, the summary, tables and the report name them, and what to do about it."""
    options = ("--codecs", "lowpass@3.5kHz", "--data", clips, "--jobs", "1")
    plan = call("run", *options, "--plan")
    said = r"pesq_wb.*on 2 clips of unknown domain.*--domain speech"
    assert re.search(said, " ".join(plan.output.split()))
    assert "unknown domain" not in call("run", *options, "--plan", "--domain", "speech").output
    of = System({"voice": NAN, "up": np.ones(CLIPS)}, skipped={"voice": range(CLIPS)})
    run = run_of(tmp_path / "run", {"c": of}, ["unknown"] * CLIPS)
    said = r"Skipped on 4 clips of unknown domain, 4 scores in all: voice.*--domain speech"
    assert re.search(said, " ".join(call("table", run).stdout.split()))
    assert re.search(said, " ".join(call("table", run, "--by", "all").stdout.split()))
    call("report", run, "-o", tmp_path / "report")
    assert re.search(said, (tmp_path / "report" / "index.html").read_text())


def test_narrow_sources_are_named_where_stft_distance_is(clips: Path, tmp_path: Path) -> None:
    material.decodes(tmp_path / "decodes", clips, material.noisy(20))
    run = tmp_path / "run"
    material.score_files(clips, tmp_path / "decodes", run, metrics="stft_dac,stft_dac_16k")
    text = " ".join(call("table", run, "--by", "all").stdout.split())
    assert "stft_dac: 2 of 2 clips are at 16 kHz and empty above half of that" in text
    assert "snacbench score RUN --metrics stft_dac_16k" in text
