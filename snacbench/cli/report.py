"""``snacbench report``: one folder to hear and see a run, opened from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from snacbench.cli.terminal import ProgressBar, err, out
from snacbench.report.build import DEFAULT_CLIPS, build_report
from snacbench.rows import ClipMeasures
from snacbench.store.run_folder import RunFolder
from snacbench.testsets.describe import warnings_of
from snacbench.types import Clip


@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "target",
    type=click.Path(path_type=Path),
    help="New folder, or an older report.  [default: RUN/report]",
)
@click.option("--lossless", is_flag=True, help="Players play FLAC in place of Opus at 130 kbps.")
@click.option(
    "--clips",
    type=click.IntRange(0),
    default=DEFAULT_CLIPS,
    show_default=True,
    help="Clips with players at most; the scores of all others are there too.",
)
def report(run: Path, target: Path | None, lossless: bool, clips: int) -> None:
    """Write a page to hear and see RUN: players, spectrograms, scores, plots.

    The folder can be opened from disk, sent, or put onto any web server as it is.
    """
    folder = RunFolder.open(run)
    with ProgressBar() as bar:
        made = build_report(
            folder,
            target or run / "report",
            lossless=lossless,
            clips=clips,
            about_sources=_about_sources(folder),
            begin=lambda count: bar.begin("players", count),
            step=lambda: bar.step("players"),
        )
    for problem in made.problems:
        err.print(f"warning: {problem}", style="yellow", soft_wrap=True, markup=False)
    err.print(f"{made.num_clips} clips with players, {made.num_bytes / 1e6:.1f} MB")
    out.print(str(made.index), soft_wrap=True, markup=False)


def _about_sources(folder: RunFolder) -> list[str]:
    """Warnings about the run's recordings, from what is known of them or was measured."""
    measured = {row.clip: row.measures for row in folder.read(ClipMeasures)}
    clips = [
        clip if clip.measures else replace(clip, measures=measured.get(clip.id))
        for clip in folder.read(Clip)
    ]
    rates_hz = [spec.rate_hz for spec in folder.run.codecs]
    return [f"{text}." for text in warnings_of(clips, codec_rates_hz=rates_hz)]
