"""Coefficients that walk: priors, density, smoother and forecast against plain algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from lift import CausalImpact
from lift.impact import walk_sampler
from lift.impact._walks import forward_walks
from lift.impact.prior import walk_prior_from_data
from lift.impact.walks import (
    WalkModel,
    coefficient_paths,
    density_of,
    evaluate,
    pack_walks,
    smooth_walks,
)
from lift.rng import stream

N = 40
N_PRE = 25
LOG_SDS = np.log([0.08, 0.15, 0.2, 0.05, 0.3])


def make(period: int, duration: int, n_controls: int, n_walks: int, n: int = N) -> WalkModel:
    rng = np.random.default_rng(8)
    controls = rng.normal(0, 1, (N, n_controls))
    outcome = np.cumsum(rng.normal(0, 0.1, N)) + rng.normal(0, 0.1, N) + controls.sum(axis=1)
    outcome[[5, 6, 20]] = np.nan
    prior = walk_prior_from_data(outcome, controls[:, :n_walks], level_sd=0.05, season=period > 1)
    return pack_walks(outcome[:n], controls[:n], prior, period=period, duration=duration)


def chosen(model: WalkModel, points: np.ndarray = LOG_SDS) -> np.ndarray:
    """Return the log sds that a model has: noise, level, season, walks."""
    season = [2] if model.period > 1 else []
    return points[..., [0, 1, *season, *range(3, 3 + model.n_walks)]]


def inputs(model: WalkModel, sds: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return what each independent input, in its own sd, adds to the signal, (input, row).

    First states and shocks run one at a time through the model's equations, the season in textbook
    form: a new effect is minus the sum of the last ``period - 1``, plus its shock.
    """
    n, period = len(controls), model.period
    walks = np.zeros(controls.shape[1])
    walks[: model.n_walks] = sds[3 if period > 1 else 2 :]
    rows = [np.full(n, model.prior.start_sd)]
    rows += [model.prior.coefficient_sd * column for column in controls.T]
    days = np.arange(n)
    for t in range(1, n):
        rows.append(sds[1] * (days >= t))
        rows += [sd * (days >= t) * column for sd, column in zip(walks, controls.T, strict=True)]
    if period > 1:
        n_blocks = -(-n // model.duration)
        for unit in range(period - 1 + n_blocks - 1):
            start, shocks = np.zeros(period - 1), np.zeros(n_blocks)
            if unit < period - 1:
                start[unit] = model.prior.start_sd
            else:
                shocks[unit - period + 2] = sds[2]
            effects = list(start)
            for shock in shocks[1:]:
                effects.append(shock - sum(effects[len(effects) - period + 1 :]))
            rows.append(np.repeat(effects[period - 2 :][:n_blocks], model.duration)[:n])
    return np.array(rows)


FORMS = [(1, 1, 1, 1), (1, 1, 2, 2), (7, 1, 2, 2), (2, 1, 1, 1), (4, 3, 3, 2), (1, 1, 3, 1)]


@pytest.mark.parametrize("form", FORMS)
def test_density_is_the_dense_one(form: tuple[int, int, int, int]) -> None:
    model = make(*form)
    points = chosen(model, LOG_SDS + np.array([[0.0], [-0.5], [0.02]]))

    values, _ = evaluate(model, points)

    seen = model.observed
    for point, value in zip(points, values, strict=True):
        loads = inputs(model, np.exp(point), model.controls)[:, seen]
        cov = loads.T @ loads + np.exp(2 * point[0]) * np.eye(seen.sum())
        fit = multivariate_normal.logpdf(model.outcome[seen], np.zeros(seen.sum()), cov)
        precision = np.exp(-2 * point)
        prior = model.shapes @ np.log(precision) - model.rates @ precision
        assert value == pytest.approx(fit + prior, rel=0, abs=1e-8)


def test_priors_are_those_of_r() -> None:
    """CausalImpact 1.3, guess, df and limit: 0.01, 32, 0.1; 0.01, 32, 1; 0.01 / sd(x), 1, none."""
    rng = np.random.default_rng(1)
    outcome = rng.normal(0, 1, 200)
    outcome = (outcome - outcome.mean()) / outcome.std(ddof=1)
    controls = np.column_stack([outcome[::-1], 4.0 * outcome[::-1]])
    prior = walk_prior_from_data(outcome, controls, level_sd=0.01, season=True)

    assert prior.guesses == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.0025])
    assert prior.degrees.tolist() == [32.0, 32.0, 0.01, 1.0, 1.0]
    assert prior.limits == pytest.approx([0.1, 1.0, 1.0, np.inf, np.inf])
    assert (prior.start_sd, prior.coefficient_sd) == (pytest.approx(1.0), 1.0)


