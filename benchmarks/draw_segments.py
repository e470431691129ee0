"""How long it takes to index full-size corpora and to draw the segments of ``dac-table3``.

    python benchmarks/draw_segments.py            # in a temporary folder, 5 GB, removed again
    python benchmarks/draw_segments.py --folder F # kept, so that a second call generates nothing

The trees have the layouts, file counts, durations and rates of the real ones: DAPS 100 files of
clean speech (10 of them of the test speakers), MUSDB18-HQ 50 tracks of 4 minutes in stereo,
AudioSet 20,000 files of 10 s. The audio is noise. AudioSet's WAV files are sparse: a second of
sound, then a hole, so that 17 GB to hash take 2 GB of disk. Nothing here depends on the speed of a
disk if the files fit into memory; a cold disk adds the time it takes to read 20 GB. Speed of a
machine that does other work at the same time is told by the CPU's seconds over its cores.
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

RATE_HZ = 44_100
FILES_AUDIOSET = 20_000
_HEADER_BYTES = 44

Result = TypeVar("Result")


def write(
    path: Path, seconds: float, *, channels: int = 1, sounding_s: float | None = None
) -> None:
    """Write a WAV file of noise drawn from its name; after `sounding_s` the file is a hole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode() + path.parent.name.encode()))
    sounding = round((sounding_s or seconds) * RATE_HZ)
    samples = rng.integers(-6_000, 6_000, (sounding, channels), dtype=np.int16)
    frame_bytes = samples.itemsize * channels
    data_bytes = round(seconds * RATE_HZ) * frame_bytes
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", _HEADER_BYTES - 8 + data_bytes, b"WAVE"),
        *(b"fmt ", 16, 1, channels, RATE_HZ, RATE_HZ * frame_bytes, frame_bytes, 16),
        *(b"data", data_bytes),
    )
    with path.open("wb") as stream:
        stream.write(header + samples.tobytes())
        stream.truncate(_HEADER_BYTES + data_bytes)


def generate(folder: Path) -> None:
    """Make the three trees; a marker says that they are complete."""
    if (folder / "complete").exists():
        return
    for speaker in [f"{sex}{number}" for sex in "fm" for number in range(1, 11)]:
        for script in range(1, 6):
            name = f"{speaker}_script{script}_clean.wav"
            write(folder / "daps" / "clean" / name, 150.0)
    for number in range(50):
        track = folder / "musdb18-hq" / "test" / f"Artist {number} - Title"
        write(track / "mixture.wav", 240.0, channels=2)
    for number in range(FILES_AUDIOSET):
        write(folder / "audioset" / f"id{number:09}.wav", 10.0, sounding_s=1.0)
    (folder / "complete").touch()


def timed(what: str, work: Callable[[], Result], *, files: int) -> Result:
    """Do something and say how long it took; the CPU's time is what a busy machine leaves true."""
    started, busy = time.perf_counter(), time.process_time()
    result = work()
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - busy
    share = 10_000 / files
    click.echo(
        f"{what:<30} {wall_s:7.1f} s wall {cpu_s:7.1f} s CPU; per 10,000 files "
        f"{wall_s * share:6.1f} s wall {cpu_s * share:6.1f} s CPU"
    )
    return result


def main() -> None:
    """Generate, index, draw, and draw again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Where the trees are kept.")
    chosen = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen or Path(scratch) / "trees"
        os.environ["SNACBENCH_CACHE"] = f"{scratch}/cache"
        generate(folder)
        measure(folder)


def measure(folder: Path) -> None:
    """Time the first and the second opening of the set."""
    from snacbench.testsets import Choice, TestSet, open_chosen, open_test_set

    def opened() -> TestSet:
        return open_test_set("dac-table3", root=[str(folder)])

    def drawn() -> TestSet:
        return open_chosen("dac-table3", Choice(), root=[str(folder)])

    files = 10 + 50 + FILES_AUDIOSET
    click.echo(f"{files} files, {len(os.sched_getaffinity(0))} cores")
    timed("indexing", opened, files=files)
    timed("opening by the index", opened, files=files)
    first = timed("drawing 3 x 1,000 segments", drawn, files=files)
    second = timed("the same again", drawn, files=files)
    verdict = "the same" if first == second else "ANOTHER ONE"
    click.echo(f"{len(first.clips)} segments; the second draw is {verdict}")
    for note in first.notes:
        click.echo(f"- {note}")


if __name__ == "__main__":
    main()
