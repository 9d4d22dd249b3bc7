"""Compiled filter, smoother and forecast of level, season and coefficients that walk.

State order: level, season slots, controls. The season lives in a ring of ``base - 1`` slots as in
the static model; ``base`` is the number of states before the controls'. Of the controls' states the
first walk, those beyond the walks' sds stand still. Sds and variances run in the order noise,
level, season (where there is one), walks.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.impact._kernels import LOG_2PI, log_prior, semidefinite_root


@compiled
def slot_after(now, t, base, duration):
    """Return the season's slot on the row after ``t``."""
    if base == 1 or (t + 1) % duration != 0:
        return now
    return now + 1 if now + 1 < base else 1


@compiled
def signal_of(state, row, base, now):
    """Return what a state (m,) sends to the outcome, ``row`` holding the controls (p,)."""
    total = state[0]
    if base > 1:
        total += state[now]
    for k in range(row.shape[0]):
        total += row[k] * state[base + k]
    return total


@compiled
def gains_of(cov, row, base, now, gain):
    """Fill the covariances of the states with the signal; return the signal's variance."""
    m = gain.shape[0]
    for i in range(m):
        gain[i] = cov[0, i]
    if base > 1:
        for i in range(m):
            gain[i] += cov[now, i]
    for k in range(row.shape[0]):
        f = row[k]
        for i in range(m):
            gain[i] += f * cov[base + k, i]
    return signal_of(gain, row, base, now)


@compiled
def step_states(state, t, now, base, duration, sds, normals):
    """Move a state to the next row, shocks being ``sds * normals``; the slot is still ``now``."""
    state[0] += sds[1] * normals[1]
    first = 2
    if base > 1:
        first = 3
        if (t + 1) % duration == 0:
            ahead = slot_after(now, t, base, duration)
            total = 0.0
            for k in range(1, base):
                total += state[k]
            state[ahead] = sds[2] * normals[2] - total
    for k in range(sds.shape[0] - first):
        state[base + k] += sds[first + k] * normals[first + k]


@compiled
def step_moments(mean, cov, t, now, base, duration, variances, sums):
    """Move a state's mean and covariance to the next row; the slot is still ``now``."""
    m = mean.shape[0]
    cov[0, 0] += variances[1]
    first = 2
    if base > 1:
        first = 3
        if (t + 1) % duration == 0:
            ahead = slot_after(now, t, base, duration)
            change = 0.0
            sums[:] = 0.0
            for k in range(1, base):
                change -= mean[k]
                for e in range(m):
                    sums[e] -= cov[k, e]
            corner = variances[2]
            for k in range(1, base):
                corner -= sums[k]
            mean[ahead] = change
            for e in range(m):
                cov[ahead, e] = sums[e]
                cov[e, ahead] = sums[e]
            cov[ahead, ahead] = corner
    for k in range(variances.shape[0] - first):
        cov[base + k, base + k] += variances[first + k]


@compiled
def take_row(mean, cov, gain, miss, total):
    """Condition a state's mean and covariance on one outcome."""
    m = mean.shape[0]
    f = miss / total
    for i in range(m):
        mean[i] += f * gain[i]
        g = gain[i] / total
        for e in range(m):
            cov[i, e] -= g * gain[e]


@compiled
def log_likelihood(
    outcome, observed, controls, base, duration, variances, start_vars, mean, cov, gain, sums
):  # fmt: skip
    """Return the log likelihood; leave the state after the last row in ``mean`` and ``cov``."""
    mean[:] = 0.0
    cov[:] = 0.0
    for i in range(mean.shape[0]):
        cov[i, i] = start_vars[i]
    now = 1 if base > 1 else 0
    value = 0.0
    for t in range(outcome.shape[0]):
        if observed[t]:
            total = variances[0] + gains_of(cov, controls[t], base, now, gain)
            miss = outcome[t] - signal_of(mean, controls[t], base, now)
            value -= 0.5 * (LOG_2PI + math.log(total) + miss * miss / total)
            take_row(mean, cov, gain, miss, total)
        step_moments(mean, cov, t, now, base, duration, variances, sums)
        now = slot_after(now, t, base, duration)
    return value


@compiled
def draw_normal(mean, cov, normals, out):
    """Fill a draw; changes ``cov``, whose pivots may be zero by rounding."""
    m = mean.shape[0]
    semidefinite_root(cov, m)
    for i in range(m):
        out[i] = mean[i]
        for k in range(i + 1):
            out[i] += cov[i, k] * normals[k]


@compiled
def evaluate_walks(
    log_sds, normals, outcome, observed, controls, base, duration, start_vars, shapes, rates,
    limits, values, states,
):  # fmt: skip
    """Fill the log posterior density at each point and, with ``normals``, a state after the rows.

    ``normals`` (point, m) may be empty; ``states`` (point, m) is then left as it is.
    """
    m = start_vars.shape[0]
    mean = np.empty(m)
    cov = np.empty((m, m))
    gain = np.empty(m)
    sums = np.empty(m)
    for i in range(log_sds.shape[0]):
        values[i] = log_prior(log_sds[i], shapes, rates, limits)
        if values[i] == -np.inf:
            continue
        values[i] += log_likelihood(
            outcome, observed, controls, base, duration, np.exp(2.0 * log_sds[i]), start_vars,
            mean, cov, gain, sums,
        )  # fmt: skip
        if normals.shape[0] > 0:
            draw_normal(mean, cov, normals[i], states[i])


