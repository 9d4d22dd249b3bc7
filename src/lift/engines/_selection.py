"""Compiled steps over the prior variances of the controls, all else integrated out.

Level and all other coefficients are removed from the normal equations, which leaves a matrix ``M``
and a vector ``b`` of the controls. With prior variances ``v`` on the diagonal of V the marginal
likelihood changes by a rank-one formula when one of them does, from zero or to zero too: with
``Q = (M^-1 + V)^-1`` and ``g = (I + M V)^-1 b``, a change ``d`` of ``v_k`` changes its log by
``d g_k^2 / (2 (1 + d Q_kk)) - log(1 + d Q_kk) / 2``, and Q and g by one outer product.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lift._compile import compiled
from lift.engines._kernels import normal_equations

FloatArray = NDArray[np.float64]

RIDGE, HORSESHOE, SPIKE_SLAB = range(3)
SLAB_SHAPE = 2.0
N_LOCAL_MOVES = 2
N_GLOBAL_MOVES = 2
SMALL_STEP, LARGE_STEP = 0.5, 2.5


class Controls(NamedTuple):
    """How controls are shrunk or selected.

    ``first`` is the position of their first coefficient. ``ratio`` times the noise sd is the scale
    of the global sd of a horseshoe, ``log_odds`` the prior log odds of a control to be in,
    ``slab`` the rate of the inverse gamma prior of a slab's variance.
    """

    kind: int
    first: int
    n_controls: int
    ratio: float
    log_odds: float
    slab: float


class ControlState(NamedTuple):
    """Logs of the local scale or slab variance, who is in, logs of global sd and slab variance."""

    log_local: FloatArray
    inside: FloatArray
    log_global: FloatArray


class ControlWork(NamedTuple):
    """Buffers of the steps."""

    spread: FloatArray
    a: FloatArray
    b: FloatArray
    others: FloatArray
    cross: FloatArray
    matrix: FloatArray
    vector: FloatArray
    q: FloatArray
    g: FloatArray
    variance: FloatArray


def control_buffers(n_coefficients: int, controls: Controls) -> ControlWork:
    """Return the buffers that the steps over controls need."""
    q, k = n_coefficients, controls.n_controls
    if controls.kind == RIDGE:
        q = k = 0
    return ControlWork(
        spread=np.zeros(q),
        a=np.zeros((q, q)),
        b=np.zeros(q),
        others=np.zeros((q - k, q - k)),
        cross=np.zeros((k + 1, q - k)),
        matrix=np.zeros((k, k)),
        vector=np.zeros(k),
        q=np.zeros((k, k)),
        g=np.zeros(k),
        variance=np.zeros(k),
    )


@compiled
def control_variance(controls, log_local, inside, log_global):
    """Return the prior variance of one control's coefficient."""
    if controls.kind == SPIKE_SLAB:
        return math.exp(log_local) if inside > 0.5 else 0.0
    slab = math.exp(log_global[1])
    own = math.exp(2.0 * (log_local + log_global[0]))
    return slab * own / (slab + own)


@compiled
def fill_variances(controls, state, out):
    """Fill the prior variances of all controls."""
    for k in range(controls.n_controls):
        out[k] = control_variance(controls, state.log_local[k], state.inside[k], state.log_global)


@compiled
def log_global_prior(controls, log_global, noise_sd):
    """Return the log prior density of the log of the global sd given the noise sd.

    Half-Cauchy of scale ``ratio * noise_sd``; 0 where there is none.
    """
    if controls.kind != HORSESHOE:
        return 0.0
    log_ratio = log_global[0] - math.log(controls.ratio * noise_sd)
    return log_ratio - softplus(2.0 * log_ratio)


@compiled
def softplus(x):
    """Return ``log(1 + exp(x))``."""
    return x + math.log1p(math.exp(-x)) if x > 0.0 else math.log1p(math.exp(x))


@compiled
def log_slab_prior(log_variance, rate):
    """Return the log density of the log of an inverse gamma variance, up to a constant."""
    return -SLAB_SHAPE * log_variance - rate * math.exp(-log_variance)


@compiled
def log_cauchy(log_local):
    """Return the log density of the log of a half-Cauchy scale, up to a constant."""
    return log_local - softplus(2.0 * log_local)


