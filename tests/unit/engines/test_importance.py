"""Adaptive importance sampling on densities whose integral is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from lift.engines import importance
from lift.engines.importance import Weighted, effective_size, integrate

FloatArray = NDArray[np.float64]
Target = Callable[[FloatArray], FloatArray]
LOG_EVIDENCE = -3.7


def run(
    target: Target, dim: int, *, n_draws: int = 2000, n_chains: int = 2, seed: int = 1
) -> Weighted:
    def draw(z: FloatArray, _: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return target(z), z

    return integrate(target, draw, dim, n_draws=n_draws, n_chains=n_chains, seed=seed)


def log_evidence(weighted: Weighted) -> float:
    logs = weighted.log_weights
    return float(logsumexp(logs) - np.log(logs.size))


def moments(weighted: Weighted) -> tuple[FloatArray, FloatArray]:
    """Return weighted mean and sd of every coordinate."""
    points = weighted.points.reshape(-1, weighted.points.shape[-1])
    weights = np.exp(weighted.log_weights.ravel() - weighted.log_weights.max())
    mean = np.average(points, weights=weights, axis=0)
    return mean, np.sqrt(np.average((points - mean) ** 2, weights=weights, axis=0))


def gaussian(dim: int) -> tuple[Target, FloatArray, FloatArray]:
    rng = np.random.default_rng(1)
    mean = rng.normal(size=dim)
    root = 0.4 * np.eye(dim) + 0.15 * np.tril(rng.normal(size=(dim, dim)))
    law = stats.multivariate_normal(mean, root @ root.T)
    return lambda z: LOG_EVIDENCE + law.logpdf(z), mean, np.sqrt(np.diag(root @ root.T))


def skewed(z: FloatArray) -> FloatArray:
    """Return the log of independent skew normals with shape 6, times the evidence."""
    return np.asarray(LOG_EVIDENCE + stats.skewnorm.logpdf(z, 6.0, -0.5, 1.2).sum(axis=1))


def far_mode(z: FloatArray) -> FloatArray:
    """Return the log of two bells: a needle at the start with 2 %, the rest 3 units away."""
    dim = z.shape[1]
    here = stats.multivariate_normal(np.zeros(dim), 0.05**2 * np.eye(dim)).logpdf(z)
    there = stats.multivariate_normal(np.full(dim, 1.5), 0.4**2 * np.eye(dim)).logpdf(z)
    return np.asarray(LOG_EVIDENCE + np.logaddexp(np.log(0.02) + here, np.log(0.98) + there))


def banana(z: FloatArray) -> FloatArray:
    """Return the log of a curved ridge of unit mass, 0.2 wide."""
    ridge = z[:, 1] - 1.2 * (z[:, 0] ** 2 - 1)
    logs = stats.norm.logpdf(z[:, 0]) + stats.norm.logpdf(ridge, scale=0.2)
    return np.asarray(LOG_EVIDENCE + logs + stats.norm.logpdf(z[:, 2:]).sum(axis=1))


@pytest.mark.parametrize("dim", [1, 2, 5, 9])
def test_a_gaussian_is_integrated(dim: int) -> None:
    target, mean, sd = gaussian(dim)
    weighted = run(target, dim)
    error = 1 / np.sqrt(weighted.ess)
    assert weighted.ess >= 2000
    assert weighted.k < 0.5
    assert log_evidence(weighted) == pytest.approx(LOG_EVIDENCE, abs=5 * error)
    found_mean, found_sd = moments(weighted)
    assert (np.abs(found_mean - mean) < 5 * error * sd).all()
    assert (np.abs(found_sd / sd - 1) < 5 * error).all()


@pytest.mark.parametrize("dim", [1, 4])
def test_a_skewed_density_is_integrated(dim: int) -> None:
    weighted = run(skewed, dim)
    error = 1 / np.sqrt(weighted.ess)
    assert log_evidence(weighted) == pytest.approx(LOG_EVIDENCE, abs=5 * error)
    mean, sd = stats.skewnorm.stats(6.0, -0.5, 1.2)
    found, _ = moments(weighted)
    assert (np.abs(found - mean) < 5 * error * np.sqrt(sd)).all()


def test_the_effective_size_is_kish() -> None:
    logs = np.random.default_rng(2).normal(size=500)
    weights = np.exp(logs)
    assert effective_size(logs) == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert effective_size(logs + 900.0) == pytest.approx(effective_size(logs))
    assert effective_size(np.zeros(70)) == pytest.approx(70.0)
    one = np.full(70, -np.inf)
    one[3] = -5.0
    assert effective_size(one) == pytest.approx(1.0)


def test_what_is_reported_belongs_to_the_weights() -> None:
    weighted = run(banana, 3, n_draws=500)
    pooled = weighted.log_weights.ravel()
    weights = np.exp(pooled - pooled.max())
    assert weighted.ess == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert weighted.k == importance.pareto_k(pooled)
    np.testing.assert_array_equal(weighted.extras, weighted.points)
    assert weighted.n_evaluations > weighted.log_weights.size


def test_the_effective_size_says_how_the_error_falls() -> None:
    """Over many seeds, the error of a mean is 1/sqrt(ESS), as far as it can be told."""
    target, mean, sd = gaussian(3)
    runs = [run(target, 3, n_draws=100, seed=seed) for seed in range(1, 61)]
    scores = np.array([(moments(w)[0] - mean) / sd * np.sqrt(w.ess) for w in runs])
    # Sobol points do better than independent ones, never much worse
    assert np.sqrt((scores**2).mean()) < 1.2


def test_holes_in_the_density_are_survived() -> None:
    def holed(z: FloatArray) -> FloatArray:
        logs = stats.norm.logpdf(z).sum(axis=1)
        logs[z[:, 0] > 1.0] = np.nan
        logs[z[:, 0] < -1.0] = -np.inf
        return np.asarray(logs)

    weighted = run(holed, 2)
    inside = np.log(stats.norm.cdf(1.0) - stats.norm.cdf(-1.0))
    assert log_evidence(weighted) == pytest.approx(inside, abs=5 / np.sqrt(weighted.ess))
    weights = np.exp(weighted.log_weights)
    assert (weights[np.abs(weighted.points[..., 0]) > 1.0] == 0.0).all()


def test_a_start_outside_the_support_is_survived() -> None:
    def half(z: FloatArray) -> FloatArray:
        logs = stats.norm.logpdf(z).sum(axis=1)
        return np.where(z[:, 0] > 0.3, logs, np.nan)

    weighted = run(half, 2)
    wanted = stats.norm.logsf(0.3)
    assert log_evidence(weighted) == pytest.approx(wanted, abs=5 / np.sqrt(weighted.ess))


def test_a_noisy_but_unbiased_density_gives_the_same_integral() -> None:
    target, mean, sd = gaussian(2)

    def draw(z: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return target(z) + 0.4 * rng.standard_normal(len(z)) - 0.08, z

    weighted = integrate(target, draw, 2, n_draws=2000, n_chains=2, seed=1)
    error = 1 / np.sqrt(weighted.ess)
    assert log_evidence(weighted) == pytest.approx(LOG_EVIDENCE, abs=5 * error)
    assert (np.abs(moments(weighted)[0] - mean) < 5 * error * sd).all()


@pytest.mark.parametrize(("target", "dim"), [(far_mode, 4), (banana, 3)])
def test_the_safety_net_finds_what_the_start_does_not_show(target: Target, dim: int) -> None:
    weighted = run(target, dim)
    assert weighted.net_used
    assert log_evidence(weighted) == pytest.approx(LOG_EVIDENCE, abs=0.1)
    assert not run(gaussian(dim)[0], dim).net_used


def test_the_safety_net_makes_a_better_proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch after the net carries more than without it, over several seeds."""
    monkeypatch.setattr(importance, "MAX_BATCHES", 6)
    with_net = [run(banana, 3, n_draws=10_000, seed=seed).ess for seed in range(1, 6)]
    monkeypatch.setattr(importance, "NET_BATCH", 99)
    without = [run(banana, 3, n_draws=10_000, seed=seed) for seed in range(1, 6)]
    assert not any(weighted.net_used for weighted in without)
    assert np.median(with_net) > np.median([weighted.ess for weighted in without])


