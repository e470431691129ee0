"""What our metrics cost, beside the reference implementations called singly.

    python -m benchmarks.metrics                        # the embedded set through Opus: minutes
    python -m benchmarks.metrics --data FOLDER          # other audio through Opus
    python -m benchmarks.metrics --run RUN              # clips and decodes of a run

Peers are visqol-python (its envelope corrected, its loops compiled before the clock starts),
descript-audiotools, pesq and pystoi. All that is stated is CPU seconds, for a pair of reference
and decode, per second of audio, in one thread, everything loaded: ours and the peers in turn, the
least of several rounds. The columns 1, 8 and 20 say for how many decodes a reference is prepared.

Metrics singly are at the metric's rate. The default set is as a run scores a clip, resampling
included, against what the peers take from the same arrays. The last lines are for programs:
``ratio NAME VALUE``, how many times faster we are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from statistics import fmean

from benchmarks._costs import (
    MOST_DECODES,
    PER_REFERENCE,
    Costs,
    of_default_set,
    of_metric,
    shortened,
)
from benchmarks._material import DOMAINS, Item, of_run, through_opus
from benchmarks._memory import held_by, held_together
from benchmarks._peers import PEERS
from benchmarks._processes import paces, peak_of, throughput_ratio
from snacbench.plugins import metrics

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_DECODES_TIMED = 8


def main() -> None:
    """Measure, print tables, then the ratios."""
    options = _options()
    _in_one_thread()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what a library forks prints a buffer again
    items = (
        of_run(options.run, options.clips, MOST_DECODES)
        if options.run
        else through_opus(options.data, options.clips, MOST_DECODES)
    )
    _print_items(items)
    singly = {n: of_metric(m, items, options.rounds) for n, m in metrics().items() if n in PEERS}
    _print_costs("metric", singly)
    together: dict[str, Costs] = {
        domain: of_default_set(domain, items, options.rounds) for domain in DOMAINS
    }
    mix = _mean(list(together.values()))
    _print_costs("default set", {**together, "equal mix": mix})
    _print_memory(items)
    throughput = _print_paces(items, options.rounds)
    for name in ("visqol_audio", "visqol_speech"):
        for count in (_DECODES_TIMED, 1):
            print(f"ratio {name}_{count} {singly[name].ratio(count):.2f}")
    print(f"ratio default_set_{_DECODES_TIMED} {mix.ratio(_DECODES_TIMED):.2f}")
    print(f"ratio two_processes {throughput:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="quick", help="test set or folder of audio files")
    parser.add_argument("--run", type=Path, help="folder of a run, whose decodes are scored")
    parser.add_argument("--clips", type=int, default=2, help="of each domain")
    parser.add_argument("--rounds", type=int, default=2, help="of timing everything in turn")
    return parser.parse_args()


def _in_one_thread() -> None:
    """Start again where numerical libraries have more: they look when they are loaded."""
    wanted = dict.fromkeys(_ONE_THREAD, "1")
    if wanted.items() <= os.environ.items():
        return
    arguments = [sys.executable, "-m", "benchmarks.metrics", *sys.argv[1:]]
    os.execve(sys.executable, arguments, {**os.environ, **wanted})


def _mean(costs: Sequence[Costs]) -> Costs:
    """As many seconds of audio of each."""
    ours = {n: fmean(cost.ours[n] for cost in costs) for n in PER_REFERENCE}
    return Costs(ours, fmean(cost.peers for cost in costs))


def _print_items(items: Sequence[Item]) -> None:
    for domain in DOMAINS:
        clips = [item for item in items if item.domain == domain]
        if not clips:
            raise SystemExit(f"no clip of the domain {domain}; all of {', '.join(DOMAINS)} needed")
        total_s = sum(item.duration_s for item in clips)
        print(f"{domain}: {len(clips)} clips, {total_s:.1f} s, {MOST_DECODES} decodes of each")


def _print_costs(title: str, costs: Mapping[str, Costs]) -> None:
    columns = [f"ours, {n}" for n in PER_REFERENCE] + ["peer"]
    ratios = [f"ratio, {n}" for n in PER_REFERENCE]
    print("\n" + f"{title:28}" + "".join(f"{text:>11}" for text in (*columns, *ratios)))
    for name, cost in costs.items():
        seconds = [*cost.ours.values(), cost.peers]
        faster = [cost.ratio(n) for n in PER_REFERENCE]
        print(
            f"{name:28}"
            + "".join(f"{s:11.5f}" for s in seconds)
            + "".join(f"{r:11.1f}" for r in faster)
        )


def _print_memory(items: Sequence[Item]) -> None:
    speech = next(item for item in items if item.domain == "speech")
    print("\n" + f"{'memory, KiB per s of mono':28}{'prepared':>11}{'at most':>11}")
    for name, metric in metrics().items():
        if name in PEERS:
            held = held_by(metric, speech)
            print(f"{name:28}{held.kept_kib:11.0f}{held.peak_kib:11.0f}")
    print("\n" + f"{'':28}{'afterwards':>11}{'at most':>11}")
    held = held_together(speech)
    print(f"{'default set, speech':28}{held.kept_kib:11.0f}{held.peak_kib:11.0f}")
    ours, peers = peak_of("ours", speech), peak_of("peers", speech)
    print(f"peak of a process, default set: ours {ours:.0f} MiB, peers {peers:.0f} MiB")


def _print_paces(items: Sequence[Item], rounds: int) -> float:
    one, two = paces([shortened(item, _DECODES_TIMED) for item in items], rounds)
    throughput, clock = throughput_ratio(one, two)
    print(
        f"\none process: {one.wall_s:.2f} s wall, {one.cpu_s:.2f} s CPU; "
        f"each of two: {two.wall_s:.2f} s wall, {two.cpu_s:.2f} s CPU; ratio by {clock}\n"
    )
    return throughput


if __name__ == "__main__":
    main()
