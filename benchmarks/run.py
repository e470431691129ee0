"""What a run costs beside a script around the codecs' own packages, and whether its memory grows.

    python -m benchmarks.run overhead                             # the embedded models: minutes
    python -m benchmarks.run overhead --codecs dac-44khz@2q,3q,6q,9q --clips 2   # random weights
    python -m benchmarks.run scaling      # one worker, two, and four of a Dask cluster
    python -m benchmarks.run memory       # 100, 1,000 and 10,000 clips through reference conditions
    python -m benchmarks.run memory --clip-s 1 --counts 334,33334 --toys identity,noise,lowpass

``overhead`` divides wall and CPU time of ``snacbench run`` (start of the interpreter, checks,
calibration, scoring by the default metrics and the summary included; speeds are not measured) by
those of `benchmarks._peer_run`: the packages' own encode and decode for every point and clip, and
the reference metric packages after them. Both are timed in turn, so that other work on the machine
hits both.

``scaling`` divides the wall time of one worker by that of two, and that of four processes below a
Dask worker of this machine, which has been started before, by that of two. Every process's own
start (imports, models, first use) is in it, which a longer ``--data`` makes a smaller part. What
the machine itself allows (caches and memory are shared) is measured beside it: two runs of one
worker that know nothing of each other, at once.

``memory`` samples the proportional set size (shared pages divided among their users) of the
parent and of its workers, and then times the table and the report of the run.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from snacbench.selectors import split_selectors

_SAMPLING_S = 0.2
_MIB = 2**20
_EMBEDDED = "snac,dac,encodec,opus"
# As docs/cluster.md says.
_HOUSEKEEPING = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
}
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True)
class Cost:
    """Seconds of wall clock and of all CPU cores."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s wall, {self.cpu_s:.1f} s CPU"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["overhead", "scaling", "memory"])
    parser.add_argument(
        "--codecs", default=_EMBEDDED, help="to be timed; others than these with random weights"
    )
    parser.add_argument("--clips", type=int, help="clips of each domain to be timed")
    parser.add_argument("--segment-s", type=float)
    parser.add_argument("--data", default="quick", help="test set, for scaling")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="of timing both in turn")
    parser.add_argument("--counts", default="100,1000,10000", help="clips whose memory is watched")
    parser.add_argument("--toys", default="identity,noise@20dB", help="codecs, for memory")
    parser.add_argument("--clip-s", type=float, default=0.25, help="length of those clips")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        globals()[options.what](options, Path(folder))


# ------------------------------------------------------------------------------------- overhead


def overhead(options: argparse.Namespace, folder: Path) -> None:
    """Print the time of a run over that of the packages' own code."""
    _adopt_orphans()
    weights = "embedded"
    if options.codecs != _EMBEDDED:
        from tests.support.codec_models import write_published

        weights = str(folder / "weights")
        Path(weights).mkdir()
        for name in dict.fromkeys(
            text.partition("@")[0] for text in split_selectors(options.codecs)
        ):
            write_published(name, Path(weights))
    asked = ["--codecs", options.codecs, "--weights", weights, "--jobs", str(options.jobs)]
    asked += ["--limit", str(options.clips)] if options.clips else []
    asked += ["--segment-s", str(options.segment_s)] if options.segment_s else []
    ratios = []
    for index in range(options.rounds):
        out = ["--speed-budget-s", "0", "-o", str(folder / f"run{index}")]
        run = _timed([sys.executable, "-m", "snacbench", "run", *asked, *out])
        peer = _timed([sys.executable, "-m", "benchmarks._peer_run", *asked])
        ratios.append((run.wall_s / peer.wall_s, run.cpu_s / peer.cpu_s))
        print(
            f"round {index + 1}: peer {peer}; run {run}; "
            f"ratio {ratios[-1][0]:.3f} wall, {ratios[-1][1]:.3f} CPU",
            flush=True,
        )
    wall, cpu = np.median(np.array(ratios), axis=0)
    print(f"{options.codecs}, {options.jobs} jobs: run / peer = {wall:.3f} wall, {cpu:.3f} CPU")


def _timed(command: Sequence[str]) -> Cost:
    """A whole command, from its start to its end, and all processes that it leaves behind."""
    before = _children_cpu_s()
    wall_s = _wall_s(command)
    _wait_for_orphans()
    return Cost(wall_s, _children_cpu_s() - before)


