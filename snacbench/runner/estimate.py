"""What a run will take, from a few of its clips: time, disk, memory."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from snacbench.progress import SILENT, Progress
from snacbench.runner.coding import CodingJob
from snacbench.runner.engine import start
from snacbench.runner.measured_cost import resident_bytes
from snacbench.runner.plan import CPU, CUDA, Plan
from snacbench.runner.pool import LOG, LocalWorkers, default_jobs, run_jobs
from snacbench.runner.schedule import CHECK, Schedule
from snacbench.runner.scoring import ScoringJob
from snacbench.store.ledger import Ledger
from snacbench.types import Clip

CLIPS = 3
_TIMING = "time a few clips"


def estimate(plan: Plan, progress: Progress = SILENT) -> str:
    """Time, disk and memory of a run in a sentence: a few clips are coded and scored, and not kept.

    The weights of the plan are on disk. What models take to load, and the checks before the first
    clip, count once. Rows include embeddings.
    """
    whole, by_domain = plan.test_set, dict[str, list[Clip]]()
    for clip in sorted(whole.clips, key=lambda clip: clip.duration_s):
        by_domain.setdefault(clip.domain, []).append(clip)
    middles = [those[len(those) // 2] for those in by_domain.values()]  # of each domain's lengths
    others = [clip for clip in whole.clips if clip not in middles]
    clips = tuple([*middles, *others][: max(CLIPS, len(middles))])
    few = replace(plan, test_set=replace(whole, clips=clips, broken=()))
    few = replace(few, request=replace(plan.request, keep_decoded=True, shard=""))
    once_s, memory_bytes, paces = 0.0, 0.0, dict[str, list[float]]()
    with tempfile.TemporaryDirectory(prefix="snacbench-") as temporary:
        folder = start(few, Path(temporary) / "run")
        ledger = Ledger(folder, folder.run.codecs, folder.run.metrics)
        schedule = Schedule(ledger, clips, few.request, few.codecs)
        workers = LocalWorkers({CPU: 1, CUDA: 1, CHECK: 1}, folder.path / LOG)
        before = time.perf_counter()
        progress.begin(_TIMING, sum(schedule.steps.values()))
        for job, rows in run_jobs(schedule.next, workers):
            took_s, before = time.perf_counter() - before, time.perf_counter()
            if isinstance(job, CodingJob):
                audio_s = sum(clip.duration_s for clip in job.clips)
                encoded = ",".join(point.spec.name for point in job.points)
                paces.setdefault(encoded, []).append(took_s / audio_s)
            elif isinstance(job, ScoringJob):
                paces.setdefault("", []).append(took_s / job.clip.duration_s)
            else:
                once_s += took_s
            peaks = (resident_bytes("VmHWM", pid) for pid in workers.pids())
            memory_bytes = max(memory_bytes, *peaks)
            progress.step(_TIMING, schedule.done(job, rows)[1])
        decoded_bytes = float(sum(p.stat().st_size for p in folder.path.rglob("*.flac")))
        in_rows = (p for end in ("jsonl", "npy") for p in folder.path.rglob(f"*.{end}"))
        row_bytes = float(sum(path.stat().st_size for path in in_rows))
    kept = plan.request.keep_decoded
    decoded_bytes *= kept * whole.duration_s / sum(clip.duration_s for clip in clips)
    row_bytes *= len(whole.clips) / len(clips)
    computing_s = once_s + sum(map(median, paces.values())) * whole.duration_s
    wall_s = computing_s / min(plan.request.jobs or default_jobs(), max(1, len(whole.clips)))
    return (
        f"{_hours(wall_s)} ({_hours(computing_s)} of one worker), {decoded_bytes / 1e9:.3g} GB of "
        f"decoded audio, {row_bytes / 1e9:.3g} GB of rows, {memory_bytes / 1e9:.2g} GB of memory "
        f"per worker; from {len(clips)} clips, coded and scored on this machine"
    )


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
