"""Losing decodes never raises a figure beside another system's, and never passes a gate."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support import law_material as material
from tests.support.command_line import call
from tests.support.synthetic_runs import System, run_of

CLIPS = 8
KEEPS = 5  # more than half: below, a system has no mean at all
METRICS = "si_sdr,mel_dac7,stoi"

CHEAP = settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
OPTIONS = st.sampled_from([(), ("--strict",), ("--tolerance", "up=100"), ("--metrics", "up")])
lost_clips = st.sets(st.integers(0, CLIPS - 1), min_size=1, max_size=CLIPS)
seeds = st.integers(0, 2**16)


def systems(seed: int) -> dict[str, System]:
    """Three systems, and clips of which some are hard for all."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 3, CLIPS)
    ups = (10 - i - hard + rng.normal(0, 0.3, CLIPS) for i in range(3))
    return {name: System({"up": up, "down": hard + i}, kbps=(8 + np.abs(hard)).tolist())
            for (i, name), up in zip(enumerate("abc"), ups, strict=True)}  # fmt: skip


def without(system: System, lost: set[int], how: str) -> System:
    """The same system with clips that failed to code, or on which metrics have no value."""
    if how == "failed":
        return replace(system, failed=sorted(lost))
    gone = np.isin(np.arange(CLIPS), sorted(lost))
    return replace(system, scores={m: np.where(gone, np.nan, v) for m, v in system.scores.items()})


@settings(CHEAP)
@given(seeds, lost_clips, st.sampled_from(["failed", "undefined"]))
def test_means_beside_each_other_are_over_the_same_clips(tmp_path_factory, seed, lost, how):
    folder = tmp_path_factory.mktemp("law")
    made = systems(seed)
    worse = {**made, "b": without(made["b"], lost, how)}
    run = run_of(folder / "run", worse, ["speech"] * CLIPS)
    done = call("table", run, "--by", "all", "--format", "json")
    (table,) = json.loads(done.stdout)["tables"]
    enough = len(lost) <= CLIPS - KEEPS
    clips = sorted(set(range(CLIPS)) - (lost if enough else set()))
    for row in table["rows"]:
        name = row["codec"]
        for metric in ("up", "down"):
            cell = row["cells"][metric]
            if name == "b" and not enough:
                assert cell["value"] is None
                assert len(lost) == CLIPS or cell["notes"]  # of a whole run lost a footnote tells
            else:
                assert cell["n"] == len(clips)
                assert cell["value"] == pytest.approx(made[name].scores[metric][clips].mean())
        if how == "failed" and (enough or name != "b"):
            kbps = np.asarray(made[name].kbps)[clips].mean()
            assert row["cells"]["actual_kbps"]["value"] == pytest.approx(kbps, abs=1e-3)
    assert any(f"b lacks {len(lost)}" in note for note in table["footnotes"])


