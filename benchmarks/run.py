"""What a run costs beyond its codecs, and whether its memory grows with the number of clips.

    python -m benchmarks.run overhead     # a published model with random weights: minutes
    python -m benchmarks.run memory       # 100, 1,000 and 10,000 clips through toy codecs

``overhead`` divides the wall time of ``snacbench run`` (start of the interpreter, calibration,
scoring by the default metrics and the summary included) by that of the same number of processes
that only encode and decode the same clips with one thread each, the model loaded and the audio
resampled beforehand. Both are timed in turn, so that other work on the machine hits both. The
ratio of CPU seconds, which other work hardly changes, stands beside it.

``memory`` samples the proportional set size (shared pages divided among their users) of the
parent and of its workers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

_SAMPLING_S = 0.2
_MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """Seconds of wall clock and of all CPU cores."""

    wall_s: float
    cpu_s: float


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["overhead", "memory"])
    parser.add_argument("--codec", default="dac-44khz", help="published model to be timed")
    parser.add_argument("--clips", type=int, default=8, help="clips of each domain to be timed")
    parser.add_argument("--segment-s", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="of timing both in turn")
    parser.add_argument("--counts", default="100,1000,10000", help="clips whose memory is watched")
    parser.add_argument("--codecs", default="identity,noise@20dB", help="for memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (overhead if options.what == "overhead" else memory)(options, Path(folder))


# ------------------------------------------------------------------------------------- overhead


def overhead(options: argparse.Namespace, folder: Path) -> None:
    """Print the wall time of a run over that of bare inference."""
    from tests.support.codec_models import write_published

    weights = folder / "weights"
    weights.mkdir()
    write_published(options.codec, weights)
    ratios = []
    for index in range(options.rounds):
        bare = bare_inference(options, weights)
        run = timed_run(options, weights, folder / f"run{index}")
        ratios.append((run.wall_s / bare.wall_s, run.cpu_s / bare.cpu_s))
        print(
            f"round {index + 1}: bare {bare.wall_s:.1f} s wall, {bare.cpu_s:.1f} s CPU; "
            f"run {run.wall_s:.1f} s wall, {run.cpu_s:.1f} s CPU; "
            f"ratio {ratios[-1][0]:.3f} wall, {ratios[-1][1]:.3f} CPU",
            flush=True,
        )
    wall, cpu = np.median(np.array(ratios), axis=0)
    print(f"{options.codec}, {options.jobs} jobs: run / bare = {wall:.3f} wall, {cpu:.3f} CPU")


def timed_run(options: argparse.Namespace, weights: Path, target: Path) -> Cost:
    """The whole command, from its start to its end."""
    arguments = [
        "run", "--codecs", options.codec, "--weights", str(weights), "--data", "quick",
        "--limit", str(options.clips), "--segment-s", str(options.segment_s),
        "--jobs", str(options.jobs), "-o", str(target),
    ]  # fmt: skip
    before, started = _children_cpu_s(), time.perf_counter()
    command = [sys.executable, "-m", "snacbench", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Cost(time.perf_counter() - started, _children_cpu_s() - before)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare_inference(options: argparse.Namespace, weights: Path) -> Cost:
    """Processes that encode and decode, one clip after another, and do nothing else."""
    context = multiprocessing.get_context("spawn")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    ready = context.Barrier(options.jobs + 1)
    clips: Any = context.SimpleQueue()
    used: Any = context.SimpleQueue()
    for index in range(len(_clips(options))):
        clips.put(index)
    for _ in range(options.jobs):
        clips.put(None)
    processes = [
        context.Process(target=_infer, args=(options, weights, clips, used, ready))
        for _ in range(options.jobs)
    ]
    for process in processes:
        process.start()
    ready.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
    return Cost(time.perf_counter() - started, sum(used.get() for _ in processes))


def _clips(options: argparse.Namespace) -> tuple[Any, ...]:
    from snacbench.testsets import NAMED_SETS
    from snacbench.testsets.testset import choose

    chosen = choose(NAMED_SETS["quick"].build(), segment_s=options.segment_s, limit=options.clips)
    return chosen.clips


def _infer(
    options: argparse.Namespace, weights: Path, clips: Any, used: Any, ready: Barrier
) -> None:
    import torch

    from snacbench.audio.io import read_clip
    from snacbench.runner.signal_rules import codec_inputs, source_signal
    from snacbench.selectors import select
    from snacbench.weights.locate import locate
    from snacbench.weights.policy import WeightsPolicy

    torch.set_num_threads(1)
    model, spec = select(options.codec)[0]
    codec = model.load(spec, locate(model, WeightsPolicy(weights)), "cpu")
    signals = [
        codec_inputs(source_signal(read_clip(clip), "mono"), spec)[0][0] for clip in _clips(options)
    ]
    codec.decode(codec.encode(signals[0]), seed=0)
    ready.wait()
    began = time.process_time()
    while (index := clips.get()) is not None:
        codec.decode(codec.encode(signals[index]), seed=0)
    used.put(time.process_time() - began)


# --------------------------------------------------------------------------------------- memory


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Print the peak memory of a run's parent and workers, by the number of clips."""
    for count in map(int, options.counts.split(",")):
        clips = generate(folder / f"clips{count}", count)
        target = folder / f"run{count}"
        command = [
            sys.executable, "-m", "snacbench", "run", "--codecs", options.codecs, "--data",
            str(clips), "--metrics", "si_sdr,mel_dac7", "--jobs", str(options.jobs),
            "--weights", "embedded", "-o", str(target),
        ]  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peaks = watched(process)
        if process.returncode:
            raise SystemExit(f"the run of {count} clips ended with {process.returncode}")
        print(
            f"{count} clips: parent {peaks['parent'] / _MIB:.0f} MiB, "
            f"largest worker {peaks['worker'] / _MIB:.0f} MiB, "
            f"all together {peaks['all'] / _MIB:.0f} MiB; "
            f"{time.perf_counter() - started:.0f} s",
            flush=True,
        )


def generate(folder: Path, count: int) -> Path:
    """Short clips of noise, a thousand to a folder."""
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / f"speech{index // 1000}" / f"{index:05}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(4000), 16_000, subtype="PCM_16")
    return folder


def watched(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Largest proportional set sizes in bytes while a process and its children run."""
    peaks = {"parent": 0, "worker": 0, "all": 0}
    while process.poll() is None:
        parent = _pss_bytes(process.pid)
        workers = [_pss_bytes(child) for child in _children(process.pid)]
        peaks["parent"] = max(peaks["parent"], parent)
        peaks["worker"] = max(peaks["worker"], *workers, 0)
        peaks["all"] = max(peaks["all"], parent + sum(workers))
        time.sleep(_SAMPLING_S)
    return peaks


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except OSError:
        return  # it has ended meanwhile


def _pss_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
