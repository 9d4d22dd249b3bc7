"""The compiled likelihood, sampler and smoother against dense Gaussian algebra."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from lift.impact import sampler
from lift.impact._interpolant import polynomials_of, term_weights
from lift.impact._moments import fill_moments
from lift.impact._paths import forward, smooth
from lift.impact.chain import _Runner
from lift.impact.model import ImpactModel, evaluate, pack_model
from lift.impact.prior import prior_from_data

N = 40


def make(
    period: int, duration: int, n_controls: int, *, gaps: bool = True, n_fixed: int = 0
) -> ImpactModel:
    rng = np.random.default_rng(8)
    controls = rng.normal(0, 1, (N, n_controls))
    outcome = np.cumsum(rng.normal(0, 0.1, N)) + rng.normal(0, 0.5, N)
    outcome += controls[:, : min(2, n_controls)].sum(axis=1)
    if period > 1:
        outcome += np.sin(2 * np.pi * (np.arange(N) // duration) / period)
    if gaps:
        outcome[[5, 6, 20]] = np.nan
    prior = prior_from_data(outcome, controls, level_sd=0.1, season=period > 1, n_fixed=n_fixed)
    return pack_model(outcome, controls, prior, period=period, duration=duration)


def transitions(model: ImpactModel) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each row's transition matrix and the signal vector, season in textbook dummy form."""
    m = model.n_states
    signal = np.zeros(m)
    signal[: min(2, m)] = 1.0
    matrices = []
    for t in range(N):
        step = np.eye(m)
        if m > 1 and (t + 1) % model.duration == 0:
            step[1:, 1:] = np.eye(m - 1, k=-1)
            step[1, 1:] = -1.0
        matrices.append(step)
    return matrices, signal


def signal_cov(model: ImpactModel, log_sd: np.ndarray) -> np.ndarray:
    """Return the prior covariance of level plus season over the rows."""
    m = model.n_states
    matrices, signal = transitions(model)
    cov = model.prior.start_sd**2 * np.eye(m)
    blocks = []
    for t in range(N):
        ahead = [cov @ signal]
        for later in range(t, N - 1):
            ahead.append(matrices[later] @ ahead[-1])
        blocks.append([signal @ state for state in ahead])
        noise = np.zeros((m, m))
        noise[0, 0] = np.exp(2 * log_sd[1])
        if m > 1 and (t + 1) % model.duration == 0:
            noise[1, 1] = np.exp(2 * log_sd[2])
        cov = matrices[t] @ cov @ matrices[t].T + noise
    out = np.zeros((N, N))
    for t, row in enumerate(blocks):
        out[t, t:] = out[t:, t] = row
    return out


def dense(model: ImpactModel, log_sd: np.ndarray) -> float:
    p = model.n_controls
    seen = model.observed
    base = signal_cov(model, log_sd) + np.exp(2 * log_sd[0]) * np.eye(N)
    controls = model.columns[:, 1 + model.n_states :]
    logs = []
    free = np.flatnonzero(~model.always)
    for size in range(len(free) + 1):
        for chosen in combinations(free, size):
            used = sorted([*np.flatnonzero(model.always), *chosen])
            part = controls[:, used]
            slab = model.prior.precision[np.ix_(used, used)]
            spread = np.exp(2 * log_sd[0]) * np.linalg.inv(slab) if used else np.zeros((0, 0))
            cov = base + part @ spread @ part.T
            fit = multivariate_normal.logpdf(
                model.columns[seen, 0], np.zeros(seen.sum()), cov[np.ix_(seen, seen)]
            )
            logs.append(fit + sum(model.log_odds[j] for j in chosen))
    assert p == controls.shape[1]
    precision = np.exp(-2 * log_sd)
    return float(logsumexp(logs) + model.shapes @ np.log(precision) - model.rates @ precision)


