"""How long a large run takes to become a table, all plots and a page, and how much memory.

    python benchmarks/reading.py                  # 3,000 clips x 20 operating points x 10 metrics
    python benchmarks/reading.py --histograms     # with the code histograms of half of the codecs
    python benchmarks/reading.py --folder F       # kept, so that a second call generates nothing
    python benchmarks/reading.py --tables         # other layouts too, outside of the total

The rows are made up and written as a run would write them, without a codec: 1,000 clips each of
speech, music and environment, 40 speakers or tracks. Each step is measured in a process of its
own, start-up included, so that its peak of memory is its own as well. Where a step has processes
that help it, their CPU time counts, and the peak is that of it and of the largest of them together.

The last lines are for programs: ``figure NAME VALUE``, times in seconds and memory in MB. The total
is of the three steps one after the other, its peak that of the largest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from snacbench.request import Request
from snacbench.rows import CodeHistogram, Run
from snacbench.store.jsonl import line_of
from snacbench.store.run_folder import ROW_FILES, RunFolder
from snacbench.types import Clip, CodecSpec, Domain, MetricSpec, Stream, nominal_kbps_of

CLIPS, CODECS, METRICS, CLUSTERS = 3_000, 20, 10, 40
DOMAINS: tuple[Domain, ...] = ("speech", "music", "environment")
DURATION_S = 10.0
_PAPER = ("si_sdr", "mel_dac7", "stft_dac", "visqol_audio")
STEPS = {
    "table": ("table", "{run}"),
    "plots": ("plot", "{run}", "all", "-o", "{out}"),
    "report": ("report", "{run}", "--clips", "0", "-o", "{out}/report"),
}
TABLES = {
    "table_snac_paper": ("table", "{run}", "--layout", "snac-paper", "--ci"),
    "table_intervals": ("table", "{run}", "--ci", "--format", "json"),
    "table_significance": ("table", "{run}", "--layout", "dac-table3", "--ci", "--significance"),
}


def generate(folder: Path, *, histograms: bool) -> None:
    """Write the run's files, a line of JSON per row."""
    codecs, metrics = tuple(map(_codec, range(CODECS))), tuple(map(_metric, range(METRICS)))
    clips = [
        Clip(f"made/{i}", Path(f"{i}.wav"), f"{i:064x}", 44_100, 1, 441_000,
             domain=DOMAINS[i % 3], cluster=f"speaker {i % CLUSTERS}")
        for i in range(CLIPS)
    ]  # fmt: skip
    run = Run("made", "now", "0", 2, Request(), 0, "cpu", "made", "00" * 32, codecs, metrics)
    made = RunFolder.create(folder, run, clips)
    rng = np.random.default_rng(0)
    with (folder / "coded.jsonl").open("w") as coded, (folder / "scores.jsonl").open("w") as scores:
        for clip in clips:
            for index, codec in enumerate(codecs):
                coded.write(json.dumps(_coded(clip, codec, index)) + "\n")
                values = rng.normal(index, 1.0, METRICS)
                for metric, value in zip(metrics, values.tolist(), strict=True):
                    scores.write(json.dumps(_score(clip, codec, metric, value)) + "\n")
    if histograms:
        _write_histograms(made, clips, codecs, rng)


def _codec(index: int) -> CodecSpec:
    streams = (Stream(Fraction(44_100, 512), 1024),) * (1 + index % 9)
    name = f"codec-{index // 4}@{index % 4 + 1}q"
    return CodecSpec(
        name, f"codec-{index // 4}", "made", 44_100, (1,), streams, nominal_kbps_of(streams)
    )


def _metric(index: int) -> MetricSpec:
    name = _PAPER[index] if index < len(_PAPER) else f"metric_{index}"
    lower = name in ("mel_dac7", "stft_dac")
    return MetricSpec(name, "", "lower" if lower else "higher", (-1e9, 1e9), 44_100, "nobody")


