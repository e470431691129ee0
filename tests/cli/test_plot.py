"""``snacbench plot`` on a run folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snacbench.cli.results import plot
from snacbench.errors import UserError
from snacbench.rows import Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import Run
from tests.support.plots import DAC, OPUS, coded, run_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_all_plots_of_all_metrics_and_codecs_of_both_runs_once(
    cli: Run, folder: Path, tmp_path: Path
) -> None:
    done = cli("plot", folder, folder, "all")
    assert done.returncode == 0, done.stderr
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert len(names) == 1 + 2 * 6
    assert {"codebooks.svg", "speed-mel_dac7.svg", "quality-rate-si_sdr.svg"} <= names
    assert all((tmp_path / "plots" / name).stat().st_size > 1000 for name in names)
    assert "drawn from the first run that has them: opus@8kbps" in done.stderr.replace("\n", " ")
    assert "paired differences to a baseline" in cli("plot", "--list").stdout


def test_one_plot_with_choices(cli: Run, folder: Path, tmp_path: Path) -> None:
    done = cli(
        "plot", folder, "differences", "--metric", "si_sdr", "--domain", "speech", "--baseline",
        "opus@8kbps", "--width", "double", "--format", "svg,png", "-o", "out", "--codecs",
        "opus,dac-44khz@1.78kbps", "--label", "opus=Mine", "--title", "Named", "--no-caption",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = [f"differences-si_sdr-speech-vs-opus@8kbps.{form}" for form in ("svg", "png")]
    assert done.stdout.split() == [str(Path("out") / name) for name in expected]
    svg = (tmp_path / "out" / expected[0]).read_text("utf-8")
    for text in ("Mine@14kbps", "compared with Mine@8kbps", ">Named<", "dac-44khz@1.78kbps"):
        assert text in svg
    assert "dac-44khz@2.67kbps" not in svg
    assert "on shared clips" not in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed", "tokens"], "no run speed; one plot name is expected after the runs: codebooks,"),
        (["speed", "--format", "svg,gif"], "--format takes svg, pdf, png, separated by commas"),
        (["speed", "--format", ","], "--format takes svg, pdf, png"),
    ],
)
def test_mistakes(folder: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        plot.main([str(folder), *arguments], standalone_mode=False)
