"""Hyperparameters on a grid against adaptive importance sampling; sums against rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

from lift.engines.importance import Weighted, integrate
from lift.impact import sampler
from lift.impact._paths import forward, sum_loads
from lift.impact.causal_impact import CausalImpact
from lift.impact.cells import _cubic, find_cells, weighted_points
from lift.impact.density import Density, density_of
from lift.impact.interpolant import EXACT, ROUGH
from lift.impact.model import pack_model
from lift.impact.prior import prior_from_data
from lift.rng import stream

CASES = {
    "a level and a control": (60, 1, 1, 32.0, 1.0),
    "nothing but six rows": (6, 0, 1, 1.0, 1.0),
    "a level left to the data": (40, 0, 1, 1.0, 0.1),
    "no noise to speak of": (50, 2, 1, 32.0, 1e-3),
    "a week": (90, 2, 7, 32.0, 1.0),
    "a week and a free level": (40, 0, 7, 1.0, 1.0),
}


def density(rows: int, n_controls: int, period: int, df: float, noise: float) -> Density:
    rng = stream(7, "cells", str(rows))
    controls = rng.standard_normal((rows, n_controls))
    outcome = np.cumsum(0.05 * rng.standard_normal(rows)) + noise * rng.standard_normal(rows)
    outcome += controls.sum(axis=1)
    outcome = (outcome - outcome.mean()) / outcome.std(ddof=1)
    prior = prior_from_data(outcome, controls, level_sd=0.05, level_df=df, season=period > 1)
    return density_of(pack_model(outcome, controls, prior, period=period, duration=1))


def by_cells(of: Density, n_draws: int = 4000, seed: int = 1) -> tuple[Weighted, Density]:
    found = find_cells(of, n_draws, seed)
    assert found is not None
    points = weighted_points(*found, n_draws=n_draws, n_chains=4, seed=seed)
    assert points is not None
    return points, found[1]


def summary(logs: np.ndarray, points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return log of the mean weight, means and sds."""
    shares = np.exp(logs - logsumexp(logs))
    mean = shares @ points
    sd = np.sqrt(shares @ (points - mean) ** 2)
    return float(logsumexp(logs) - np.log(len(logs))), mean, sd


def reference(of: Density) -> tuple[float, np.ndarray, np.ndarray]:
    """Return log evidence, means and sds: by quadrature over two, by other draws over three."""
    if of.dim == 3:
        found = integrate(of.log, of.draw, of.dim, n_draws=4000, n_chains=4, seed=2)
        assert found.k < 0.5
        return summary(found.log_weights.ravel(), found.points.reshape(-1, 3))
    axes = np.linspace(-45.0, 10.0, 500), np.linspace(-30.0, 45.0, 500)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    mean, *rest = summary(of.log(points), points)
    return mean + float(np.log(55.0 * 75.0)), *rest


@pytest.mark.parametrize("case", CASES)
def test_cells_hold_the_whole_density(case: str) -> None:
    of = density(*CASES[case])
    found, _ = by_cells(of)
    evidence, mean, sd = summary(found.log_weights.ravel(), found.points.reshape(-1, of.dim))
    true_evidence, true_mean, true_sd = reference(of)

    assert found.k < 0.5
    assert found.ess >= 4000
    weights = np.exp(found.log_weights - found.log_weights.max()).ravel()
    error = weights.std() / weights.mean() / np.sqrt(len(weights))
    assert abs(evidence - true_evidence) < 4 * np.hypot(error, 0.01)
    assert np.abs((mean - true_mean) / true_sd).max() < 4 * np.sqrt(2 / 4000)
    assert np.abs(sd / true_sd - 1).max() < 0.08


