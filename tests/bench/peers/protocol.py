"""What a peer is asked and what it answers: two JSON files, one process.

A peer's script runs as ``python run_<peer>.py job.json answer.json`` in the environment of that
peer. The job is a list of cases: name, outcome (all rows), controls (a list per row), n_pre (rows
before the intervention), season (rows in a cycle, 1 for none), draws, seed. The answer says for
each case the wall and processor seconds from data to the interval of the cumulative effect, imports
left out; mean, lower and upper of that effect (95%); its draws and those of the hyperparameters by
chain, where the peer has draws. A case that fails has ``error`` instead.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FIRST_DAY = "2023-01-02"


def frame(case: dict[str, Any]) -> pd.DataFrame:
    """Return the outcome ``y`` and the controls ``x0``, ``x1`` and so on, by date."""
    controls = np.array(case["controls"], dtype=float).reshape(len(case["outcome"]), -1)
    columns = {"y": np.array(case["outcome"], dtype=float)}
    columns |= {f"x{i}": controls[:, i] for i in range(controls.shape[1])}
    return pd.DataFrame(columns, index=pd.date_range(FIRST_DAY, periods=len(controls)))


def periods(data: pd.DataFrame, n_pre: int) -> tuple[list[Any], list[Any]]:
    """Return first and last date before and after the intervention."""
    return [data.index[0], data.index[n_pre - 1]], [data.index[n_pre], data.index[-1]]


def interval(effect: np.ndarray) -> dict[str, float]:
    """Return mean and 95% interval of draws of the cumulative effect."""
    lower, upper = np.quantile(effect, [0.025, 0.975])
    return {"mean": float(effect.mean()), "lower": float(lower), "upper": float(upper)}


def draws(values: Any, chains: int = 1) -> list[list[float]]:
    """Return draws by chain, ready for JSON."""
    return np.asarray(values, dtype=float).reshape(chains, -1).tolist()


def answer(package: str, fit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer the job that the command line names with ``fit``, case by case."""
    job, target = (Path(name) for name in sys.argv[1:3])
    cases = []
    for case in json.loads(job.read_text(encoding="utf-8")):
        wall, processor = time.perf_counter(), time.process_time()
        try:
            found = fit(case)
        except Exception:  # noqa: BLE001 - what a peer raises is its answer, and is printed
            found = {"error": traceback.format_exc(limit=3)}
        # what was spent on parts that another use of the same peer does not pay
        once = found.pop("compile_seconds", 0.0)
        cases.append(
            {
                "name": case["name"],
                "seconds": time.perf_counter() - wall - once,
                "processor_seconds": time.process_time() - processor,
                "compile_seconds": once,
                **found,
            }
        )
    made = {"version": importlib.metadata.version(package), "cases": cases}
    target.write_text(json.dumps(made), encoding="utf-8")
