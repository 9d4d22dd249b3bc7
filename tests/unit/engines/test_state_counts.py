"""Counts with further states: against a dense Laplace approximation and against quadrature."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp
from small_campaigns import points, rich_campaign

from lift.engines.exact import EMPTY, pack
from lift.engines.reference import laplace_log_likelihood, moments
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

EVERY_STATE = {
    "trend": "damped",
    "week_evolves": True,
    "noise": "ar1",
    "evolving_controls": ["series_1"],
}
SPECS: dict[str, dict[str, Any]] = {
    "level alone": {},
    "damped trend": {"baseline": {"trend": "damped"}},
    "linear trend": {"baseline": {"trend": "linear"}},
    "evolving week": {"baseline": {"week_evolves": True}},
    "autoregressive noise": {"baseline": {"noise": "ar1"}},
    "walking coefficients": {"baseline": {"evolving_controls": ["series_1", "series_0"]}},
    "free kernel": {"response": {"kernel": "free"}},
    "every state and a free kernel": {
        "baseline": EVERY_STATE,
        "response": {"kernel": "free", "free_days": 9},
    },
    "every state and a gamma kernel": {
        "baseline": EVERY_STATE | {"seasons": [{"period_days": 30.4375}]},
        "response": {"kernel": "gamma"},
    },
}


def log_prior(z: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * (z**2).sum(axis=-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi))


@pytest.mark.parametrize("level", [0.8, 15.0], ids=["mostly zeros", "tens"])
@pytest.mark.parametrize("spec", list(SPECS.values()), ids=list(SPECS))
def test_the_laplace_approximation_is_that_of_the_reference(
    spec: dict[str, Any], level: float
) -> None:
    model = ModelSpec.model_validate({"likelihood": "negative_binomial"} | spec)
    design = build_design(rich_campaign(level=level), model)
    assert ((design.downloads == 0).sum() > 30) == (level < 1)
    z = points(len(design.hypers), 3, seed=3)
    values = pack(design).evaluate(z, EMPTY)[0] - log_prior(z)
    wanted = [laplace_log_likelihood(design, point) for point in z]
    np.testing.assert_allclose(values, wanted, rtol=1e-8)


def short(spec: dict[str, Any], counts: list[float]) -> Design:
    """Return the design of five days about the first post, of which four were observed."""
    model = ModelSpec.model_validate({"likelihood": "negative_binomial"} | spec)
    design = build_design(rich_campaign(level=6.0), model)
    rows = slice(29, 34)
    downloads = np.array(counts)
    posts = design.posts
    first = replace(
        posts,
        ids=posts.ids[:1],
        day=posts.day[:1] - 29,
        fraction=posts.fraction[:1],
        kernel_group=posts.kernel_group[:1],
        log_views=posts.log_views[:1],
        log_size=posts.log_size[:1],
        membership=posts.membership[:1],
        influencer=posts.influencer[:1],
    )
    states = design.states
    return replace(
        design,
        dates=design.dates[rows],
        downloads=downloads,
        outcome=np.where(np.isfinite(downloads), downloads, 0.0),
        poisson_variance=np.zeros(5),
        center=math.log(6.0),
        level_start_sd=0.5,
        blocks=tuple(replace(b, columns=b.columns[rows]) for b in design.blocks),
        posts=first,
        states=replace(states, columns=states.columns[rows]) if states.columns.size else states,
    )


def quadrature(design: Design, z: FloatArray, n_nodes: int = 16) -> tuple[float, float]:
    """Return log likelihood and mean log lift of the second day, over four log means."""
    values = natural(z[None], design.hypers, design.mix)[0]
    covariance, columns, prior_sd = moments(design, z)
    total = covariance + (columns * prior_sd**2) @ columns.T
    noise_sd = 0.0 if design.states.ar1 else values[design.position("noise_sd")]
    y = design.downloads[design.observed]
    nodes, weights = hermegauss(n_nodes)
    grid = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    log_weight = np.log(weights / np.sqrt(2 * np.pi))
    mass = sum(np.meshgrid(*[log_weight] * 4, indexing="ij")).ravel()
    eta = design.center + grid @ np.linalg.cholesky(total).T
    if noise_sd == 0.0:
        mass = mass + stats.poisson.logpmf(y, np.exp(eta)).sum(axis=1)
    else:
        size = noise_sd**-2
        mass = mass + stats.nbinom.logpmf(y, size, size / (size + np.exp(eta))).sum(axis=1)
    p, whole = design.fixed.shape[1], design_matrix(design, values)[0]
    lift = whole[2, p:] * prior_sd[p:] ** 2 @ columns[:, p:].T
    expected = (eta - design.center) @ np.linalg.solve(total, lift)
    return float(logsumexp(mass)), float(np.average(expected, weights=np.exp(mass - mass.max())))


CASES = [
    pytest.param({"baseline": {"trend": "damped", "slope_rate": 5.0}}, id="damped trend"),
    pytest.param({"baseline": {"trend": "linear", "slope_start_sd": 0.3}}, id="linear trend"),
    pytest.param({"baseline": {"week_evolves": True, "week_step_rate": 5.0}}, id="evolving week"),
    pytest.param({"baseline": {"noise": "ar1", "noise_rate": 1.0}}, id="autoregressive noise"),
    pytest.param(
        {
            "baseline": EVERY_STATE | {"slope_rate": 10.0, "control_step_rate": 5.0},
            "response": {"kernel": "free", "free_days": 3},
        },
        id="all",
    ),
]


@pytest.mark.parametrize("counts", [[5.0, 9.0, np.nan, 0.0, 14.0], [0.0, 0.0, 0.0, np.nan, 1.0]])
@pytest.mark.parametrize("spec", CASES)
def test_estimates_from_draws_are_unbiased(spec: dict[str, Any], counts: list[float]) -> None:
    """Of the likelihood, and with its weights of what the post adds on the day after it."""
    design = short(spec, counts)
    z = points(len(design.hypers), 1, seed=5, spread=0.5)[0]
    model = pack(design)
    assert model.form == "count_states"
    n = 8_000
    normals = np.random.default_rng(8).standard_normal((n, model.n_normals))
    logs, draws = model.evaluate(np.repeat(z[None], n, axis=0), normals)
    likelihood, lift = quadrature(design, z)
    ratio = np.exp(logs - log_prior(z) - likelihood)
    standard_error = ratio.std() / np.sqrt(n)
    assert standard_error < 0.02
    assert abs(ratio.mean() - 1) < 5 * standard_error
    values = natural(z[None], design.hypers, design.mix)[0]
    p = design.fixed.shape[1]
    lifts = draws[:, p:] @ design_matrix(design, values)[0][2, p:]
    error = np.sqrt(np.sum(ratio**2 * (lifts - lift) ** 2)) / ratio.sum()
    assert abs(np.average(lifts, weights=ratio) - lift) < 5 * error


def test_a_mean_far_above_its_count_keeps_the_likelihood_finite() -> None:
    design = short({"baseline": EVERY_STATE | {"slope_rate": 1.0}}, [0.0, 9e5, 0.0, np.nan, 3e7])
    z = points(len(design.hypers), 200, seed=9, spread=1.5)
    values, _ = pack(design).evaluate(z, EMPTY)
    assert np.isfinite(values).mean() > 0.97
