"""Compiled smoother of the states' sum, and draws of it from the prior.

The states themselves are never stored: their sum and the steps of the level come from the backward
recursion of the disturbance smoother (Durbin & Koopman 2012, section 4.5). A draw given data is a
path from the prior, moved by the smoothed difference of the data to those of the path (Durbin &
Koopman 2002, doi:10.1093/biomet/89.3.603).
"""

from __future__ import annotations

import math

from lift._compile import compiled
from lift.engines._states import next_day


@compiled
def smoothed_signal(
    residual, noise, observed, walk, slope, slope_phi, ar, ar_phi, cov, steps, level_var, z, pz,
    mean, errors, gains, pushed, out,
):  # fmt: skip
    """Fill the mean of the states' sum on the observed days given residuals; ``cov`` is used up.

    ``signal_t = residual_t - noise_t u_t`` with the smoothing errors ``u_t``, 0 on other days. The
    mean of the level's step from day t to the next is ``level_var[t] pushed[t]``.
    """
    n = residual.shape[0]
    m = cov.shape[0]
    n_walks = walk.shape[1]
    mean[:] = 0.0
    for t in range(n):
        if observed[t]:
            for i in range(n_walks):
                z[m - n_walks + i] = walk[t, i]
            total = noise[t]
            error = residual[t]
            for i in range(m):
                value = 0.0
                for k in range(m):
                    value += cov[i, k] * z[k]
                pz[i] = value
                total += z[i] * value
                error -= z[i] * mean[i, 0]
            errors[t] = error / total
            for i in range(m):
                gains[t, i] = pz[i] / total
                mean[i, 0] += gains[t, i] * error
                for k in range(m):
                    cov[i, k] -= gains[t, i] * pz[k]
        steps[0] = level_var[t]
        next_day(slope, slope_phi, ar, ar_phi, steps, 1, mean, cov)
    back = pz
    back[:] = 0.0
    for t in range(n - 1, -1, -1):
        pushed[t] = back[0]
        out[t] = 0.0
        if slope > 0:
            back[slope] = back[0] + slope_phi * back[slope]
        if ar > 0:
            back[ar] *= ar_phi
        if observed[t]:
            for i in range(n_walks):
                z[m - n_walks + i] = walk[t, i]
            smooth = errors[t]
            for i in range(m):
                smooth -= gains[t, i] * back[i]
            for i in range(m):
                back[i] += z[i] * smooth
            out[t] = residual[t] - noise[t] * smooth


@compiled
def prior_signal(normals, walk, slope, slope_phi, ar, ar_phi, cov, steps, level_var, z, mean, out):
    """Fill a path of the states' sum drawn from its prior; ``normals`` has m numbers for a day."""
    n = out.shape[0]
    m = cov.shape[0]
    n_walks = walk.shape[1]
    for i in range(m):
        mean[i, 0] = math.sqrt(cov[i, i]) * normals[i]
    for t in range(n):
        for i in range(n_walks):
            z[m - n_walks + i] = walk[t, i]
        total = 0.0
        for i in range(m):
            total += z[i] * mean[i, 0]
        out[t] = total
        if t + 1 < n:
            if slope > 0:
                mean[0, 0] += mean[slope, 0]
                mean[slope, 0] *= slope_phi
            if ar > 0:
                mean[ar, 0] *= ar_phi
            steps[0] = level_var[t]
            for i in range(m):
                mean[i, 0] += math.sqrt(steps[i]) * normals[(t + 1) * m + i]
