"""A gate counts what differs: unchanged codecs beside a regression hide none of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import UserError
from tests.support.command_line import call
from tests.support.synthetic_runs import System, run_of

CLIPS = 12
DOMAINS = ["speech"] * 6 + ["music"] * 6
UNCHANGED = [f"same@{i}kbps" for i in range(11)]


def system(shift: float, seed: int) -> System:
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(7).normal(10, 2, CLIPS)
    moved = shift * (1 + rng.normal(0, 0.35, CLIPS))
    return System({"up": base - moved, "down": base + moved, "voice": base - moved},
                  skipped={"voice": range(6, CLIPS)})  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A codec that got worse beside eleven that did not change."""
    unchanged = {name: system(0.0, i) for i, name in enumerate(UNCHANGED)}
    before = run_of(tmp_path / "before", {"new": system(0.0, 0), **unchanged}, DOMAINS)
    return before, run_of(tmp_path / "after", {"new": system(1.0, 1), **unchanged}, DOMAINS)


def compared(*arguments: object) -> dict[str, Any]:
    return dict(json.loads(call("compare", *arguments, "--format", "json").stdout))


def test_unchanged_codecs_hide_no_regression(runs: tuple[Path, Path]) -> None:
    alone, beside = compared(*runs, "--codecs", "new"), compared(*runs)
    failing = [c for c in beside["comparisons"] if c["fails"]]
    assert len(failing) == len([c for c in alone["comparisons"] if c["fails"]]) >= 6
    assert beside["failures"] == alone["failures"]
    of_new = [c for c in beside["comparisons"] if c["candidate"] == "new"]
    for one, other in zip(of_new, alone["comparisons"], strict=True):
        assert one["p_corrected"] == pytest.approx(other["p_corrected"])  # sums in another order
        assert one["verdict"] == other["verdict"]
    for unchanged in (c for c in beside["comparisons"] if c["candidate"] != "new"):
        assert (unchanged["p_corrected"], unchanged["fails"]) == (None, False)


def test_rows_of_all_that_repeat_a_domain_count_once(runs: tuple[Path, Path]) -> None:
    comparisons = compared(*runs, "--codecs", "new")["comparisons"]
    found = {(c["metric"], c["domain"]): c for c in comparisons}
    assert found["voice", "all"]["repeats"] == "speech"
    assert found["voice", "all"]["p_corrected"] == found["voice", "speech"]["p_corrected"]
    assert not found["up", "all"]["repeats"]
    counted = [c for c in found.values() if not c["repeats"]]
    assert len(counted) == 7  # up and down in speech, music and all; voice in speech
    smallest = min(c["paired"]["p_value"] for c in counted)
    assert min(c["p_corrected"] for c in counted) == pytest.approx(7 * smallest)
    for row in found.values():
        assert row["paired"]["p_holm"] == row["p_corrected"] >= row["paired"]["p_value"]


def test_the_last_lines_say_what_fails_and_by_how_much(runs: tuple[Path, Path]) -> None:
    done = call("compare", *runs, "--tolerance", "up=0.5", "--tolerance", "kbps=0.1")
    verdict = done.stdout.index("failed: the candidate is worse")
    lines = done.stdout[verdict:].splitlines()[1:]
    assert len(lines) == 7
    assert any(
        line.startswith("  speech, up, new: worse, -1.") and "dB (higher is better, tol" in line
        for line in lines
    )
    assert all("n = 6" in line or "n = 12" in line for line in lines)
    markdown = call("compare", *runs, "--format", "markdown").stdout
    assert "- speech, voice, new: worse" in markdown[markdown.index("**failed**") :]


@pytest.mark.parametrize(("text", "chosen"), [
    ("new", {"new"}),
    ("same", set(UNCHANGED)),
    ("same@3,4,new", {"same@3kbps", "same@4kbps", "new"}),
    ("same@3=same@4", {"same@4kbps"}),
    ("s", set(UNCHANGED)),
    ("*@1*", {"same@1kbps", "same@10kbps"}),
    ("old", "no codec named 'old'"),
    ("new=same", "name one of each, or as many"),
])  # fmt: skip
def test_codecs_are_named_as_everywhere(tmp_path: Path, text: str, chosen: set[str] | str) -> None:
    unchanged = {
        name: System({"up": np.arange(2.0)}, model="same" if name != "new" else "new")
        for name in ["new", *UNCHANGED]
    }
    run = run_of(tmp_path / "run", unchanged, ["speech"] * 2)
    if isinstance(chosen, str):
        with pytest.raises(UserError, match=chosen):
            compared(run, run, "--codecs", text)
        return
    assert {c["candidate"] for c in compared(run, run, "--codecs", text)["comparisons"]} == chosen


def test_runs_without_the_same_codec_of_that_name(tmp_path: Path) -> None:
    alike = {name: {f"c@{name}kbps": system(0.0, 0)} for name in "12"}
    one, other = (run_of(tmp_path / name, of, DOMAINS) for name, of in alike.items())
    with pytest.raises(UserError, match="no codec that both runs have is named c"):
        call("compare", one, other, "--codecs", "c")