@settings(CHEAP)
@given(seeds, lost_clips, st.sampled_from(["failed", "undefined"]), OPTIONS)
def test_no_gate_passes_lost_clips(
    tmp_path_factory: pytest.TempPathFactory, seed: int, lost: set[int], how: str,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("law")
    made = systems(seed)
    before = run_of(folder / "before", made, ["speech"] * CLIPS)
    worse = {**made, "b": without(made["b"], lost, how)}
    after = run_of(folder / "after", worse, ["speech"] * CLIPS)
    assert call("compare", before, before, *options).return_value == 0
    done = call("compare", before, after, *options, "--format", "json")
    assert done.return_value == 1
    found = json.loads(done.stdout)
    assert found["passed"] is False
    assert any(f"{len(lost)} clip" in line for line in found["failures"])
    # What the baseline lacks is said, and stops nothing but a tolerance that nothing is left for.
    untried = len(lost) == CLIPS and "--tolerance" in options
    assert call("compare", after, before, *options).return_value == untried


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return material.references(tmp_path_factory.mktemp("set") / "clips", CLIPS)


@pytest.fixture(scope="module")
def good(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose decodes are the clips with a little noise."""
    folder = tmp_path_factory.mktemp("good")
    material.decodes(folder / "decodes", clips, material.noisy(15))
    run = folder / "run"
    assert material.score_files(clips, folder / "decodes", run, metrics=METRICS) == 0
    return run


def test_decodes_without_sound_are_failures(clips: Path, good: Path, tmp_path: Path) -> None:
    ways = ("silent", "constant", "second half is zeros", "missing")
    bad = {number: material.BAD.get(way) for number, way in enumerate(ways)}
    material.decodes(tmp_path / "decodes", clips, material.noisy(15), bad)
    run = tmp_path / "run"
    assert material.score_files(clips, tmp_path / "decodes", run, metrics=METRICS) == 1
    coded = material.rows(run, "coded")
    failed = {row["clip"]: row["reason"] for row in coded if row["status"] == "failed"}
    assert sorted(failed) == [f"clips/{i:02}" for i in range(len(ways))]
    reasons = list(dict(sorted(failed.items())).values())
    assert [("is silent" in reason) for reason in reasons] == [True, True, True, False]
    assert "is silent from 0.52 to 1.00 s, while the source sounds for" in reasons[2]
    done = call("compare", good, run, "--strict")
    assert done.return_value == 1
    assert (
        "no score for 4 clips" in done.stdout.splitlines()[-1]
        or "not coded: 4 clips" in done.stdout
    )


def test_noise_and_ends_of_files_never_win(clips: Path, good: Path, tmp_path: Path) -> None:
    """White noise is scored and is worse; a file that ends half-way has no score."""
    ways = ("white noise", "white noise", "ends half-way")
    bad = {number: material.BAD[way] for number, way in enumerate(ways)}
    material.decodes(tmp_path / "decodes", clips, material.noisy(15), bad)
    run = tmp_path / "run"
    metrics = f"{METRICS},visqol_audio"  # which takes pairs of any length
    material.score_files(clips, tmp_path / "decodes", run, name="worse", metrics=metrics)
    scores = [row for row in material.rows(run, "scores") if row["clip"] == "clips/02"]
    assert {row["status"] for row in scores} <= {"undefined", "failed"}
    assert len(scores) == 4
    found = material.means(good, run)
    assert found["worse"]["si_sdr"] < found["codec"]["si_sdr"]
    assert found["worse"]["stoi"] < found["codec"]["stoi"]
    assert found["worse"]["mel_dac7"] > found["codec"]["mel_dac7"]


def test_what_a_codec_cannot_keep_is_not_missed(tmp_path: Path) -> None:
    """A tone above the corner of a low-pass, or above half of a narrow codec's rate."""
    t = np.arange(24_000) / 24_000
    tone = 0.4 * np.sin(2 * np.pi * 6_000 * t)
    both = tone + 0.2 * np.sin(2 * np.pi * 500 * t)
    material.write(tmp_path / "clips" / "high.wav", tone, 24_000)
    material.write(tmp_path / "clips" / "both.wav", both, 24_000)
    material.write(tmp_path / "clips" / "idle.wav", np.full(12_000, 8 / 32_768), 24_000)
    run = tmp_path / "run"
    done = call(
        "run", "--codecs", "lowpass@3.5kHz", "--data", tmp_path / "clips", "-o", run,
        "--metrics", "si_sdr,mel_dac7", "--jobs", "1",
    )  # fmt: skip
    assert done.return_value == 0
    for name in ("high", "both", "idle"):
        material.write(tmp_path / "narrow" / f"{name}.wav", np.zeros(8_000), 8_000)
    narrow = tmp_path / "narrow-run"
    material.score_files(tmp_path / "clips", tmp_path / "narrow", narrow, metrics="si_sdr,mel_dac7")
    status = {row["clip"]: row["status"] for row in material.rows(narrow, "coded")}
    assert status == {"clips/high": "ok", "clips/both": "failed", "clips/idle": "ok"}


def test_a_constant_source_is_silence_at_every_rate(tmp_path: Path) -> None:
    """The idle offset of A-law, 8 steps of 16 bits, at a rate that all metrics resample."""
    material.write(tmp_path / "clips" / "idle.wav", np.full(8_000, 8 / 32_768), 8_000)
    rng = np.random.default_rng(0)
    material.write(tmp_path / "decodes" / "idle.wav", 0.01 * rng.standard_normal(8_000), 8_000)
    run = tmp_path / "run"
    assert material.score_files(tmp_path / "clips", tmp_path / "decodes", run, metrics=METRICS) == 0
    scores = material.rows(run, "scores")
    assert [row["status"] for row in scores] == ["undefined"] * 3
    assert all("the reference is silent" in row["reason"] for row in scores)
