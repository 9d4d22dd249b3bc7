"""The likelihood of counts against brute-force quadrature."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp
from small_campaigns import campaign

from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines._kernels import count_log_mass
from lift.engines.base import SampleSettings
from lift.engines.exact import EMPTY, fit_exact, pack
from lift.model.design import Design, PostDesign, build_design
from lift.model.hyper import Hyper, natural
from lift.model.response import kernel_days
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]
START_SD = 0.8
MEAN_SD = 1.0
N_NODES = 28


def tiny(counts: list[float]) -> Design:
    """Return a design of three days and one post at noon of the second."""
    values = np.array(counts)
    seen = np.isfinite(values)
    posts = PostDesign(
        ids=("p",),
        day=np.array([1]),
        fraction=np.array([0.5]),
        kernel_group=np.array([0]),
        kernel_groups=("all",),
        log_views=np.zeros(1),
        log_size=np.zeros(1),
        groups=("all",),
        membership=np.ones((1, 1)),
        group_sd=np.array([MEAN_SD]),
        influencers=(),
        influencer=np.array([-1]),
    )
    hypers = (
        Hyper("noise_sd", "exponential", 6.0),
        Hyper("level_sd", "exponential", 6.0),
        Hyper("amplitude_sd", "exponential", 1.5),
        Hyper("first_day", "normal", -0.84, 0.6),
        Hyper("log_shape", "normal", -0.1, 0.3),
    )
    return Design(
        dates=pd.date_range("2025-01-01", periods=len(counts)),
        downloads=values,
        likelihood="negative_binomial",
        outcome=np.where(seen, values, 0.0),
        center=math.log(4.0),
        poisson_variance=np.zeros(len(counts)),
        blocks=(),
        posts=posts,
        hypers=hypers,
        mix=np.eye(5),
        window_days=5,
        displacement_lags=(14, 42),
        level_start_sd=START_SD,
    )


def log_mass(counts: FloatArray, eta: FloatArray, noise_sd: float) -> FloatArray:
    """Return the log mass of counts by SciPy: Poisson where the noise sd is 0."""
    if noise_sd == 0.0:
        return np.asarray(stats.poisson.logpmf(counts, np.exp(eta)))
    size = 1 / noise_sd**2
    return np.asarray(stats.nbinom.logpmf(counts, size, size / (size + np.exp(eta))))


def quadrature(design: Design, z: FloatArray, *, poisson: bool = False) -> float:
    """Return the log likelihood by a grid over three levels and the amplitude of the post."""
    noise, level, amplitude, first, shape = natural(z[None], design.hypers, design.mix)[0]
    nodes, weights = hermegauss(N_NODES)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    log_weight = np.log(weights / np.sqrt(2 * np.pi))
    mass = sum(np.meshgrid(*[log_weight] * 4, indexing="ij")).ravel()
    steps = np.array([START_SD, level, level])
    eta = design.center + np.cumsum(grid[:, :3] * steps, axis=1)
    kernel = kernel_days(np.exp(first), np.exp(shape), 0.5, design.window_days)
    lift = math.hypot(amplitude, MEAN_SD) * grid[:, 3]
    eta[:, 1] += lift * kernel[0]
    eta[:, 2] += lift * kernel[1]
    for day in np.flatnonzero(design.observed):
        mass = mass + log_mass(design.downloads[day], eta[:, day], 0.0 if poisson else noise)
    return float(logsumexp(mass))


def log_prior(z: FloatArray) -> float:
    return float(-0.5 * (z**2).sum() - 0.5 * len(z) * math.log(2 * math.pi))


CASES = [
    pytest.param([3.0, 7.0, 5.0], [0.0, 0.0, 0.0, 0.0, 0.0], id="plain"),
    pytest.param([0.0, 0.0, 1.0], [0.5, 0.5, 0.0, 1.0, -1.0], id="zeros"),
    pytest.param([3.0, np.nan, 9.0], [0.0, 1.0, 0.5, -1.0, 0.0], id="missing"),
    pytest.param([20.0, 60.0, 4.0], [2.0, 2.0, 1.0, 0.5, 1.0], id="dispersed"),
]


@pytest.mark.parametrize(("counts", "point"), CASES)
def test_the_estimate_of_the_likelihood_is_unbiased(
    counts: list[float], point: list[float]
) -> None:
    design, z = tiny(counts), np.array(point)
    model = pack(design)
    n = 20_000
    normals = np.random.default_rng(8).standard_normal((n, model.n_normals))
    logs, _ = model.evaluate(np.repeat(z[None], n, axis=0), normals)
    ratio = np.exp(logs - log_prior(z) - quadrature(design, z))
    standard_error = ratio.std() / np.sqrt(n)
    assert standard_error < 0.02
    assert abs(ratio.mean() - 1) < 5 * standard_error


@pytest.mark.parametrize(("counts", "point"), CASES)
def test_the_laplace_approximation_is_near(counts: list[float], point: list[float]) -> None:
    design, z = tiny(counts), np.array(point)
    value = pack(design).evaluate(z[None], EMPTY)[0][0] - log_prior(z)
    assert value == pytest.approx(quadrature(design, z), abs=0.1)


def laplace(design: Design, z: FloatArray) -> float:
    """Return the Laplace approximation over levels and amplitude, by a search of few dimensions."""
    noise, level, amplitude, first, shape = natural(z[None], design.hypers, design.mix)[0]
    kernel = kernel_days(np.exp(first), np.exp(shape), 0.5, design.window_days)
    columns = np.tril(np.ones((3, 3))) * [START_SD, level, level]
    lift = math.hypot(amplitude, MEAN_SD) * np.array([0.0, kernel[0], kernel[1]])
    columns = np.column_stack([columns, lift])
    size, counts = noise**-2, design.downloads

    def negative(u: FloatArray) -> float:
        eta = design.center + columns @ u
        spread = size * np.log(size) - (counts + size) * np.logaddexp(np.log(size), eta)
        mass = counts * eta + spread
        mass += gammaln(counts + size) - gammaln(size) - gammaln(counts + 1)
        return float(0.5 * u @ u - mass.sum())

    def slope(u: FloatArray) -> FloatArray:
        share = np.exp(design.center + columns @ u) / size
        return np.asarray(u - columns.T @ ((counts - size * share) / (1 + share)))

    def curvature(u: FloatArray) -> FloatArray:
        share = np.exp(design.center + columns @ u) / size
        information = (counts + size) * share / (1 + share) ** 2
        return np.asarray(np.eye(4) + columns.T @ (information[:, None] * columns))

    found = minimize(
        negative, np.zeros(4), jac=slope, hess=curvature, method="trust-exact",
        options={"gtol": 1e-4, "maxiter": 5000, "max_trust_radius": 20.0},
    )  # fmt: skip
    return float(-found.fun - 0.5 * np.linalg.slogdet(curvature(found.x))[1])


@pytest.mark.parametrize(
    ("counts", "point"),
    [
        ([40.0, 300.0, 6e8], [2.0, -6.0, 4.0, 4.0, 1.0]),
        ([40.0, 0.0, 1e12], [0.5, -6.0, 4.0, 2.0, 0.0]),
        ([40.0, 0.0, 1e12], [2.0, -6.0, 4.0, 4.0, 1.0]),
    ],
)
def test_the_likelihood_holds_where_a_mean_lies_far_above_its_count(
    counts: list[float], point: list[float]
) -> None:
    design, z = tiny(counts), np.array(point)
    value = pack(design).evaluate(z[None], EMPTY)[0][0] - log_prior(z)
    # the log mass of 1e12 is a difference of numbers of 3e13, of which the last digits are 0.004
    assert value == pytest.approx(laplace(design, z), abs=0.02)


def test_no_likelihood_is_a_rounding_error_where_one_day_dwarfs_the_others() -> None:
    """Newton's method runs far from the counts on its way; what it finds is a probability."""
    rng = np.random.default_rng(1)
    days, n = pd.date_range("2025-01-01", periods=240), 240
    counts = rng.poisson(14.0, n).astype(float)
    counts[191:194] = 3.16e11, 5.6e8, 2358.0
    walks = rng.normal(size=(n, 4)).cumsum(axis=0)
    posts = [30, 55, 80, 95, 120, 121, 150, 170, 185, 191, 205, 220]
    design = build_design(
        Campaign(
            downloads=pd.DataFrame({"date": days, "downloads": counts}),
            posts=pd.DataFrame(
                {
                    "post_id": [f"p{day}" for day in posts],
                    "posted_at": [f"{days[day].date()}T04:00:00Z" for day in posts],
                    "influencer": [f"@{day % 5}" for day in posts],
                    "views": np.exp(rng.normal(12.0, 1.0, len(posts))),
                }
            ),
            controls=pd.DataFrame(walks, columns=list("abcd")).assign(date=days),
            timezone="UTC",
        ),
        ModelSpec(likelihood="negative_binomial"),
    )
    z = 1.5 * rng.standard_normal((600, len(design.hypers)))
    found = pack(design).evaluate(z, EMPTY)[0]
    assert np.isfinite(found).mean() > 0.5
    assert np.nanmax(found - [log_prior(row) for row in z]) < 0.0


