"""``snacbench decode``: a ``.sncb`` file as audio again."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.api.signals import decode as decode_file
from snacbench.audio.levels import beyond_full_scale
from snacbench.bitstream.container import load, parse
from snacbench.cli.downloads import offline_option, weights_option
from snacbench.cli.info import in_words
from snacbench.cli.terminal import ProgressBar, out


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", "target", required=True, type=click.Path(path_type=Path))
@click.option("--codec", default="", help="A checkpoint or command file of your own: dac:PATH.")
@click.option("--tables", type=click.Path(path_type=Path), help="The coder's trained tables.")
@weights_option
@offline_option
def decode(
    file: Path,
    target: Path,
    codec: str,
    tables: Path | None,
    weights: tuple[str, ...],
    offline: bool,
) -> None:
    """Decode a .sncb file to 24-bit WAV or FLAC, at the codec's rate.

    Decoded on the machine that coded it, these are the very samples that a run scores. A file that
    is damaged, or was made with other weights than those at hand, is refused.
    """
    with ProgressBar() as bar:
        audio = decode_file(
            file,
            target,
            codec=codec,
            tables=tables,
            weights=weights,
            offline=offline,
            progress=bar,
        )
    clipped = beyond_full_scale(audio)
    clipping = f", {clipped} of them clipped" if clipped else ""
    out.print(
        f"{target}: {audio.num_samples} samples{clipping}, {in_words(audio.channels)}, "
        f"{audio.rate_hz} Hz, decoded by {parse(load(file)).header.codec}",
        soft_wrap=True,
        markup=False,
    )