def test_noise_above_its_limit_has_no_density() -> None:
    model = make(1, 1, 1, 1)
    above = np.log([1.01 * model.prior.limits[0], 0.1, 0.01])
    assert evaluate(model, above[None])[0][0] == -np.inf


@pytest.mark.parametrize("form", [(1, 1, 2, 1), (4, 2, 1, 1)])
def test_smoothed_and_forecast_rows_have_the_dense_mean_and_spread(
    form: tuple[int, int, int, int],
) -> None:
    model, whole = make(*form, n=N_PRE), make(*form)
    log_sds = chosen(model)
    n = 20_000
    many = np.tile(log_sds, (n, 1))
    rng = np.random.default_rng(2)
    rows = np.empty((n, N))
    smooth_walks(model, many, rng, rows[:, :N_PRE])
    shocks = rng.standard_normal((n, N - N_PRE, len(log_sds)))
    _, states = evaluate(model, many, rng)
    ahead = np.empty((n, N - N_PRE))
    forward_walks(
        states, np.exp(many), np.ascontiguousarray(whole.controls[N_PRE:]), model.base, N_PRE,
        model.duration, shocks, ahead,
    )  # fmt: skip
    rows[:, N_PRE:] = ahead

    loads = inputs(whole, np.exp(log_sds), whole.controls)
    prior, seen = loads.T @ loads, np.flatnonzero(model.observed)
    noisy = prior[np.ix_(seen, seen)] + np.exp(2 * log_sds[0]) * np.eye(len(seen))
    gain = np.linalg.solve(noisy, prior[seen]).T
    cov = prior - gain @ prior[seen]
    sd = np.sqrt(np.diag(cov))
    error = (rows.mean(axis=0) - gain @ model.outcome[seen]) / sd
    assert np.abs(error).max() < 5 / np.sqrt(n)
    for part in (slice(N_PRE), slice(N_PRE, None)):
        assert np.allclose(np.cov(rows[:, part].T), cov[part, part], atol=0.05 * cov[part].max())


@pytest.mark.parametrize("period", [1, 4])
def test_coordinates_have_the_slope_they_say_and_walks_their_prior(period: int) -> None:
    density = density_of(make(period, 1, 2, 2))
    z = np.random.default_rng(5).standard_normal((6, density.dim))
    step = 1e-6
    slopes = [
        (density.log_sds(z + step * unit) - density.log_sds(z - step * unit))[:, i] / (2 * step)
        for i, unit in enumerate(np.eye(density.dim))
    ]
    change = np.log(slopes).sum(axis=0) - density.log_jacobian(z)
    assert np.ptp(change) < 1e-6

    # a prior of one degree of freedom: the guess over the size of a standard normal
    draws = np.random.default_rng(6).standard_normal((20_000, density.dim))
    sizes = density.model.prior.guesses[-1] / np.exp(density.log_sds(draws)[:, -1])
    assert np.mean(sizes**2) == pytest.approx(1.0, abs=5 * np.sqrt(2 / 20_000))
    assert np.mean(sizes**4) == pytest.approx(3.0, abs=5 * np.sqrt(96 / 20_000))