@compiled
def isolate(s, p, member_index, member_value, spread, controls, work):
    """Fill ``matrix`` and ``vector`` of the controls, all other coefficients integrated out."""
    n_all = spread.shape[0]
    first, count = controls.first, controls.n_controls
    for i in range(n_all):
        work.spread[i] = 1.0 if first <= i < first + count else spread[i]
    normal_equations(s, p, member_index, member_value, work.spread, work.a, work.b)
    n_others = n_all - count
    for i in range(n_others):
        row = i if i < first else i + count
        for k in range(i + 1):
            column = k if k < first else k + count
            work.others[i, k] = work.a[row, column]
        for c in range(count):
            control = first + c
            larger, smaller = max(row, control), min(row, control)
            work.cross[c, i] = work.a[larger, smaller]
        work.cross[count, i] = work.b[row]
    for i in range(n_others):
        for k in range(i + 1):
            total = work.others[i, k]
            for e in range(k):
                total -= work.others[i, e] * work.others[k, e]
            if i == k:
                work.others[i, i] = math.sqrt(total)
            else:
                work.others[i, k] = total / work.others[k, k]
    for c in range(count + 1):
        for i in range(n_others):
            total = work.cross[c, i]
            for e in range(i):
                total -= work.others[i, e] * work.cross[c, e]
            work.cross[c, i] = total / work.others[i, i]
    for c in range(count):
        for k in range(c + 1):
            total = work.a[first + c, first + k]
            for e in range(n_others):
                total -= work.cross[c, e] * work.cross[k, e]
            work.matrix[c, k] = total
            work.matrix[k, c] = total
        # the unit diagonal that the normal equations add is no data
        work.matrix[c, c] -= 1.0
        total = work.b[first + c]
        for e in range(n_others):
            total -= work.cross[c, e] * work.cross[count, e]
        work.vector[c] = total


@compiled
def rise(work, k, change):
    """Return the change of the log marginal likelihood where a prior variance changes."""
    scale = 1.0 + change * work.q[k, k]
    if not scale > 0.0:
        return -np.inf
    return 0.5 * change * work.g[k] ** 2 / scale - 0.5 * math.log(scale)


@compiled
def change_variance(work, k, change):
    """Change a prior variance in ``q`` and ``g``."""
    count = work.g.shape[0]
    factor = change / (1.0 + change * work.q[k, k])
    pulled = factor * work.g[k]
    for i in range(count):
        work.g[i] -= pulled * work.q[i, k]
    # the column is needed as it was until all others have changed
    for i in range(count):
        if i != k:
            f = factor * work.q[i, k]
            for e in range(count):
                if e != k:
                    work.q[i, e] -= f * work.q[k, e]
    shrink = 1.0 - factor * work.q[k, k]
    for i in range(count):
        if i != k:
            work.q[i, k] *= shrink
            work.q[k, i] *= shrink
    work.q[k, k] *= shrink


@compiled
def rebuild(work):
    """Fill ``q`` and ``g`` for ``variance``; return the log marginal likelihood less that at 0."""
    count = work.g.shape[0]
    total = 0.0
    for i in range(count):
        work.g[i] = work.vector[i]
        for k in range(count):
            work.q[i, k] = work.matrix[i, k]
    for k in range(count):
        if work.variance[k] > 0.0:
            total += rise(work, k, work.variance[k])
            change_variance(work, k, work.variance[k])
    return total


@compiled
def move_slab(rng, controls, state, work, k):
    """Move the slab variance of one control; of one that is out, draw it from its prior."""
    if state.inside[k] < 0.5:
        state.log_local[k] = math.log(controls.slab / rng.standard_gamma(SLAB_SHAPE))
        return
    new = state.log_local[k] + SMALL_STEP * rng.standard_normal()
    log_chance = log_slab_prior(new, controls.slab)
    log_chance -= log_slab_prior(state.log_local[k], controls.slab)
    change = math.exp(new) - work.variance[k]
    log_chance += rise(work, k, change)
    if math.log(rng.random()) < log_chance:
        state.log_local[k] = new
        change_variance(work, k, change)
        work.variance[k] = math.exp(new)


@compiled
def choose(rng, controls, state, work, k):
    """Draw whether one control is in, given its slab variance and all others."""
    slab = math.exp(state.log_local[k])
    now_in = state.inside[k] > 0.5
    log_odds = controls.log_odds
    log_odds += -rise(work, k, -slab) if now_in else rise(work, k, slab)
    goes_in = math.log(rng.random()) < -softplus(-log_odds)
    if goes_in != now_in:
        change_variance(work, k, slab if goes_in else -slab)
        state.inside[k] = 1.0 if goes_in else 0.0
        work.variance[k] = slab if goes_in else 0.0


