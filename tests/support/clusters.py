"""A Dask cluster of this machine."""

from __future__ import annotations

from distributed import LocalCluster


def local_cluster(workers: int) -> LocalCluster:
    """Workers as processes with one thread each; to be used in a `with`."""
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    )
