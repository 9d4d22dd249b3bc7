"""The likelihood of the exact engine against the state space filter of statsmodels.

Source: ``statsmodels.tsa.statespace.kalman_filter.KalmanFilter`` with the state (level,
coefficients), a design that varies over time and a known start. Tolerance: 1e-8 relative, what two
orders of the same sums in double precision leave.
"""

from __future__ import annotations

import numpy as np
import pytest
from small_campaigns import campaign, points, rich_campaign
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

from lift.data.campaign import Campaign
from lift.engines.exact import EMPTY, pack
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec

CAMPAIGNS = {
    "rich": rich_campaign(),
    "plain": campaign(70, (30.4, 66.1)),
    "post on the last day": campaign(60, (30.4, 59.9), missing=(0, 31, 58)),
}


STATES = {
    "damped trend": {"trend": "damped"},
    "linear trend": {"trend": "linear"},
    "evolving week": {"week_evolves": True},
    "autoregressive noise": {"noise": "ar1"},
    "walking coefficient": {"evolving_controls": ["series_1"]},
    "all": {
        "trend": "damped",
        "week_evolves": True,
        "noise": "ar1",
        "evolving_controls": ["series_0", "series_1"],
    },
}


def filtered_states(design: Design, z: np.ndarray) -> float:
    """Return the log likelihood by statsmodels of a model with states beside the level.

    State: level, slope, trigonometric week (cosine and sine of three frequencies that turn by a
    day each day, Harvey 1989, section 2.3.4), noise, walking coefficients of controls, fixed
    coefficients.
    """
    values = natural(z[None], design.hypers, design.mix)[0]
    columns, prior_sd = design_matrix(design, values)
    n, q = columns.shape
    states = design.states

    def value(name: str) -> float:
        at = design.position(name)
        return float(values[at]) if at >= 0 else 0.0

    damping = value("slope_phi") if states.trend == "damped" else 1.0
    slope_sd = value("slope_sd")
    if states.trend == "damped":
        slope_start = slope_sd / np.sqrt(1 - damping**2)
    else:
        slope_start = states.slope_start_sd if states.trend == "linear" else 0.0
    turns = [2 * np.pi * k / 7 for k in (1, 2, 3)]
    rotation = np.zeros((6, 6))
    for k, turn in enumerate(turns):
        cosine, sine = np.cos(turn), np.sin(turn)
        rotation[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[cosine, sine], [-sine, cosine]]
    phi = value("noise_phi")
    noise_sd = value("noise_sd")
    walks = len(states.controls)
    first = design.position("control_step_sd")
    step_sd = values[first : first + walks] if walks else np.zeros(0)
    week_sd = value("week_step_sd") * np.sqrt(2 / 7)
    m = 2 + 6 + 1 + walks
    transition = np.eye(m + q)
    transition[0, 1], transition[1, 1] = 1.0, damping
    transition[2:8, 2:8] = rotation
    transition[8, 8] = phi
    drift = [value("level_sd"), slope_sd, *[week_sd] * 6, np.sqrt(1 - phi**2) * noise_sd]
    start = [design.level_start_sd, slope_start, *[0.0] * 6, noise_sd, *[0.0] * walks]
    loads = np.zeros((n, m))
    loads[:, [0, 2, 4, 6, 8]] = 1.0
    loads[:, 9:] = states.columns[:, 6 * states.week :] if walks else 0.0
    if not states.ar1:
        drift[8] = start[8] = 0.0
    model = KalmanFilter(k_endog=1, k_states=m + q, k_posdef=m)
    model.bind(np.where(design.observed, design.outcome, np.nan)[:, None])
    model["design"] = np.column_stack([loads, columns]).T[None]
    own = 0.0 if states.ar1 else noise_sd**2
    model["obs_cov"] = (own + design.poisson_variance)[None, None, :]
    model["transition"] = transition
    model["selection"] = np.eye(m + q)[:, :m]
    model["state_cov"] = np.diag(np.array([*drift, *step_sd]) ** 2)
    model.initialize_known(np.zeros(m + q), np.diag(np.array([*start, *prior_sd]) ** 2))
    model.tolerance = 0.0
    return float(model.loglike())


@pytest.mark.parametrize("settings", list(STATES.values()), ids=list(STATES))
def test_further_states_have_the_likelihood_of_statsmodels(settings: dict[str, object]) -> None:
    spec = ModelSpec.model_validate({"baseline": settings})
    design = build_design(rich_campaign(120), spec)
    z = points(len(design.hypers), 4, seed=12)
    values, _ = pack(design).evaluate(z, EMPTY)
    log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
    wanted = np.array([filtered_states(design, point) for point in z])
    np.testing.assert_allclose(values - log_prior, wanted, rtol=1e-8)


def filtered(design: Design, z: np.ndarray) -> float:
    """Return the log likelihood by statsmodels."""
    values = natural(z[None], design.hypers, design.mix)[0]
    columns, prior_sd = design_matrix(design, values)
    n, q = columns.shape
    model = KalmanFilter(k_endog=1, k_states=1 + q, k_posdef=1)
    model.bind(np.where(design.observed, design.outcome, np.nan)[:, None])
    model["design"] = np.column_stack([np.ones(n), columns]).T[None]
    noise = values[design.position("noise_sd")] ** 2 + design.poisson_variance
    model["obs_cov"] = noise[None, None, :]
    model["transition"] = np.eye(1 + q)
    model["selection"] = np.eye(1 + q)[:, :1]
    model["state_cov"] = np.array([[values[design.position("level_sd")] ** 2]])
    start = np.diag([design.level_start_sd**2, *prior_sd**2])
    model.initialize_known(np.zeros(1 + q), start)
    # without it the filter stops updating the covariance once it seems to have converged
    model.tolerance = 0.0
    return float(model.loglike())


@pytest.mark.parametrize("data", list(CAMPAIGNS.values()), ids=list(CAMPAIGNS))
def test_the_likelihood_is_that_of_statsmodels(data: Campaign) -> None:
    design = build_design(data, ModelSpec())
    z = points(len(design.hypers), 5, seed=11)
    values, _ = pack(design).evaluate(z, EMPTY)
    log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)
    wanted = np.array([filtered(design, point) for point in z])
    np.testing.assert_allclose(values - log_prior, wanted, rtol=1e-8)
