"""Log density of a random walk plus noise and its slopes, in two passes over the days.

Forwards the Kalman filter of the local level (Durbin & Koopman 2012, ch. 2), backwards the
disturbance smoother, whose smoothed disturbances are the slopes (Koopman & Shephard 1992,
Biometrika 79:823).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift._compile import compiled

FloatArray = NDArray[np.float64]


@compiled
def level_score(
    residual: FloatArray, noise: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the log density of a random walk plus independent noise, and its slopes.

    Parameters
    ----------
    residual : ndarray, shape (n,)
        The series less its mean apart from the walk.
    noise : ndarray, shape (n,)
        Variance of the noise of each value.
    step : ndarray, shape (n,)
        Variance by which the walk moved before each value; it starts at 0.

    Returns
    -------
    log_density : ndarray, shape ()
    by_residual, by_noise, by_step : ndarray, shape (n,)
        Its derivatives.
    """
    n = len(residual)
    error, total, gain = np.empty(n), np.empty(n), np.empty(n)
    level, variance, log_density = 0.0, 0.0, 0.0
    for t in range(n):
        ahead = variance + step[t]
        total[t] = ahead + noise[t]
        gain[t] = ahead / total[t]
        error[t] = residual[t] - level
        log_density -= 0.5 * (np.log(2.0 * np.pi * total[t]) + error[t] * error[t] / total[t])
        level += gain[t] * error[t]
        variance = gain[t] * noise[t]
    by_residual, by_noise, by_step = np.empty(n), np.empty(n), np.empty(n)
    # what later days say of the level, and with what precision
    pull, weight = 0.0, 0.0
    for t in range(n - 1, -1, -1):
        kept = 1.0 - gain[t]
        noise_pull = error[t] / total[t] - gain[t] * pull
        noise_weight = 1.0 / total[t] + gain[t] * gain[t] * weight
        pull = error[t] / total[t] + kept * pull
        weight = 1.0 / total[t] + kept * kept * weight
        by_residual[t] = -noise_pull
        by_noise[t] = 0.5 * (noise_pull * noise_pull - noise_weight)
        by_step[t] = 0.5 * (pull * pull - weight)
    return np.array(log_density), by_residual, by_noise, by_step