@compiled
def exchange(rng, controls, state, work):
    """Let a control that is out take the place of one that is in, where the pair drawn is such."""
    count = controls.n_controls
    i = min(int(rng.random() * count), count - 1)
    j = min(int(rng.random() * count), count - 1)
    if not (state.inside[i] > 0.5 and state.inside[j] < 0.5):
        return
    out, into = -work.variance[i], math.exp(state.log_local[j])
    scale = 1.0 + out * work.q[i, i]
    log_chance = rise(work, i, out)
    factor = out / scale
    g = work.g[j] - factor * work.g[i] * work.q[i, j]
    q = work.q[j, j] - factor * work.q[i, j] ** 2
    log_chance += 0.5 * into * g * g / (1.0 + into * q) - 0.5 * math.log(1.0 + into * q)
    if math.log(rng.random()) < log_chance:
        change_variance(work, i, out)
        change_variance(work, j, into)
        state.inside[i], state.inside[j] = 0.0, 1.0
        work.variance[i], work.variance[j] = 0.0, into


@compiled
def move_selection(rng, controls, state, work):
    """Move who is in by Gibbs steps and exchanges, and the slab variances of all."""
    for k in range(controls.n_controls):
        move_slab(rng, controls, state, work, k)
        choose(rng, controls, state, work, k)
    for _ in range(controls.n_controls):
        exchange(rng, controls, state, work)


@compiled
def move_local(rng, controls, state, work, k, step):
    """Move the local scale of one control; return what the log marginal likelihood gains."""
    new = state.log_local[k] + step * rng.standard_normal()
    variance = control_variance(controls, new, 1.0, state.log_global)
    change = variance - work.variance[k]
    gained = rise(work, k, change)
    log_chance = gained + log_cauchy(new) - log_cauchy(state.log_local[k])
    if not math.log(rng.random()) < log_chance:
        return 0.0
    state.log_local[k] = new
    change_variance(work, k, change)
    work.variance[k] = variance
    return gained


@compiled
def move_global(rng, controls, state, noise_sd, work, which, step, current):
    """Move the global sd or the slab variance; return the log marginal likelihood.

    ``q`` and ``g`` are those of the proposal, taken or not.
    """
    log_global = state.log_global
    old = log_global[which]
    before = log_global_prior(controls, log_global, noise_sd)
    before += log_slab_prior(log_global[1], controls.slab)
    log_global[which] = old + step * rng.standard_normal()
    after = log_global_prior(controls, log_global, noise_sd)
    after += log_slab_prior(log_global[1], controls.slab)
    fill_variances(controls, state, work.variance)
    value = rebuild(work)
    if math.log(rng.random()) < value + after - current - before:
        return value
    log_global[which] = old
    fill_variances(controls, state, work.variance)
    return current


@compiled
def trade_scales(rng, controls, state, noise_sd, step):
    """Move the global sd with its products with the local scales held: only priors matter."""
    log_global = state.log_global
    shift = step * rng.standard_normal()
    before = log_global_prior(controls, log_global, noise_sd)
    log_global[0] += shift
    log_chance = log_global_prior(controls, log_global, noise_sd) - before
    for k in range(controls.n_controls):
        log_chance += log_cauchy(state.log_local[k] - shift) - log_cauchy(state.log_local[k])
    if math.log(rng.random()) < log_chance:
        for k in range(controls.n_controls):
            state.log_local[k] -= shift
    else:
        log_global[0] -= shift


@compiled
def move_horseshoe(rng, controls, state, noise_sd, work, current):
    """Move the local scales of a horseshoe, its global sd and the slab variance."""
    count = controls.n_controls
    for k in range(count):
        for move in range(N_LOCAL_MOVES):
            step = SMALL_STEP if move % 2 else LARGE_STEP
            current += move_local(rng, controls, state, work, k, step)
    for which in range(2):
        for move in range(N_GLOBAL_MOVES):
            step = SMALL_STEP if move % 2 else LARGE_STEP
            current = move_global(rng, controls, state, noise_sd, work, which, step, current)
    for move in range(2 * N_GLOBAL_MOVES):
        step = SMALL_STEP if move % 2 else 1.0 / math.sqrt(count)
        trade_scales(rng, controls, state, noise_sd, step)


@compiled
def move_controls(rng, s, p, member_index, member_value, controls, state, noise_sd, spread, work):
    """Move all that the prior variances of controls depend on; fill their prior sds."""
    isolate(s, p, member_index, member_value, spread, controls, work)
    fill_variances(controls, state, work.variance)
    current = rebuild(work)
    if controls.kind == SPIKE_SLAB:
        move_selection(rng, controls, state, work)
    else:
        move_horseshoe(rng, controls, state, noise_sd, work, current)
    fill_variances(controls, state, work.variance)
    for k in range(controls.n_controls):
        spread[controls.first + k] = math.sqrt(work.variance[k])
