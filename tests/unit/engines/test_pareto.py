from __future__ import annotations

import numpy as np
import pytest

from lift.engines.pareto import pareto_k


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.8, 1.2])
def test_the_shape_of_a_pareto_tail_is_found(shape: float) -> None:
    n = 40_000
    weights = np.random.default_rng(2).pareto(1 / shape, size=n) + 1.0
    # the estimate from 600 tail weights has a standard error of about (1 + k)/sqrt(600)
    assert pareto_k(np.log(weights)) == pytest.approx(shape, abs=5 * (1 + shape) / np.sqrt(600))


def test_a_worse_proposal_has_a_larger_shape() -> None:
    z = np.random.default_rng(3).normal(size=8000)
    ks = [pareto_k(0.5 * z**2 * (1 - 1 / ratio**2)) for ratio in (1.1, 1.5, 3.0)]
    assert ks[0] < ks[1] < ks[2]


def test_the_scale_of_the_weights_does_not_matter() -> None:
    logs = np.random.default_rng(4).normal(size=3000)
    assert pareto_k(logs + 700.0) == pytest.approx(pareto_k(logs), rel=1e-9)
    assert pareto_k(logs - 1e6) == pytest.approx(pareto_k(logs), rel=1e-6)


def test_order_does_not_matter() -> None:
    logs = np.random.default_rng(5).normal(size=3000)
    assert pareto_k(logs[::-1]) == pareto_k(logs)


def test_weights_of_zero_are_survived() -> None:
    logs = np.random.default_rng(6).normal(size=3000)
    logs[::2] = -np.inf
    assert np.isfinite(pareto_k(logs))


@pytest.mark.parametrize("n", [0, 1, 24])
def test_too_few_weights_cannot_be_trusted(n: int) -> None:
    logs = np.full(3000, -np.inf)
    logs[:n] = 0.1 * np.arange(n)
    assert pareto_k(logs) == np.inf


def test_equal_weights_have_no_tail() -> None:
    assert pareto_k(np.zeros(1000)) == -np.inf


def test_one_weight_above_all_others_is_bad() -> None:
    logs = np.random.default_rng(7).normal(size=2000)
    logs[11] = 60.0
    assert pareto_k(logs) > 0.7
