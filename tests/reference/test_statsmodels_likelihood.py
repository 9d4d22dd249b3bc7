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