def test_the_walkers_of_the_net_end_up_in_the_density() -> None:
    """They start in a corner of a correlated Gaussian and must find its middle and its spread."""
    law = stats.multivariate_normal([1.0, -1.0], [[1.0, 0.7], [0.7, 1.0]])
    rng = np.random.default_rng(15)
    start = np.array([2.0, 0.5]) + 0.05 * rng.normal(size=(500, 2))
    found = importance._population(law.logpdf, start, np.zeros(500), 2, rng)
    # 128 walkers; what a walker does in 16 steps counts as one or two draws
    assert np.abs(found.mean(axis=0) - law.mean).max() < 5 / np.sqrt(importance.NET_WALKERS)
    np.testing.assert_allclose(found.std(axis=0), 1.0, atol=0.3)


def test_it_gives_up_after_the_last_batch_and_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importance, "MAX_BATCHES", 2)
    weighted = run(banana, 3, n_draws=100_000)
    assert weighted.ess < 100_000
    assert weighted.log_weights.shape == (2, importance.FIRST_POINTS + importance.POINTS)


def test_chains_have_points_of_their_own() -> None:
    weighted = run(gaussian(2)[0], 2, n_chains=3)
    assert weighted.points.shape[0] == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not np.isclose(weighted.points[a], weighted.points[b]).any()


def test_the_seed_decides_everything() -> None:
    target = gaussian(3)[0]
    first, again, other = (run(target, 3, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.log_weights, again.log_weights)
    assert not np.isclose(first.points[0, :20], other.points[0, :20]).any()


def test_progress_ends_at_one_and_never_falls_below_zero() -> None:
    seen: list[float] = []
    target = gaussian(3)[0]
    integrate(
        target,
        lambda z, _: (target(z), z),
        3,
        n_draws=1000,
        n_chains=2,
        seed=1,
        progress=lambda share, _: seen.append(share),
    )
    assert seen[-1] == 1.0
    assert min(seen) >= 0.0
