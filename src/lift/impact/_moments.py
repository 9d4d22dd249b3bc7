"""Compiled moments of the single-intervention model with the states integrated out.

Local level plus an optional evolving season in dummy form, in units where the observation variance
is one. Filters start from a known zero state; the unknown initial states are coefficients, so that
everything here depends on the two variance ratios alone. Their columns hold zeros and start from
the state -1: the innovations are those of the signal that the initial state would send, and the
predicted means are those of the state less what is left of the initial state. The season lives in
a ring of ``period - 1`` slots: the newest effect, minus the sum of all slots plus noise, overwrites
the oldest, and nothing is shifted.

Column order: outcome, initial states (all zero), controls. State order: level, season slots.
Packed moments: the lower triangle of the innovations' cross-products, the sum of the logs of their
variances, the predicted mean after the last row (state, column), and the lower triangle of its
covariance.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift._lanes import LANES, every, load, room_for, square_root, store
from lift.engines._blas import dsyrk
from lift.impact._kernels import LOGS_TOGETHER


@compiled
def n_packed(width, m):
    """Return how many entries packed moments have."""
    return width * (width + 1) // 2 + 1 + m * width + m * (m + 1) // 2


@compiled
def _filter_level(columns, observed, level_ratio, v, mean, cov):
    """Filter all columns by a local level; return the sum of log innovation variances.

    Leaves standardised innovations in ``v`` and the predicted state after the last row in ``mean``
    (state, column) and ``cov`` (state, state).
    """
    n, width = columns.shape
    mean[:] = 0.0
    centre = mean[0]
    centre[1] = -1.0
    variance = 0.0
    log_variance = 0.0
    for t in range(n):
        row = v[t]
        if not observed[t]:
            row[:] = 0.0
            variance += level_ratio
            continue
        total = 1.0 + variance
        gain = variance / total
        scale = 1.0 / math.sqrt(total)
        for c in range(width):
            error = columns[t, c] - centre[c]
            row[c] = error * scale
            centre[c] += gain * error
        log_variance += math.log(total)
        variance = gain + level_ratio
    cov[0, 0] = variance
    return log_variance


@compiled
def _level_moments(log_ratios, columns, observed, out):
    """Fill packed moments (point, entry) of a local level at log ratios (point, 1)."""
    n, width = columns.shape
    v = np.empty((n, width))
    s = np.zeros((width, width))
    mean = np.zeros((1, width))
    cov = np.zeros((1, 1))
    flags = np.array([85, 78], dtype=np.uint8)
    sizes = np.array([width, n], dtype=np.int32)
    ones = np.array([1.0, 0.0])
    for x in range(log_ratios.shape[0]):
        ratio = math.exp(2.0 * log_ratios[x, 0])
        log_variance = _filter_level(columns, observed, ratio, v, mean, cov)
        dsyrk(
            flags[0:].ctypes, flags[1:].ctypes, sizes[0:].ctypes, sizes[1:].ctypes, ones.ctypes,
            v.ctypes, sizes[0:].ctypes, ones[1:].ctypes, s.ctypes, sizes[0:].ctypes,
        )  # fmt: skip
        own = out[x]
        e = 0
        for i in range(width):
            for k in range(i + 1):
                own[e] = s[i, k]
                e += 1
        own[e] = log_variance
        own[e + 1 : e + 1 + width] = mean[0]
        own[e + 1 + width] = cov[0, 0]


@compiled
def _filter_season(columns, observed, ratios, duration, m, states, gain, change, row, sums):
    """Filter all columns by level and season at as many points as there are lanes.

    A row of ``states`` (m + 1, width + m, point) holds the mean of a state for each column and,
    after them, its covariances with all states, which a new observation changes alike: by its gain
    times one row. The last row is the sum of all slots: a new effect is minus it plus noise, and
    the sum that follows is minus the effect overwritten plus that noise. ``ratios`` (2, point).
    Fills ``sums`` with the innovations' cross-products and, last, the logs of their variances.
    """
    n, width = columns.shape
    size = width + m
    slots = m * size
    states[:] = 0.0
    sums[:] = 0.0
    for i in range(m):
        store(states, i * size + 1 + i, every(-1.0))
    for i in range(1, m):
        store(states, slots + 1 + i, every(-1.0))
    level_ratio = load(ratios, 0)
    season_ratio = load(ratios, 1)
    one = every(1.0)
    product = one
    done = np.empty((1, LANES))
    logs = sums[-1]
    now = 1
    for t in range(n):
        newest = now * size
        if observed[t]:
            for i in range(m + 1):
                own = i * size + width
                store(gain, i, load(states, own) + load(states, own + now))
            total = one + load(gain, 0) + load(gain, now)
            inverse = one / total
            scale = square_root(inverse)
            product = product * total
            for c in range(width):
                miss = every(columns[t, c]) - load(states, c) - load(states, newest + c)
                store(row, c, miss * scale)
                store(change, c, miss * inverse)
            for k in range(m):
                store(change, width + k, -(inverse * load(gain, k)))
            for i in range(m + 1):
                own_gain = load(gain, i)
                for c in range(i * size, (i + 1) * size):
                    store(states, c, load(states, c) + own_gain * load(change, c - i * size))
            e = 0
            for i in range(width):
                miss = load(row, i)
                for k in range(i + 1):
                    store(sums, e, load(sums, e) + miss * load(row, k))
                    e += 1
        if t % LOGS_TOGETHER == LOGS_TOGETHER - 1 or t == n - 1:
            store(done, 0, product)
            for x in range(LANES):
                logs[x] += math.log(done[0, x])
            product = one
        store(states, width, load(states, width) + level_ratio)
        if (t + 1) % duration == 0:
            now = now + 1 if now + 1 < m else 1
            newest = now * size
            fresh = season_ratio
            for k in range(1, m):
                fresh = fresh + load(states, slots + width + k)
            with_fresh = load(states, slots + width + now) + season_ratio
            for c in range(size):
                old = load(states, newest + c)
                store(states, newest + c, -load(states, slots + c))
                store(states, slots + c, -old)
            for k in range(m):
                store(states, k * size + width + now, load(states, newest + width + k))
            store(states, newest + width + now, fresh)
            store(states, slots + width + now, with_fresh)


@compiled
def _season_moments(log_ratios, columns, observed, duration, m, out):
    """Fill packed moments (point, entry) of level and season at log ratios (point, 2)."""
    width = columns.shape[1]
    size = width + m
    n_sums = width * (width + 1) // 2 + 1
    states = room_for((m + 1) * size)
    gain = room_for(m + 1)
    change = room_for(size)
    row = room_for(width)
    sums = room_for(n_sums)
    ratios = room_for(2)
    n_points = log_ratios.shape[0]
    for begin in range(0, n_points, LANES):
        for x in range(LANES):
            # lanes to spare repeat the last point
            at = log_ratios[min(begin + x, n_points - 1)]
            for axis in range(2):
                ratios[axis, x] = math.exp(2.0 * at[axis])
        _filter_season(columns, observed, ratios, duration, m, states, gain, change, row, sums)
        for x in range(min(LANES, n_points - begin)):
            own = out[begin + x]
            for e in range(n_sums):
                own[e] = sums[e, x]
            e = n_sums
            for i in range(m):
                for c in range(width):
                    own[e] = states[i * size + c, x]
                    e += 1
            for i in range(m):
                for k in range(i + 1):
                    own[e] = states[i * size + width + k, x]
                    e += 1


@compiled
def fill_moments(log_ratios, columns, observed, duration, m, out):
    """Fill ``out`` with packed moments, one row for each point.

    ``log_ratios`` (point, 1 or 2): logs of the level's and the season's sd over that of the noise.
    """
    if m == 1:
        _level_moments(log_ratios, columns, observed, out)
    else:
        _season_moments(log_ratios, columns, observed, duration, m, out)
