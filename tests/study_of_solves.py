"""A study whose units are cheap and show the last digits of a solve; it is run as a script too."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from lift import study
from lift.rng import stream

SIZE = 60


def solved(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return numbers whose last digits depend on the threads of the solve."""
    rng = stream(config["seed"], name)
    matrix = rng.normal(size=(SIZE, SIZE))
    found = np.linalg.solve(matrix @ matrix.T + np.eye(SIZE), rng.normal(size=SIZE))
    if config.get("pids"):
        (Path(config["pids"]) / str(os.getpid())).touch()
        time.sleep(config["seconds"])
    return {"name": name, "norm": float(found @ found), "first": found[:3].tolist()}


def names_of(n: int) -> list[str]:
    return [f"unit_{i:03d}" for i in range(n)]


def main(folder: str, executor: str, n: int, seconds: float, pids: str) -> None:
    # pids and seconds are no part of what a result depends on
    config: dict[str, Any] = {"seed": 5}
    asked = {**config, "pids": pids, "seconds": seconds}
    study.units(names_of(n), lambda name: solved(name, asked), folder, config, executor)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