def _wait_for_orphans() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _wall_s(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _adopt_orphans() -> None:
    """Become the parent of whoever loses theirs: workers end after the process that began them."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -------------------------------------------------------------------------------------- scaling


def scaling(options: argparse.Namespace, folder: Path) -> None:
    """Print what a second worker gains, and what four workers of a cluster lose to two."""
    asked = [sys.executable, "-m", "snacbench", "run", "--codecs", options.codecs]
    asked += ["--weights", "embedded", "--speed-budget-s", "0", "--data", options.data]
    asked += ["--limit", str(options.clips)] if options.clips else []
    _adopt_orphans()
    gains, allowed, losses = [], [], []
    for index in range(options.rounds):

        def taken(way: str, *how: str, index: int = index) -> Cost:
            return _timed([*asked, *how, "-o", str(folder / f"{way}{index}")])

        one, two = taken("one", "--jobs", "1"), taken("two", "--jobs", "2")
        alone = [[*asked, "--jobs", "1", "-o", str(folder / f"{w}{index}")] for w in "ab"]
        with ThreadPoolExecutor() as threads:
            both_s = max(threads.map(_wall_s, alone))
        _wait_for_orphans()
        before_s = _children_cpu_s()
        with _cluster(folder / f"scheduler{index}.json", 4) as address:
            wall_s = _wall_s([*asked, "--cluster", address, "-o", str(folder / f"cluster{index}")])
        _wait_for_orphans()
        four = Cost(wall_s, _children_cpu_s() - before_s)
        gains.append(one.wall_s / two.wall_s)
        allowed.append(2 * one.wall_s / both_s)
        losses.append(four.wall_s / two.wall_s)
        print(
            f"round {index + 1}: one {one}, two {two}, four of a cluster {four} (its own start "
            "is in the CPU time)",
            flush=True,
        )
    print(
        f"one / two = {np.median(gains):.3f} (two runs at once: {np.median(allowed):.3f}), cluster "
        f"/ two = {np.median(losses):.3f} wall"
    )


@contextmanager
def _cluster(file: Path, threads: int) -> Iterator[str]:
    """The address of a scheduler of this machine, begun only now: idle it takes a tenth of a core.

    It writes `file` when it is there.
    """
    dask, lean = [sys.executable, "-m", "dask"], ["--memory-limit", "0", "--no-dashboard"]
    at = ["--scheduler-file", str(file)]
    commands = [
        [*dask, "scheduler", "--port", "0", "--no-dashboard", *at],
        [*dask, "worker", "--nworkers", "1", "--nthreads", str(threads), *lean, *at],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | _HOUSEKEEPING
    servers = [subprocess.Popen(command, env=environment, **quiet) for command in commands]
    try:
        while not file.is_file():
            time.sleep(_SAMPLING_S)
        yield json.loads(file.read_text())["address"]
    finally:
        for server in reversed(servers):
            server.terminate()
            server.wait()


# --------------------------------------------------------------------------------------- memory


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Print the peak memory of a run's parent and workers, by the number of clips."""
    for count in map(int, options.counts.split(",")):
        clips = generate(folder / f"clips{count}", count, options.clip_s)
        target = folder / f"run{count}"
        command = [
            sys.executable, "-m", "snacbench", "run", "--codecs", options.toys, "--data",
            str(clips), "--metrics", "si_sdr,mel_dac7", "--jobs", str(options.jobs),
            "--weights", "embedded", "-o", str(target),
        ]  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peaks = watched(process)
        if process.returncode:
            raise SystemExit(f"the run of {count} clips ended with {process.returncode}")
        taken_s = time.perf_counter() - started
        rows = sum(path.stat().st_size for path in target.iterdir() if path.is_file())
        shown = [
            _wall_s([sys.executable, "-m", "snacbench", *words])
            for words in (["table", str(target)], ["report", str(target)])
        ]
        print(
            f"{count} clips: parent {peaks['parent'] / _MIB:.0f} MiB, "
            f"largest worker {peaks['worker'] / _MIB:.0f} MiB, "
            f"all together {peaks['all'] / _MIB:.0f} MiB; "
            f"{taken_s:.0f} s; rows {rows / _MIB:.1f} MiB, table {shown[0]:.1f} s, "
            f"report {shown[1]:.1f} s",
            flush=True,
        )


def generate(folder: Path, count: int, clip_s: float) -> Path:
    """Short clips of noise, a thousand to a folder."""
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / f"speech{index // 1000}" / f"{index:05}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            path, 0.1 * rng.standard_normal(round(16_000 * clip_s)), 16_000, subtype="PCM_16"
        )
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
