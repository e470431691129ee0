"""``snacbench decode``: a ``.sncb`` file as audio again."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.audio.io import write_flac, write_wav
from snacbench.bitstream.container import load, parse, read
from snacbench.cli.downloads import offline_option, weights_option
from snacbench.cli.sncb import coder_of, in_words, naming
from snacbench.cli.terminal import ProgressBar, out
from snacbench.runner.bitstreams import codec_of, decode_bitstream

_WRITERS = {".wav": write_wav, ".flac": write_flac}


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", "target", required=True, type=click.Path(path_type=Path))
@click.option("--codec", default="", help="A checkpoint or command file of your own: dac:PATH.")
@click.option("--tables", type=click.Path(path_type=Path), help="The coder's trained tables.")
@weights_option
@offline_option
def decode(
    file: Path, target: Path, codec: str, tables: Path | None, weights: tuple[str, ...]
) -> None:
    """Decode a .sncb file to 24-bit WAV or FLAC, at the codec's rate.

    Decoded on the machine that coded it, these are the very samples that a run scores. A file that
    is damaged, or was made with other weights than those at hand, is refused.
    """
    if target.suffix.lower() not in _WRITERS:
        raise click.BadParameter(f"expected a name that ends in .wav or .flac, found {target}")
    data = load(file)
    with naming(file):
        header = parse(data).header
        with ProgressBar() as bar:
            loaded = codec_of(header, weights, bar, selector=codec)
        bitstream = read(data, lambda header: coder_of(header, tables))
        audio = decode_bitstream(bitstream, loaded)
    clipped = _WRITERS[target.suffix.lower()](target, audio)
    clipping = f", {clipped} of them clipped" if clipped else ""
    out.print(
        f"{target}: {audio.num_samples} samples{clipping}, {in_words(audio.channels)}, "
        f"{audio.rate_hz} Hz, decoded by {header.codec}",
        soft_wrap=True,
        markup=False,
    )
