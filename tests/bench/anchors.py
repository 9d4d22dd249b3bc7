"""The three data sets of one intervention, and R's answer to them where it is at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lift.rng import stream

NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class DataSet:
    """One intervention.

    Attributes
    ----------
    name : str
    source : str
        "R anchors", or "simulated" where there is no folder of them.
    outcome : ndarray, shape (n,)
    controls : ndarray, shape (n, p)
    n_pre : int
        Rows before the intervention.
    season : int
        Rows in a cycle, 1 for none.
    reference : tuple of float or None
        R's mean and 95% interval of the cumulative effect.
    """

    name: str
    source: str
    outcome: np.ndarray
    controls: np.ndarray
    n_pre: int
    season: int
    reference: tuple[float, float, float] | None

    @property
    def table(self) -> np.ndarray:
        """Outcome and controls side by side."""
        return np.column_stack([self.outcome, self.controls])


def data_sets() -> list[DataSet]:
    """Return sets a, b and c: those of ``LIFT_ANCHORS_DIR`` if it is set, else simulated ones."""
    named = os.environ.get("LIFT_ANCHORS_DIR")
    return [_anchor(Path(named) / "r", name) if named else _simulated(name) for name in NAMES]


def _anchor(folder: Path, name: str) -> DataSet:
    table = pd.read_csv(folder / f"{name}_input.csv").drop(columns=["t", "date"], errors="ignore")
    chains = folder / f"{name}_ref_chain_summaries.csv"
    columns = ["AbsEffect", "AbsEffect.lower", "AbsEffect.upper"]
    if chains.exists():
        found = pd.read_csv(chains)[columns].mean()
    else:
        found = pd.read_csv(folder / f"{name}_niter10000_summary.csv").set_index("scope")
        found = found.loc["Cumulative", columns]
    values = table.to_numpy(dtype=float)
    return DataSet(
        name,
        "R anchors",
        values[:, 0],
        values[:, 1:],
        70 if name == "a" else 670,
        7 if name == "b" else 1,
        tuple(float(value) for value in found),
    )


def _simulated(name: str) -> DataSet:
    """Return a set of the size of an anchor: local level, controls, a lift at the end."""
    n, p, n_pre = {"a": (100, 1, 70), "b": (730, 5, 670), "c": (730, 50, 670)}[name]
    rng = stream(20261124, "bench", name)
    controls = np.cumsum(rng.normal(0, 0.3, (n, p)), axis=0) + rng.normal(0, 1, (n, p))
    effects = np.zeros(p)
    effects[: min(p, 4)] = (1.2, -0.8, 0.6, 0.5)[: min(p, 4)]
    outcome = 100 + np.cumsum(rng.normal(0, 0.05, n)) + controls @ effects + rng.normal(0, 1, n)
    if name == "b":
        outcome = outcome + np.array([2.0, 1.0, 0.0, -1.0, -1.0, -0.5, -0.5])[np.arange(n) % 7]
    outcome[n_pre:] += 5.0
    return DataSet(name, "simulated", outcome, controls, n_pre, 7 if name == "b" else 1, None)