def test_same_seed_same_points_and_another_seed_others() -> None:
    of = density(*CASES["a week"])
    one, same, other = (by_cells(of, 400, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(one.points, same.points)
    assert np.array_equal(one.log_weights, same.log_weights)
    assert not np.array_equal(one.points, other.points)
    assert not np.array_equal(one.points[0], one.points[1])


def test_interpolated_density_is_the_density_inside_the_box_and_out() -> None:
    of = density(*CASES["a week"])
    z = 0.5 * stream(1, "inside").standard_normal((40, 3))
    near = of.focused(z, stream(1, "probes"), 10_000)
    assert near.grid.table.shape[1] > 1
    far = np.concatenate([z, z + np.array([0.0, 8.0, 0.0]), z - np.array([0.0, 8.0, 0.0])])
    assert np.allclose(near.log(far), of.log(far), rtol=0, atol=1e-6)


def test_a_rough_density_is_near_enough_to_look_where_it_is() -> None:
    of = density(*CASES["a week"])
    z = 2.5 * stream(1, "inside").standard_normal((40, 3))
    rough, fine = (of.focused(z, stream(1, "probes"), 10_000, to) for to in (ROUGH, EXACT))
    assert 1 < rough.grid.table.shape[1] < fine.grid.table.shape[1] / 2
    assert np.allclose(rough.log(z), of.log(z), rtol=0, atol=0.02)


def test_ratios_far_below_the_floor_are_interpolated_too() -> None:
    of = density(*CASES["a week"])
    ends = np.array([[1.0, -30.0, -6.0], [-1.0, 3.0, 1.0]])
    near = of.focused(ends, stream(1, "probes"), 10_000)
    assert 1 < near.grid.table.shape[1] < 600
    far = np.array([[0.5, -20.0, -5.0], [0.0, -10.0, 0.0]])
    assert np.allclose(near.log(far), of.log(far), rtol=0, atol=1e-6)


def test_an_interpolant_that_costs_more_than_it_saves_is_not_made() -> None:
    of = density(*CASES["a week"])
    z = 0.5 * stream(1, "inside").standard_normal((40, 3))
    assert of.focused(z, stream(1, "probes"), 40).grid.table.size == 0


@pytest.mark.parametrize("cuts", [2, 3])
def test_cubics_are_interpolated_exactly(cuts: int) -> None:
    def cubic(x: np.ndarray) -> np.ndarray:
        return 1.0 - 2.0 * x + 0.3 * x**2 + 0.05 * x**3

    coarse, fine = np.arange(8) + 0.5, (np.arange(8 * cuts) + 0.5) / cuts
    assert np.allclose(_cubic(8, cuts) @ cubic(coarse), cubic(fine))


def test_without_cells_adaptive_sampling_takes_over(
    data: pd.DataFrame, periods: tuple[list[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = CausalImpact(data, *periods)
    monkeypatch.setattr(sampler, "find_cells", lambda *_: None)
    other = CausalImpact(data, *periods)
    assert other.fitted.draws.method == "importance"
    for name in ("sigma_obs", "sigma_level", "cumulative_effect"):
        draws = [found.posterior[name].to_numpy() for found in (one, other)]
        error = np.sqrt(sum(d.var() / d.size for d in draws))
        assert abs(draws[0].mean() - draws[1].mean()) < 4 * error
        assert not np.array_equal(*draws)


@pytest.mark.parametrize(("period", "duration"), [(1, 1), (7, 1), (4, 3)])
def test_loads_of_a_sum_are_what_paths_add_up_to(period: int, duration: int) -> None:
    rng = np.random.default_rng(6)
    n_draws, n_rows, first = 5, 17, 25
    states = rng.standard_normal((n_draws, period))
    kinds = 1 if period == 1 else 2
    shocks = rng.standard_normal((n_draws, n_rows, kinds))
    sds = np.exp(rng.standard_normal((n_draws, kinds)))
    paths = np.empty((n_draws, n_rows))
    forward(states, sds, first, duration, shocks, paths)
    weights = (rng.random(n_rows) < 0.7).astype(float)
    of_states, of_shocks = np.zeros(period), np.zeros((kinds, n_rows))
    sum_loads(weights, first, duration, of_states, of_shocks)

    sums = states @ of_states + np.einsum("dhk,dk,kh->d", shocks, sds, of_shocks)
    assert np.allclose(sums, paths @ weights)


@pytest.mark.parametrize("nseasons", [1, 7])
def test_rows_add_up_to_the_sums_and_vary_as_free_rows_do(
    data: pd.DataFrame, periods: tuple[list[str], list[str]], nseasons: int
) -> None:
    data = data.copy()
    data.iloc[[47, 52], 0] = np.nan
    before, after = periods
    ahead = CausalImpact(data, before, after, {"nseasons": nseasons, "niter": 8000}).fitted.ahead
    assert ahead.counted.sum() == 13
    for rows, sums in zip(ahead.rows, ahead.sums, strict=True):
        assert np.allclose(rows[:, ahead.counted].sum(axis=1), sums)

    # what is drawn given the sum has the moments of what is drawn row by row
    n = len(ahead.log_sds)
    rng = np.random.default_rng(2)
    sds = np.exp(ahead.log_sds)
    signal = np.empty((n, 15))
    shocks = rng.standard_normal((n, 15, sds.shape[1] - 1))
    forward(ahead.states, sds[:, 1:], ahead.first, ahead.duration, shocks, signal)
    signal += ahead.known @ ahead.controls.T + ahead.start_mean
    noisy = signal + sds[:, :1] * rng.standard_normal((n, 15))
    for rows, free in zip(ahead.rows, (signal, noisy), strict=True):
        free = ahead.center + ahead.scale * free
        error = np.sqrt(2 * free.var(axis=0) / n)
        assert np.abs((rows.mean(axis=0) - free.mean(axis=0)) / error).max() < 4
        assert np.allclose(np.cov(rows.T), np.cov(free.T), atol=0.08 * free.var(axis=0).max())