def test_without_noise_the_counts_are_poisson() -> None:
    design = tiny([3.0, 7.0, 0.0])
    z = np.array([-7.5, 0.0, 0.0, 0.0, 0.0])
    assert natural(z[None], design.hypers, design.mix)[0, 0] < 1e-10
    model = pack(design)
    n = 10_000
    normals = np.random.default_rng(9).standard_normal((n, model.n_normals))
    logs, _ = model.evaluate(np.repeat(z[None], n, axis=0), normals)
    ratio = np.exp(logs - log_prior(z) - quadrature(design, z, poisson=True))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(n)
    assert ratio.std() / np.sqrt(n) < 0.02


@pytest.mark.parametrize("count", [0.0, 1.0, 13.0, 4000.0])
@pytest.mark.parametrize("noise_sd", [1e-8, 1e-3, 0.1, 1.0, 3.0])
def test_the_mass_is_that_of_scipy(count: float, noise_sd: float) -> None:
    eta = math.log(count + 2.0)
    size = 1 / noise_sd**2
    poisson = noise_sd < 1e-6
    wanted = log_mass(np.array(count), np.array(eta), 0.0 if poisson else noise_sd)
    assert count_log_mass(count, eta, size) == pytest.approx(float(wanted), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("noise_sd", [0.0, 0.3, 1.0])
def test_the_masses_add_up_to_one(noise_sd: float) -> None:
    size = 1 / max(noise_sd, 1e-12) ** 2
    total = sum(math.exp(count_log_mass(float(k), math.log(6.0), size)) for k in range(400))
    assert total == pytest.approx(1.0, abs=1e-6)


def test_draws_of_coefficients_carry_the_weight_of_the_target() -> None:
    """The amplitude's posterior mean by weighted draws is that of the quadrature."""
    design = tiny([4.0, 25.0, 16.0])
    z = np.zeros(5)
    model = pack(design)
    n = 20_000
    normals = np.random.default_rng(10).standard_normal((n, model.n_normals))
    logs, draws = model.evaluate(np.repeat(z[None], n, axis=0), normals)
    weights = np.exp(logs - logs.max())
    amplitude = draws.sum(axis=1)
    mean = np.average(amplitude, weights=weights)
    error = np.sqrt(np.sum(weights**2 * (amplitude - mean) ** 2)) / weights.sum()

    noise, level, sd, first, shape = natural(z[None], design.hypers, design.mix)[0]
    nodes, mass = hermegauss(N_NODES)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    density = np.log(mass)[
        np.stack(np.meshgrid(*[np.arange(N_NODES)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    ].sum(axis=1)
    eta = design.center + np.cumsum(grid[:, :3] * [START_SD, level, level], axis=1)
    lift = math.hypot(sd, MEAN_SD) * grid[:, 3]
    kernel = kernel_days(np.exp(first), np.exp(shape), 0.5, 5)
    eta[:, 1:] += lift[:, None] * kernel[:2]
    density += log_mass(design.downloads, eta, float(noise)).sum(axis=1)
    wanted = np.average(lift, weights=np.exp(density - density.max()))
    assert error < 0.02
    assert abs(mean - wanted) < 5 * error
    spread = np.average((amplitude - mean) ** 2, weights=weights)
    wanted_spread = np.average((lift - wanted) ** 2, weights=np.exp(density - density.max()))
    # 5 standard errors of a variance, of the effective number of draws
    size = weights.sum() ** 2 / np.sum(weights**2)
    assert spread / wanted_spread == pytest.approx(1.0, abs=5 * np.sqrt(2 / size))


def test_large_counts_give_the_effects_of_the_lognormal() -> None:
    """Other models of the noise, so only near: a fifth of a posterior sd."""
    data = campaign(90, (35.4, 50.7), level=3000.0, impulse=0.8)
    totals = {}
    for likelihood in ("lognormal", "negative_binomial"):
        spec = ModelSpec.model_validate({"likelihood": likelihood})
        posterior = fit_exact(data, spec, SampleSettings(draws=2000, chains=2, seed=3))
        totals[likelihood] = Effects(posterior).table("campaign").iloc[0]
    a, b = totals["lognormal"], totals["negative_binomial"]
    slack = 5 * math.hypot(a["mcse_mean"], b["mcse_mean"])
    assert abs(a["mean"] - b["mean"]) < 0.2 * a["sd"] + slack
    assert b["sd"] / a["sd"] == pytest.approx(1.0, abs=0.25)


def test_a_design_of_small_counts_starts_newton_from_a_smooth_curve() -> None:
    design = build_design(campaign(60, (30.4,), level=2.0, missing=(8, 9)), ModelSpec())
    model = pack(design)
    assert model.form == "counts"
    assert np.isfinite(model.start).all()
    z = np.zeros((1, len(design.hypers)))
    near = model.evaluate(z, EMPTY)[0]
    # wherever Newton's method starts, it ends at the same mode
    moved = pack(design)
    object.__setattr__(moved, "start", model.start + 1.5)
    np.testing.assert_allclose(moved.evaluate(z, EMPTY)[0], near, rtol=1e-7)
