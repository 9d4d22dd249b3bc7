"""How far two posteriors of the same model lie apart, in Monte Carlo errors."""

from __future__ import annotations

import numpy as np

from lift.analysis.diagnostics import measures
from lift.analysis.effects import Effects
from lift.model.posterior import Posterior

MAX_Z = 5.0


def apart(one: Posterior, other: Posterior) -> dict[str, float]:
    """Return how many standard errors the means of everything lie apart, where over ``MAX_Z``."""
    pairs = {name: (one.draws[name], other.draws[name]) for name in one.draws.data_vars}
    pairs["effect"] = (Effects(one).draws("post"), Effects(other).draws("post"))
    pairs["total"] = (Effects(one).draws("campaign"), Effects(other).draws("campaign"))
    out = {}
    for name, arrays in pairs.items():
        first, second = (
            a.to_numpy().reshape(a.sizes["chain"], a.sizes["draw"], -1) for a in arrays
        )
        for i in range(first.shape[2]):
            a, b = measures(first[..., i]), measures(second[..., i])
            z = (a["mean"] - b["mean"]) / np.hypot(a["mcse_mean"], b["mcse_mean"])
            if not abs(z) <= MAX_Z:
                out[f"{name}[{i}]"] = float(z)
    return out