def _coded(clip: Clip, codec: CodecSpec, index: int) -> dict[str, object]:
    bits = {"codes": round(1000 * DURATION_S * (index + 1)), "side_info": 0, "payload": 0}
    return {
        "clip": clip.id, "codec": codec.name, "status": "ok", "reason": "", "domain": clip.domain,
        "duration_s": DURATION_S, "bits": bits, "decoded": f"decoded/{codec.name}/{clip.id}.flac",
        "decoded_sha256": clip.sha256, "decoded_rate_hz": 44_100, "channel_mode": "mono",
        "encode_s": 1.0, "decode_s": 1.5, "clipped_samples": 0, "seed": 1, "batch": 1,
    }  # fmt: skip


def _score(clip: Clip, codec: CodecSpec, metric: MetricSpec, value: float) -> dict[str, object]:
    return {
        "clip": clip.id, "codec": codec.name, "metric": metric.name, "version": "1",
        "status": "ok", "value": value, "reason": "",
    }  # fmt: skip


def _write_histograms(
    made: RunFolder, clips: list[Clip], codecs: tuple[CodecSpec, ...], rng: np.random.Generator
) -> None:
    """As many codes as 10 s hold, for every other codec."""
    with (made.path / ROW_FILES[CodeHistogram]).open("wb") as stream:
        for clip in clips:
            codes, counts = np.unique(rng.integers(0, 1024, 861), return_counts=True)
            for codec in codecs[::2]:
                for index, book in enumerate(codec.streams):
                    row = CodeHistogram(
                        clip.id, codec.name, index, book.codebook_size, codes.astype("i4"), counts
                    )
                    stream.write(line_of(row))


@dataclass(frozen=True)
class Used:
    """What a step took: seconds by the clock, seconds of CPU, MB at its peak."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(arguments: Sequence[str], run: Path) -> Used:
    """Take one step in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        filled = [part.format(run=run, out=out) for part in arguments]
        before = time.perf_counter()
        command = [sys.executable, __file__, "--measured", *filled]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall_s = time.perf_counter() - before
    cpu_s, peak_mb = map(float, done.stderr.split()[-2:])
    return Used(wall_s, cpu_s, peak_mb)


def _run_measured(arguments: list[str]) -> None:
    from snacbench.cli.verbs import cli

    cli.main(arguments, standalone_mode=False)
    own, helpers = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_s = sum(used.ru_utime + used.ru_stime for used in (own, helpers))
    peak_mb = (own.ru_maxrss + helpers.ru_maxrss) / 1024
    print(f"{cpu_s:.2f} {peak_mb:.0f}", file=sys.stderr)


def report_figures(found: Mapping[str, Used]) -> None:
    """A line for a reader and, at the end, lines for programs."""
    steps = [found[name] for name in STEPS]
    total = Used(
        sum(used.wall_s for used in steps),
        sum(used.cpu_s for used in steps),
        max(used.peak_mb for used in steps),
    )
    every = {**found, "total": total}
    for name, used in every.items():
        print(
            f"{name:20} {used.wall_s:6.2f} s  (CPU {used.cpu_s:.2f} s)  peak {used.peak_mb:.0f} MB"
        )
    for name, used in every.items():
        for unit, value in vars(used).items():
            print(f"figure {name}_{unit} {value:.2f}")


def main() -> None:
    """Generate a run and measure every step."""
    if sys.argv[1:2] == ["--measured"]:
        _run_measured(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="keep the run here")
    parser.add_argument("--histograms", action="store_true", help="write code histograms too")
    parser.add_argument("--tables", action="store_true", help="measure other layouts too")
    options = parser.parse_args()
    steps = {**STEPS, **TABLES} if options.tables else STEPS
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "run"
        if not (folder / "run.json").exists():
            generate(folder, histograms=options.histograms)
        report_figures({name: measure(step, folder) for name, step in steps.items()})


if __name__ == "__main__":
    main()
