"""A Dask cluster of this machine, and programs of a queue that runs jobs on it."""

from pathlib import Path

import dask
from distributed import LocalCluster

from tests.support.waiting import PATIENCE_S


def local_cluster(workers: int) -> LocalCluster:
    """Workers as processes with one thread each; to be used in a `with`."""
    dask.config.set({"distributed.comm.timeouts.connect": f"{PATIENCE_S:g}s"})
    quiet = {"dashboard_address": ":0", "silence_logs": 50}
    return LocalCluster(n_workers=workers, threads_per_worker=1, **quiet)


def fake_slurm(folder: Path) -> Path:
    """A folder of programs: what they run, as a copy like the real ones', and what it prints.

    ``sbatch`` leaves the script in ``script`` and its output in ``printed``, beside it."""
    script, printed = folder / "script", folder / "printed"
    for name, text in {
        # Whoever sends a script removes it at once.
        "sbatch": f'cp "$1" {script}\nsetsid sh {script} >{printed} 2>&1 &\necho "Submitted $!"',
        "scancel": 'kill -s TERM -- "-$1"',
    }.items():
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return folder / "bin"
