"""Compiled paths of the expected outcome: forward after the pre-period, backward within it."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled


@compiled
def forward(states, sds, first, duration, normals, out):
    """Fill ``out[i, h]`` with level plus season ``h`` rows after the pre-period of ``first`` rows.

    ``states`` (draw, m) is the state on the first of these rows, ``sds`` (draw, 1 or 2) the level's
    and season's sd, ``normals`` (draw, row, 1 or 2).
    """
    n_draws, n_rows = out.shape
    m = states.shape[1]
    state = np.empty(m)
    for i in range(n_draws):
        state[:] = states[i]
        now = 1 + (first // duration) % (m - 1) if m > 1 else 0
        for h in range(n_rows):
            out[i, h] = state[0] + (state[now] if m > 1 else 0.0)
            state[0] += sds[i, 0] * normals[i, h, 0]
            if m > 1 and (first + h + 1) % duration == 0:
                now = now + 1 if now + 1 < m else 1
                total = 0.0
                for k in range(1, m):
                    total += state[k]
                state[now] = sds[i, 1] * normals[i, h, 1] - total


@compiled
def sum_loads(weights, first, duration, of_states, of_shocks):
    """Fill what the weighted sum of the rows of ``forward`` takes of its states and shocks.

    ``of_states`` (m,) must hold zeros; ``of_shocks`` (1 or 2, row) is for shocks of sd one.
    """
    m = of_states.shape[0]
    for h in range(weights.shape[0] - 1, -1, -1):
        now = 1 + ((first + h) // duration) % (m - 1) if m > 1 else 0
        of_shocks[0, h] = of_states[0]
        if m > 1:
            of_shocks[1, h] = 0.0
            if (first + h + 1) % duration == 0:
                ahead = now + 1 if now + 1 < m else 1
                fed = of_states[ahead]
                of_shocks[1, h] = fed
                of_states[ahead] = 0.0
                for k in range(1, m):
                    of_states[k] -= fed
            of_states[now] += weights[h]
        of_states[0] += weights[h]


@compiled
def smooth(
    outcome, observed, regression, log_sds, start_sd, duration, starts, normals, out
):  # fmt: skip
    """Fill ``out[i]`` with draws of level plus season over the pre-period, given coefficients.

    Simulate states and data, filter the difference to the data, smooth it backwards and add the
    simulation (Durbin & Koopman 2002, Biometrika 89:603, doi:10.1093/biomet/89.3.603).
    ``regression`` (draw, row) is the controls' part. Standard normals ``starts`` (draw, m) make the
    first state, ``normals`` (draw, row, 2 or 3) noise, level and season.
    """
    n_draws, n = out.shape
    m = starts.shape[1]
    state = np.zeros(m)
    mean = np.zeros(m)
    cov = np.zeros((m, m))
    gains = np.zeros((n, m))
    totals = np.zeros(n)
    misses = np.zeros(n)
    centres = np.zeros(n)
    sums = np.zeros(m)
    r = np.zeros(m)
    for i in range(n_draws):
        noise_sd = math.exp(log_sds[i, 0])
        noise_var = noise_sd * noise_sd
        level_sd = math.exp(log_sds[i, 1])
        season_sd = math.exp(log_sds[i, 2]) if m > 1 else 0.0
        cov[:] = 0.0
        mean[:] = 0.0
        for k in range(m):
            cov[k, k] = start_sd * start_sd
            state[k] = start_sd * starts[i, k]
        now = 1 if m > 1 else 0
        for t in range(n):
            signal = state[0] + (state[now] if m > 1 else 0.0)
            out[i, t] = signal
            for k in range(m):
                gains[t, k] = cov[k, 0] + (cov[k, now] if m > 1 else 0.0)
            centres[t] = mean[0] + (mean[now] if m > 1 else 0.0)
            total = noise_var + gains[t, 0] + (gains[t, now] if m > 1 else 0.0)
            totals[t] = total
            if observed[t]:
                fake = signal + noise_sd * normals[i, t, 0]
                misses[t] = outcome[t] - regression[i, t] - fake - centres[t]
                for k in range(m):
                    mean[k] += gains[t, k] * misses[t] / total
                    for e in range(m):
                        cov[k, e] -= gains[t, k] * gains[t, e] / total
            state[0] += level_sd * normals[i, t, 1]
            cov[0, 0] += level_sd * level_sd
            if m > 1 and (t + 1) % duration == 0:
                now = now + 1 if now + 1 < m else 1
                fresh = 0.0
                sums[:] = 0.0
                change = 0.0
                for k in range(1, m):
                    fresh -= state[k]
                    change -= mean[k]
                    for e in range(m):
                        sums[e] -= cov[k, e]
                state[now] = fresh + season_sd * normals[i, t, 2]
                mean[now] = change
                corner = season_sd * season_sd
                for k in range(1, m):
                    corner -= sums[k]
                for k in range(m):
                    cov[now, k] = sums[k]
                    cov[k, now] = sums[k]
                cov[now, now] = corner
        r[:] = 0.0
        for t in range(n - 1, -1, -1):
            now = 1 + (t // duration) % (m - 1) if m > 1 else 0
            if m > 1 and (t + 1) % duration == 0:
                # transpose of the transition: the slot written next fed from minus all slots
                ahead = now + 1 if now + 1 < m else 1
                fed = r[ahead]
                r[ahead] = 0.0
                for k in range(1, m):
                    r[k] -= fed
            if observed[t]:
                pulled = misses[t]
                for k in range(m):
                    pulled -= gains[t, k] * r[k]
                pulled /= totals[t]
                r[0] += pulled
                if m > 1:
                    r[now] += pulled
            smoothed = centres[t]
            for k in range(m):
                smoothed += gains[t, k] * r[k]
            out[i, t] += smoothed
