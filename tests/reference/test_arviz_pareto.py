"""The Pareto shape of importance weights against ArviZ.

Source: ``psislw`` of arviz-stats, the Python port of the R package loo by its authors. Tolerance:
1e-6, since both fit the same tail by the same formula. The sizes are such that 3 sqrt(n) is whole,
or 0.2 n below it: ArviZ rounds the number of tail weights down, lift (as loo does) up.
"""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from lift.engines.pareto import pareto_k


def student_weights(n: int, degrees: float, seed: int) -> np.ndarray:
    """Return log weights of a normal proposal for a Student t target."""
    z = np.random.default_rng(seed).normal(size=n)
    return np.asarray(stats.t.logpdf(z, degrees) - stats.norm.logpdf(z))


@pytest.mark.parametrize("n", [200, 2500, 9216])
@pytest.mark.parametrize("degrees", [3.0, 10.0, 50.0])
def test_the_shape_is_that_of_arviz(n: int, degrees: float) -> None:
    logs = student_weights(n, degrees, seed=n)
    # it takes log likelihoods, whose inverses are the weights
    _, k = array_stats.psislw(-logs)
    assert pareto_k(logs) == pytest.approx(float(k), abs=1e-6)


def test_the_shape_of_bounded_weights_is_that_of_arviz() -> None:
    z = np.random.default_rng(3).standard_t(5, size=3600)
    logs = stats.norm.logpdf(z) - stats.t.logpdf(z, 5)
    # it takes log likelihoods, whose inverses are the weights
    _, k = array_stats.psislw(-logs)
    assert pareto_k(logs) == pytest.approx(float(k), abs=1e-6)
    assert k < 0.5
