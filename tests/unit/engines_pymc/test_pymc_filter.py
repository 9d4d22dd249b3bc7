"""The filter's density and slopes against the dense normal density."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from lift.engines.pymc_filter import LevelDensity
from lift.errors import EngineError
from lift.rng import stream

N = 12


def dense(values: list[np.ndarray]) -> float:
    """Return the log density of a walk plus noise by its covariance."""
    residual, noise, step = values
    walk = np.cumsum(step)
    covariance = np.minimum.outer(walk, walk) + np.diag(noise)
    return float(stats.multivariate_normal(np.zeros(N), covariance).logpdf(residual))


def inputs(seed: int) -> list[np.ndarray]:
    rng = stream(seed, "filter")
    return [rng.normal(size=N), rng.uniform(0.2, 1.0, N), rng.uniform(0.01, 0.5, N)]


@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_density_and_slopes_are_those_of_the_dense_normal(mode: str) -> None:
    variables = [pt.dvector(name) for name in ("residual", "noise", "step")]
    density = LevelDensity().make_node(*variables).outputs[0]
    slopes = pytensor.grad(3.0 * density, variables)
    evaluate = pytensor.function(variables, [density, *slopes], mode=mode)
    for seed in (1, 2):
        values = inputs(seed)
        found, *by = evaluate(*values)
        assert found == pytest.approx(dense(values), rel=1e-12)
        for i, slope in enumerate(by):
            for t in range(N):
                ahead, behind = (list(values) for _ in range(2))
                ahead[i] = values[i] + 1e-6 * np.eye(N)[t]
                behind[i] = values[i] - 1e-6 * np.eye(N)[t]
                expected = 3.0 * (dense(ahead) - dense(behind)) / 2e-6
                assert slope[t] == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_second_derivatives_are_not_there() -> None:
    variables = [pt.dvector(name) for name in ("residual", "noise", "step")]
    slope = pytensor.grad(LevelDensity().make_node(*variables).outputs[0], variables[0])
    with pytest.raises(EngineError, match="found a second derivative"):
        pytensor.grad(slope.sum(), variables[0])
