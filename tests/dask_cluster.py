"""A Dask cluster of two worker processes on loopback, until standard input ends."""

from __future__ import annotations

import sys

from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=2,
        processes=True,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address.replace('tcp://', 'dask://')}\n")
        sys.stdout.flush()
        sys.stdin.read()