def simulated(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return outcome and two controls, the first with a coefficient that walks, and that."""
    rng = stream(4, "walking")
    controls = rng.standard_normal((n, 2))
    walk = 1.0 + np.cumsum(0.05 * rng.standard_normal(n))
    outcome = walk * controls[:, 0] + controls[:, 1] + np.cumsum(0.02 * rng.standard_normal(n))
    outcome += 0.05 * rng.standard_normal(n)
    return np.column_stack([outcome, controls]), walk


def test_walking_coefficients_are_recovered() -> None:
    n, n_pre = 300, 250
    data, walk = simulated(n)
    spread, of_control = data[:n_pre, 0].std(ddof=1), data[:n_pre, 1].std(ddof=1)
    args = {"dynamic.regression": True, "niter": 2000}
    found = CausalImpact(data, (0, n_pre - 1), (n_pre, n - 1), args)
    draws = found.posterior["sigma_coefficient"].stack(sample=("chain", "draw")).to_numpy()
    paths = found.coefficient_paths

    assert found.fitted.draws.method == "importance"
    assert found.fitted.draws.k < 0.5
    low, high = np.quantile(draws[0], [0.005, 0.995])
    assert low < 0.05 * of_control / spread < high
    assert draws[1].mean() < 0.4 * draws[0].mean()
    assert paths.dims == ("draw", "row", "control")
    lower, upper = paths.isel(control=0).quantile([0.025, 0.975], dim="draw").to_numpy()
    truth = walk[:n_pre] * of_control / spread
    assert np.mean((lower <= truth) & (truth <= upper)) > 0.85
    middle = paths.isel(control=0).mean("draw").to_numpy()
    assert np.corrcoef(middle, truth)[0, 1] > 0.95
    assert (
        abs(found.summary_data["AbsEffect"].iloc[1])
        < 3 * found.summary_data["AbsEffect.sd"].iloc[1]
    )
    still = CausalImpact(data, (0, n_pre - 1), (n_pre, n - 1), {"niter": 2000})
    assert still.coefficient_paths is None
    width = "AbsEffect.sd"
    assert found.summary_data[width].iloc[1] < still.summary_data[width].iloc[1]


def test_without_controls_nothing_walks() -> None:
    data = simulated(80)[0][:, :1]
    one, other = (
        CausalImpact(data, (0, 59), (60, 79), {"niter": 400, "dynamic_regression": walk})
        for walk in (True, False)
    )
    pd.testing.assert_frame_equal(one.summary_data, other.summary_data)


def test_calendar_columns_do_not_walk() -> None:
    data, _ = simulated(120)
    frame = pd.DataFrame(data, index=pd.date_range("2024-01-01", periods=120))
    args = {"niter": 400, "dynamic_regression": True, "seasons": [(30, 1)], "nseasons": 7}
    found = CausalImpact(frame, ["2024-01-01", "2024-04-09"], ["2024-04-10", "2024-04-29"], args)
    steps = found.posterior["sigma_coefficient"].to_numpy()
    assert (steps[..., :2] > 0.0).all()
    assert (steps[..., 2:] == 0.0).all()
    assert steps.shape[-1] == 4
    paths = coefficient_paths(
        found.fitted.model, found.fitted.ahead.log_sds[:3], np.random.default_rng(0)
    )
    assert np.ptp(paths[..., 2:], axis=1).max() < 1e-9
    assert {"sigma_season", "sigma_coefficient[1]"} <= set(found.convergence["parameter"])


@pytest.mark.slow
@pytest.mark.parametrize("period", [1, 4])
def test_chains_and_importance_sampling_agree(period: int) -> None:
    model = make(period, 1, 3, 2)
    integrated = walk_sampler.sample(model, n_draws=4000, n_chains=4, seed=1)
    chains = walk_sampler.sample(model, n_draws=8000, n_chains=4, seed=2, max_integrated=0)

    assert (integrated.method, chains.method) == ("importance", "chain")
    for name in ("log_sds", "states"):
        one, other = (getattr(d, name) for d in (integrated, chains))
        # the error of the chains from how far they lie apart
        spread = one.reshape(4000, -1).var(axis=0) / 4000
        apart = (
            other.mean(axis=1).var(axis=0, ddof=1) / 4 + other.reshape(8000, -1).var(axis=0) / 2000
        )
        error = np.sqrt(spread + apart)
        difference = one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))
        assert np.abs(difference / error).max() < 4, name
