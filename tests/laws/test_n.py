"""Rates, scores, intervals and sentences of a line rest on the same clips, and the line says n."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.command_line import call
from tests.support.law_material import rows
from tests.support.synthetic_runs import System, run_of

CHEAP = settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
SPEECH, MUSIC = 6, 12
DOMAINS = ["speech"] * SPEECH + ["music"] * MUSIC
CLIPS = SPEECH + MUSIC


def ladder(rng: np.random.Generator) -> dict[str, System]:
    """One codec at one rate, another at four; speech and music cost different rates."""
    costs = np.where(np.arange(CLIPS) < SPEECH, 0.8, 1.4) * rng.uniform(0.9, 1.1, CLIPS)
    quality = rng.normal(0, 0.05, CLIPS)
    music = range(SPEECH, CLIPS)
    made, how = {}, {"model": "curve", "skipped": {"voice": music}}
    for kbps in (4, 8, 16, 32):
        scores = {"voice": 2 + np.log2(kbps) + quality, "up": 10 + kbps + quality}
        made[f"curve@{kbps}"] = System(scores, kbps=(kbps * costs).tolist(), **how)
    of_one = {"voice": 2 + np.log2(11.0) + quality, "up": 21 + quality}
    made["one"] = System(of_one, kbps=(6 * costs[::-1]).tolist(), skipped={"voice": music})
    return made


def saving(run: Path, metric: str, domain: str) -> dict[str, Any]:
    done = call(
        "rates", run, "--of", "one", "--against", "curve", "--metrics", metric,
        "--domain", domain, "--format", "json",
    )  # fmt: skip
    (found,) = json.loads(done.stdout)
    return dict(found)


@settings(CHEAP)
@given(st.integers(0, 2**16))
def test_sentences_take_rates_of_the_clips_that_they_take_scores_of(tmp_path_factory, seed):
    made = ladder(np.random.default_rng(seed))
    run = run_of(tmp_path_factory.mktemp("law") / "run", made, DOMAINS)
    everywhere, speech = saving(run, "voice", "all"), saving(run, "voice", "speech")
    # The metric is for speech: over all domains it says what it says of speech.
    for field in ("n", "kbps", "target_kbps", "low_kbps", "high_kbps"):
        assert everywhere["matched"][field] == pytest.approx(speech["matched"][field])
    assert everywhere["matched"]["n"] == SPEECH
    coded = [row for row in rows(run, "coded") if row["codec"] == "one"]
    coded = [row for row in coded if row["domain"] == "speech"]
    bits = [(row["bits"]["codes"], row["duration_s"]) for row in coded]
    kbps = sum(b for b, _ in bits) / sum(s for _, s in bits) / 1000
    assert everywhere["matched"]["target_kbps"] == pytest.approx(kbps)
    assert saving(run, "up", "all")["matched"]["n"] == CLIPS


def test_every_sentence_says_its_n(tmp_path: Path) -> None:
    made = ladder(np.random.default_rng(0))
    made |= {
        f"other@{name}": System(system.scores, system.kbps, model="other", skipped=system.skipped)
        for name, system in made.items()
        if name != "one"
    }
    run = run_of(tmp_path / "run", made, DOMAINS)
    lines = call("rates", run, "--of", "one,other", "--against", "curve").stdout.splitlines()
    assert len(lines) >= 6
    for line in lines:
        assert f"n = {SPEECH if 'voice' in line or 'speech' in line else MUSIC}" in line or (
            "music" not in line and f"n = {CLIPS}" in line
        ), line


def test_curves_that_hardly_overlap_get_no_headline(tmp_path: Path) -> None:
    """Quality 2 to 5 against 4.9 to 7.9, at rates of which few are shared."""
    kbps, noise = (2, 4, 8, 16), np.random.default_rng(1).normal(0, 0.01, CLIPS)
    made = {}
    for name, start, factor in (("low", 1.0, 1.0), ("high", 3.8, 7.5)):
        for rate in kbps:
            up = start + np.log2(rate) + noise
            made[f"{name}@{rate}"] = System({"up": up}, kbps=factor * rate, model=name)
    run = run_of(tmp_path / "run", made, ["music"] * CLIPS)
    options = ("--of", "high", "--against", "low", "--metrics", "up")
    text = call("rates", run, *options).stdout
    assert not re.search(r"% (less|more) rate|differs from", text)
    assert text.count("the curves share") == text.count("25 % are needed") == 2
    (found,) = json.loads(call("rates", run, *options, "--format", "json").stdout)
    for delta in (found["rate"], found["quality"]):
        assert delta["value"] is None
        assert 0 < delta["overlap_of_narrower"] < 0.25
        assert delta["overlap"][0] < delta["overlap"][1]


def test_a_table_of_several_runs_says_the_n_of_its_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    systems = {name: {"c": System({"up": rng.normal(size=3)})} for name in ("ab", "cd")}
    runs = [run_of(tmp_path / name, of, ["speech"] * 3, set_id=name)
            for name, of in systems.items()]  # fmt: skip
    done = call("table", *runs, "--by", "all", "--format", "json")
    (table,) = json.loads(done.stdout)["tables"]
    assert [row["cells"]["up"]["n"] for row in table["rows"]] == [3, 3]
    (note,) = [text for text in table["footnotes"] if text.startswith("n = ")]
    assert note.startswith("n = 3 clips in each row, 6 in all")
    assert not any("marks" in row["cells"]["up"] for row in table["rows"])
    assert "Rows of different test sets are not ranked" in " ".join(table["footnotes"])
    labels = [row["codec"] for row in table["rows"]]
    assert len(set(labels)) == 2
    lines = csv.DictReader(call("table", *runs, "--format", "csv").stdout.splitlines())
    assert len({line["codec"] for line in lines}) == 2