@pytest.mark.parametrize(
    ("period", "duration", "n_controls", "n_fixed"),
    [
        (1, 1, 0, 0), (1, 1, 1, 0), (1, 1, 4, 0), (7, 1, 3, 0), (2, 1, 2, 0), (4, 3, 4, 0),
        (5, 2, 0, 0), (1, 1, 6, 2), (3, 2, 6, 1),
    ],
)  # fmt: skip
def test_density_is_the_dense_one(
    period: int, duration: int, n_controls: int, n_fixed: int
) -> None:
    model = make(period, duration, n_controls, n_fixed=n_fixed)
    assert n_controls < 4 or (~model.always).sum() == n_controls - n_fixed
    points = np.log([[0.5, 0.05, 0.02], [0.3, 0.2, 0.3], [0.6, 0.01, 0.001]])
    points = np.ascontiguousarray(points[:, : 3 if period > 1 else 2])

    values, _, _ = evaluate(model, points)

    assert np.allclose(values, [dense(model, point) for point in points], rtol=0, atol=1e-8)


def test_sets_are_drawn_by_their_posterior_shares() -> None:
    model = make(1, 1, 6, n_fixed=1)
    n = 20_000
    log_sds = np.tile(np.log([0.5, 0.05]), (n, 1))
    _, coefficients, _ = evaluate(model, log_sds, np.random.default_rng(2))
    inside = coefficients != 0.0
    assert inside[:, 5].all()

    total = dense(model, log_sds[0])
    for j in range(5):
        without = np.delete(np.arange(6), j)
        part = pack_model(
            np.where(model.observed, model.columns[:, 0] + model.prior.start_mean, np.nan),
            model.columns[:, 2 + without],
            replace(
                model.prior,
                precision=model.prior.precision[np.ix_(without, without)],
                inclusion=model.prior.inclusion[without],
            ),
            period=1,
            duration=1,
        )
        share = 1.0 - np.exp(dense(part, log_sds[0]) - total)
        error = np.sqrt(share * (1.0 - share) / n)
        assert abs(inside[:, j].mean() - share) < 4 * error + 1e-9


def test_points_do_not_depend_on_the_number_of_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make(4, 1, 6)
    log_sds = np.log([0.5, 0.05, 0.02]) + 0.1 * np.random.default_rng(3).standard_normal((3000, 3))
    found = []
    for n in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda n=n: n)
        found.append(evaluate(model, log_sds, np.random.default_rng(4)))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_chains_do_not_depend_on_the_number_of_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make(1, 1, 9)
    found = []
    for n in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda n=n: n)
        found.append(sampler.sample(model, n_draws=400, n_chains=4, seed=1))
    assert found[0].method == "chain"
    for name in ("log_sds", "coefficients", "states"):
        assert np.array_equal(getattr(found[0], name), getattr(found[1], name)), name


def test_an_sd_above_its_limit_has_no_density() -> None:
    model = make(1, 1, 1)
    above = np.log(model.prior.limits) + np.array([0.01, -1.0])
    assert evaluate(model, above[None])[0][0] == -np.inf


@pytest.mark.parametrize(("period", "duration"), [(1, 1), (4, 2)])
def test_smoothed_draws_have_the_dense_mean_and_spread(period: int, duration: int) -> None:
    model = make(period, duration, 0)
    log_sd = np.log([0.4, 0.15, 0.1])[: 3 if period > 1 else 2]
    n = 20_000
    rng = np.random.default_rng(1)
    out = np.empty((n, N))
    smooth(
        model.columns[:, 0], model.observed, np.zeros((n, N)), np.tile(log_sd, (n, 1)),
        model.prior.start_sd, duration, rng.standard_normal((n, model.n_states)),
        rng.standard_normal((n, N, 3)), out,
    )  # fmt: skip

    seen = model.observed
    prior = signal_cov(model, log_sd)
    noisy = prior[np.ix_(seen, seen)] + np.exp(2 * log_sd[0]) * np.eye(seen.sum())
    gain = np.linalg.solve(noisy, prior[seen]).T
    cov = prior - gain @ prior[seen]
    sd = np.sqrt(np.diag(cov))
    assert np.abs((out.mean(axis=0) - gain @ model.columns[seen, 0]) / sd).max() < 5 / np.sqrt(n)
    assert np.allclose(np.cov(out.T), cov, atol=0.05 * cov.max())


