"""How long it takes to load and tabulate a large run, and how much memory.

    python benchmarks/reading.py                  # 3,000 clips x 20 operating points x 10 metrics
    python benchmarks/reading.py --histograms     # with the code histograms of half of the codecs
    python benchmarks/reading.py --folder F       # kept, so that a second call generates nothing

The rows are made up and written as a run would write them, without a codec: 1,000 clips each of
speech, music and environment, 40 speakers or tracks. Each step is measured in a process of its
own, so that its peak of memory is its own as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from snacbench.rows import CodeHistogram, Run
from snacbench.store.folder import ROW_FILES, RunFolder
from snacbench.store.rows import pack_histogram, to_jsonable
from snacbench.types import Clip, CodecSpec, Domain, MetricSpec, Stream, nominal_kbps_of

CLIPS, CODECS, METRICS, CLUSTERS = 3_000, 20, 10, 40
DOMAINS: tuple[Domain, ...] = ("speech", "music", "environment")
DURATION_S = 10.0
_PAPER = ("si_sdr", "mel_dac7", "stft_dac", "visqol_audio")
STEPS = {
    "default table": (),
    "snac-paper with intervals": ("--layout", "snac-paper", "--ci"),
    "default with intervals": ("--ci", "--format", "json"),
    "dac-table3, intervals, significance": ("--layout", "dac-table3", "--ci", "--significance"),
}


def generate(folder: Path, *, histograms: bool) -> None:
    """Write the run's files, a line of JSON per row."""
    codecs, metrics = tuple(map(_codec, range(CODECS))), tuple(map(_metric, range(METRICS)))
    clips = [
        Clip(f"made/{i}", Path(f"{i}.wav"), f"{i:064x}", 44_100, 1, 441_000,
             domain=DOMAINS[i % 3], cluster=f"speaker {i % CLUSTERS}")
        for i in range(CLIPS)
    ]  # fmt: skip
    run = Run("made", "now", "0", 1, {}, 0, "cpu", "made", "00" * 32, codecs, metrics)
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
    with (made.path / ROW_FILES[CodeHistogram]).open("w") as stream:
        for clip in clips:
            codes, counts = np.unique(rng.integers(0, 1024, 861), return_counts=True)
            for codec in codecs[::2]:
                for index, book in enumerate(codec.streams):
                    row = CodeHistogram(
                        clip.id, codec.name, index, book.codebook_size, codes.astype("i4"), counts
                    )
                    stream.write(json.dumps(to_jsonable(pack_histogram(row))) + "\n")


def measure(name: str, arguments: tuple[str, ...], folder: Path) -> None:
    """Time one command and print its peak of memory."""
    before = time.perf_counter()
    command = [sys.executable, __file__, "--measured", "table", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    elapsed_s = time.perf_counter() - before
    cpu_s, peak_mb = done.stderr.split()[-2:]
    print(f"{name:38} {elapsed_s:6.2f} s  (CPU {cpu_s} s)  peak {peak_mb} MB")


def _run_measured(arguments: list[str]) -> None:
    from snacbench.cli.main import cli

    cli.main(arguments, standalone_mode=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss / 1024:.0f}", file=sys.stderr)


def main() -> None:
    """Generate a run and measure every step."""
    if sys.argv[1:2] == ["--measured"]:
        _run_measured(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="keep the run here")
    parser.add_argument("--histograms", action="store_true", help="write code histograms too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "run"
        if not (folder / "run.json").exists():
            generate(folder, histograms=options.histograms)
        for name, arguments in STEPS.items():
            measure(name, arguments, folder)


if __name__ == "__main__":
    main()