@compiled
def smooth_path(
    outcome, observed, controls, base, duration, sds, start_vars, starts, normals, path
):  # fmt: skip
    """Fill ``path`` (row, m) with a draw of the states given all outcomes.

    Simulate states and data, filter the difference to the data, smooth it and add the simulation
    (Durbin & Koopman 2002, Biometrika 89:603, doi:10.1093/biomet/89.3.603). Standard normals
    ``starts`` (m,) make the first state, ``normals`` (row, sd) noise and shocks.
    """
    n, m = path.shape
    variances = sds * sds
    mean = np.zeros(m)
    cov = np.zeros((m, m))
    sums = np.empty(m)
    gains = np.empty((n, m))
    totals = np.empty(n)
    misses = np.empty(n)
    state = np.empty(m)
    for i in range(m):
        cov[i, i] = start_vars[i]
        state[i] = math.sqrt(start_vars[i]) * starts[i]
    now = 1 if base > 1 else 0
    for t in range(n):
        path[t] = state
        if observed[t]:
            totals[t] = variances[0] + gains_of(cov, controls[t], base, now, gains[t])
            fake = signal_of(state, controls[t], base, now) + sds[0] * normals[t, 0]
            misses[t] = outcome[t] - fake - signal_of(mean, controls[t], base, now)
            take_row(mean, cov, gains[t], misses[t], totals[t])
        step_states(state, t, now, base, duration, sds, normals[t])
        step_moments(mean, cov, t, now, base, duration, variances, sums)
        now = slot_after(now, t, base, duration)
    first = 3 if base > 1 else 2
    scores = np.zeros((n + 1, m))
    for t in range(n - 1, -1, -1):
        r = scores[t]
        r[:] = scores[t + 1]
        now = 1 + (t // duration) % (base - 1) if base > 1 else 0
        if base > 1 and (t + 1) % duration == 0:
            # transpose of the transition: the slot written next fed from minus all slots
            ahead = slot_after(now, t, base, duration)
            fed = r[ahead]
            r[ahead] = 0.0
            for k in range(1, base):
                r[k] -= fed
        if observed[t]:
            pulled = misses[t]
            for k in range(m):
                pulled -= gains[t, k] * r[k]
            pulled /= totals[t]
            r[0] += pulled
            if base > 1:
                r[now] += pulled
            for k in range(controls.shape[1]):
                r[base + k] += pulled * controls[t, k]
    for i in range(m):
        mean[i] = start_vars[i] * scores[0, i]
    now = 1 if base > 1 else 0
    still = np.zeros(sds.shape[0])
    for t in range(n):
        path[t] += mean
        step_states(mean, t, now, base, duration, still, still)
        ahead = slot_after(now, t, base, duration)
        mean[0] += variances[1] * scores[t + 1, 0]
        if base > 1 and (t + 1) % duration == 0:
            mean[ahead] += variances[2] * scores[t + 1, ahead]
        for k in range(sds.shape[0] - first):
            mean[base + k] += variances[first + k] * scores[t + 1, base + k]
        now = ahead


@compiled
def smooth_signals(
    outcome, observed, controls, base, duration, sds, start_vars, starts, normals, out
):  # fmt: skip
    """Fill ``out`` (draw, row) with draws of the signal over the pre-period.

    ``sds`` (draw, sd), ``starts`` (draw, m), ``normals`` (draw, row, sd); see ``smooth_path``.
    """
    n_draws, n = out.shape
    path = np.empty((n, start_vars.shape[0]))
    for i in range(n_draws):
        smooth_path(
            outcome, observed, controls, base, duration, sds[i], start_vars, starts[i],
            normals[i], path,
        )  # fmt: skip
        for t in range(n):
            now = 1 + (t // duration) % (base - 1) if base > 1 else 0
            out[i, t] = signal_of(path[t], controls[t], base, now)


@compiled
def forward_walks(states, sds, controls, base, first, duration, normals, out):
    """Fill ``out[i, h]`` with the signal ``h`` rows after the pre-period of ``first`` rows.

    ``states`` (draw, m) is the state on the first of these rows, ``controls`` (row, p) is on these
    rows, ``sds`` (draw, sd) and ``normals`` (draw, row, sd) begin with those of the noise, which is
    left out.
    """
    n_draws, n_rows = out.shape
    state = np.empty(states.shape[1])
    for i in range(n_draws):
        state[:] = states[i]
        now = 1 + (first // duration) % (base - 1) if base > 1 else 0
        for h in range(n_rows):
            out[i, h] = signal_of(state, controls[h], base, now)
            step_states(state, first + h, now, base, duration, sds[i], normals[i, h])
            now = slot_after(now, first + h, base, duration)