@pytest.mark.parametrize(("period", "duration"), [(1, 1), (7, 1), (4, 3)])
def test_states_carry_on_where_the_pre_period_ends(period: int, duration: int) -> None:
    """Draws of the end state, moved forward, have the dense forecast's mean and covariance."""
    whole = make(period, duration, 0)
    n_pre = 25
    outcome = whole.columns[:n_pre, 0] + whole.prior.start_mean
    outcome[~whole.observed[:n_pre]] = np.nan
    part = pack_model(outcome, np.empty((n_pre, 0)), whole.prior, period=period, duration=duration)
    log_sd = np.log([0.4, 0.15, 0.1])[: 3 if period > 1 else 2]
    n = 20_000
    _, _, states = evaluate(part, np.tile(log_sd, (n, 1)), np.random.default_rng(2))
    ahead = np.empty((n, N - n_pre))
    shocks = np.random.default_rng(3).standard_normal((n, N - n_pre, 2))
    forward(states, np.tile(np.exp(log_sd[1:]), (n, 1)), n_pre, duration, shocks, ahead)

    prior = signal_cov(whole, log_sd)
    seen = np.flatnonzero(part.observed)
    later = np.arange(n_pre, N)
    noisy = prior[np.ix_(seen, seen)] + np.exp(2 * log_sd[0]) * np.eye(len(seen))
    gain = np.linalg.solve(noisy, prior[np.ix_(seen, later)]).T
    cov = prior[np.ix_(later, later)] - gain @ prior[np.ix_(seen, later)]
    sd = np.sqrt(np.diag(cov))
    assert np.abs((ahead.mean(axis=0) - gain @ part.columns[seen, 0]) / sd).max() < 5 / np.sqrt(n)
    assert np.allclose(np.cov(ahead.T), cov, atol=0.05 * cov.max())


@pytest.mark.parametrize("period", [1, 4])
def test_interpolated_moments_are_the_moments(period: int) -> None:
    model = make(period, 1, 3)
    runner = _Runner(model)
    rng = np.random.default_rng(4)
    pilot = np.log([0.5, 0.1, 0.05]) + 0.2 * rng.standard_normal((50, 3))
    pilot = np.ascontiguousarray(pilot[:, : 3 if period > 1 else 2])
    runner.interpolate(pilot, rng, 10_000)
    at = np.ascontiguousarray((pilot[:, 1:] - pilot[:, :1])[:5])
    grid = runner.grid
    truth = np.empty((5, grid.table.shape[2]))
    fill_moments(at, model.columns, model.observed, 1, model.n_states, truth)

    assert 1 < grid.table.shape[1] <= grid.sizes.prod()
    for point, expected in zip(at, truth, strict=True):
        weights = np.empty(grid.table.shape[1])
        assert term_weights(point, grid, polynomials_of(grid), weights) == 0
        assert np.allclose(weights @ grid.table[0], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("period", [1, 4])
def test_chains_and_summed_sets_agree(period: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(period, 1, 5)
    assert not model.always.any()
    summed = sampler.sample(model, n_draws=4000, n_chains=4, seed=1)
    monkeypatch.setattr(sampler, "MAX_SUMMED", 0)
    chains = sampler.sample(model, n_draws=4000, n_chains=4, seed=2)

    assert (summed.method, chains.method) == ("importance", "chain")
    for name in ("log_sds", "coefficients", "states"):
        one, other = (getattr(d, name).reshape(4000, -1) for d in (summed, chains))
        # chains are worth at least a quarter of their draws
        error = np.sqrt(one.var(axis=0) / 4000 + other.var(axis=0) / 1000)
        assert np.abs((one.mean(axis=0) - other.mean(axis=0)) / error).max() < 4, name
    share = [(d.coefficients != 0).reshape(4000, -1).mean(axis=0) for d in (summed, chains)]
    assert np.abs(share[0] - share[1]).max() < 0.06
