"""``snacbench encode``: an audio file as the bytes that a codec really sends."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from snacbench.api.signals import encode as encode_file
from snacbench.bitstream.container import load, parse, summary_of
from snacbench.cli.downloads import offline_option, weights_option
from snacbench.cli.info import show_summary
from snacbench.cli.terminal import ProgressBar
from snacbench.rate.coding.coders import CODERS
from snacbench.request import Channels
from snacbench.runner.bitstreams import spec_of


@click.command
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--codec", required=True, help="One operating point: dac-44khz@2.67, NAME=dac:PATH.")
@click.option("-o", "--out", "target", required=True, type=click.Path(path_type=Path))
@click.option(
    "--coder",
    type=click.Choice(CODERS),
    default="packed",
    show_default=True,
    help="How codes become bits: whole bits per index, or an entropy coder.",
)
@click.option("--tables", type=click.Path(path_type=Path), help="Trained tables of the coder.")
@click.option(
    "--channels",
    type=click.Choice(["mono", "stereo"]),
    default="mono",
    show_default=True,
    help="Downmix, or keep stereo, as snacbench run does.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    default=0,
    show_default=True,
    help="Of the decoder's random numbers, for decoders that draw any (SNAC's).",
)
@weights_option
@offline_option
def encode(
    source: Path,
    codec: str,
    target: Path,
    coder: str,
    tables: Path | None,
    channels: str,
    seed: int,
    weights: tuple[str, ...],
    offline: bool,
) -> None:
    """Code an audio file with one codec, and write all that its decoder needs into one file.

    The signal is treated as 'snacbench run' treats it; 'snacbench decode' gives it back. What is
    printed is what 'snacbench info' says of the file.
    """
    with ProgressBar() as bar:
        encode_file(
            source,
            target,
            codec,
            coder=coder,
            tables=tables,
            channels=cast(Channels, channels),
            seed=seed,
            weights=weights,
            offline=offline,
            progress=bar,
        )
    summary = summary_of(parse(load(target)))
    show_summary(target, summary, spec_of(summary.header))
