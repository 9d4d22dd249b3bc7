"""Compile the kernels of one intervention into the disk cache: ``python -m lift.impact.warm``."""

from __future__ import annotations

import numpy as np

from lift.impact.causal_impact import CausalImpact

N_ROWS = 60
N_PRE = 50
MANY_CONTROLS = 7


def warm() -> None:
    """Fit tiny series in every form: with a season and without, controls few, many and walking."""
    rows = np.arange(N_ROWS, dtype=np.float64)
    outcome = np.sin(rows) + 0.1 * np.cos(7.0 * rows)
    controls = np.cos(np.outer(rows, 1.0 + np.arange(MANY_CONTROLS)))
    for used, nseasons, walk in (
        (1, 1, False),
        (1, 7, False),
        (MANY_CONTROLS, 1, False),
        (1, 7, True),
    ):
        found = CausalImpact(
            np.column_stack([outcome, controls[:, :used]]),
            [0, N_PRE - 1],
            [N_PRE, N_ROWS - 1],
            model_args={"niter": 400, "nseasons": nseasons, "dynamic_regression": walk},
        )
        # the paths over the pre-period are computed when they are asked for
        _ = found.inferences, found.coefficient_paths


if __name__ == "__main__":
    warm()
