"""The smoothed components against the state space smoother of statsmodels.

Source: ``statsmodels.tsa.statespace.kalman_smoother.KalmanSmoother`` with a design that varies over
time and a known start, coefficients known. Tolerance: 1e-6 log units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_campaigns import points, rich_campaign
from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother

from lift.analysis.prediction_errors import one_step_errors
from lift.analysis.state_draws import States
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.predictor import design_matrix
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

STATES: dict[str, dict[str, Any]] = {
    "level alone": {},
    "damped trend": {"trend": "damped"},
    "linear trend": {"trend": "linear"},
    "all": {
        "trend": "damped",
        "week_evolves": True,
        "noise": "ar1",
        "evolving_controls": ["series_0", "series_1"],
    },
}


def smoothed(
    design: Design, values: FloatArray, rest: FloatArray
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return smoothed level, noise that lasts, week and controls, and errors, by statsmodels.

    State: level, slope, noise, walks of the six weekday contrasts, walks of controls.
    """
    states = design.states
    n, walks = len(design.dates), states.columns.shape[1] if states.columns.size else 0

    def value(name: str) -> float:
        at = design.position(name)
        return float(values[at]) if at >= 0 else 0.0

    damping = value("slope_phi") if states.trend == "damped" else 1.0
    slope_sd, noise_sd, phi = value("slope_sd"), value("noise_sd"), value("noise_phi")
    slope_start = states.slope_start_sd if states.trend == "linear" else 0.0
    if states.trend == "damped":
        slope_start = slope_sd / np.sqrt(1 - damping**2)
    week, first = 6 * states.week, design.position("control_step_sd")
    steps = [value("week_step_sd")] * week + list(values[first : first + walks - week])
    lasting = noise_sd * states.ar1
    m = 3 + walks
    model = KalmanSmoother(k_endog=1, k_states=m, k_posdef=m)
    model.bind(np.where(design.observed, rest, np.nan)[:, None])
    loads = np.zeros((n, m))
    loads[:, [0, 2]] = 1.0
    if walks:
        loads[:, 3:] = states.columns
    model["design"] = loads.T[None]
    own = 0.0 if states.ar1 else noise_sd**2
    model["obs_cov"] = (own + design.poisson_variance)[None, None, :]
    transition = np.eye(m)
    transition[0, 1], transition[1, 1], transition[2, 2] = 1.0, damping, phi
    model["transition"] = transition
    model["selection"] = np.eye(m)
    drift = [value("level_sd"), slope_sd, np.sqrt(1 - phi**2) * lasting, *steps[:walks]]
    model["state_cov"] = np.diag(np.square(drift))
    start = [design.level_start_sd, slope_start, lasting, *[0.0] * walks]
    model.initialize_known(np.zeros(m), np.diag(np.square(start)))
    model.tolerance = 0.0
    found = model.smooth()
    paths = found.smoothed_state
    out = {"level": paths[0], "autoregression": paths[2]}
    out["week"] = (loads[:, 3 : 3 + week] * paths[3 : 3 + week].T).sum(axis=1)
    for k, name in enumerate(states.controls):
        out[f"control {name}"] = loads[:, 3 + week + k] * paths[3 + week + k]
    return out, found.standardized_forecasts_error[0]


@pytest.mark.parametrize("baseline", list(STATES.values()), ids=list(STATES))
def test_the_smoothed_components_are_those_of_statsmodels(baseline: dict[str, Any]) -> None:
    design = build_design(rich_campaign(120), ModelSpec.model_validate({"baseline": baseline}))
    values = natural(points(len(design.hypers), 1, seed=12), design.hypers, design.mix)
    columns, prior_sd = design_matrix(design, values[0])
    rng = stream(12, "tests", "coefficients")
    rest = design.outcome - columns @ (0.3 * prior_sd * rng.normal(size=len(prior_sd)))
    states = States(design, values)
    found = states.smoothed(rest[None], states.noise_var)
    wanted, errors = smoothed(design, values[0], rest)
    for (component, control), path in found.items():
        name = f"{component} {control}".strip()
        np.testing.assert_allclose(path[0], wanted[name], atol=1e-6, err_msg=name)
    assert {" ".join(part).strip() for part in found} == {
        name for name, path in wanted.items() if np.abs(path).max() > 0
    }
    mine = one_step_errors(states, rest)
    late = np.flatnonzero(design.observed)[design.states.n_states :]
    assert np.isfinite(mine).sum() == len(late)
    np.testing.assert_allclose(mine[late], errors[late], atol=1e-6)
