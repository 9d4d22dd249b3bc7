"""Compiled proposals of the Gibbs engine: a random walk that adapts, and independent points."""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lift._compile import compiled

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TARGET = 0.234
TARGET_SCALAR = 0.44
DECAY = 0.66
PROPOSAL_DF = 10.0

WALKED, WALKS, JUMPED, JUMPS = range(4)


class Jumps(NamedTuple):
    """A mixture of multivariate t distributions from which independent proposals come."""

    log_shares: FloatArray
    means: FloatArray
    factors: FloatArray
    inverses: FloatArray


class Tuning(NamedTuple):
    """The random walk's Cholesky factor, scalar step sizes, steps of adaptation, and counts."""

    factor: FloatArray
    log_steps: FloatArray
    age: FloatArray
    counts: IntArray


@compiled
def log_jump(z, jumps):
    """Return the log density of the independent proposals, up to a constant."""
    dim = z.shape[0]
    top = -np.inf
    total = 0.0
    for c in range(jumps.means.shape[0]):
        squared = 0.0
        log_det = 0.0
        for i in range(dim):
            whitened = 0.0
            for k in range(i + 1):
                whitened += jumps.inverses[c, i, k] * (z[k] - jumps.means[c, k])
            squared += whitened * whitened
            log_det += math.log(jumps.inverses[c, i, i])
        value = jumps.log_shares[c] + log_det
        value -= 0.5 * (PROPOSAL_DF + dim) * math.log1p(squared / PROPOSAL_DF)
        if value > top:
            total = total * math.exp(top - value) + 1.0
            top = value
        else:
            total += math.exp(value - top)
    return top + math.log(total)


@compiled
def jump(rng, jumps, normal, out):
    """Fill a draw of the independent proposals."""
    dim = out.shape[0]
    n_components = jumps.means.shape[0]
    left = rng.random()
    c = 0
    while c < n_components - 1:
        left -= math.exp(jumps.log_shares[c])
        if left < 0.0:
            break
        c += 1
    spread = math.sqrt(PROPOSAL_DF / (2.0 * rng.standard_gamma(0.5 * PROPOSAL_DF)))
    for i in range(dim):
        normal[i] = rng.standard_normal() * spread
    for i in range(dim):
        out[i] = jumps.means[c, i]
        for k in range(i + 1):
            out[i] += jumps.factors[c, i, k] * normal[k]


@compiled
def propose_point(rng, z, walk, jumps, tuning, normal, out):
    """Fill a step of the random walk from ``z``, or an independent point."""
    if not walk:
        jump(rng, jumps, normal, out)
        return
    dim = z.shape[0]
    for i in range(dim):
        normal[i] = rng.standard_normal()
    for i in range(dim):
        out[i] = z[i]
        for k in range(i + 1):
            out[i] += tuning.factor[i, k] * normal[k]


@compiled
def record_move(tuning, walk, accepted, log_chance, normal, adapt):
    """Count a move, and adapt the random walk to it."""
    tuning.counts[WALKS if walk else JUMPS] += 1
    tuning.counts[WALKED if walk else JUMPED] += accepted
    if adapt and walk:
        chance = math.exp(min(0.0, log_chance)) if log_chance > -700.0 else 0.0
        adapt_walk(tuning, normal, chance)


@compiled
def adapt_walk(tuning, normal, chance):
    """Adapt the random walk's factor towards the target acceptance (Vihola 2012).

    Statistics and Computing 22:997, doi:10.1007/s11222-011-9269-5.
    """
    dim = normal.shape[0]
    tuning.age[0] += 1.0
    rate = min(0.8, dim * tuning.age[0] ** -DECAY) * (chance - TARGET)
    squared = 0.0
    for i in range(dim):
        squared += normal[i] * normal[i]
    sign = 1.0 if rate > 0.0 else -1.0
    root = math.sqrt(abs(rate) / squared)
    x = np.zeros(dim)
    for i in range(dim):
        for k in range(i + 1):
            x[i] += tuning.factor[i, k] * normal[k] * root
    for k in range(dim):
        old = tuning.factor[k, k]
        new = math.sqrt(old * old + sign * x[k] * x[k])
        c = new / old
        s = x[k] / old
        tuning.factor[k, k] = new
        for i in range(k + 1, dim):
            tuning.factor[i, k] = (tuning.factor[i, k] + sign * s * x[i]) / c
            x[i] = c * x[i] - s * tuning.factor[i, k]


@compiled
def settle(tuning, which, chance, adapt):
    """Adapt a scalar step size towards the target acceptance."""
    if adapt:
        tuning.age[1 + which] += 1.0
        gain = min(0.5, 2.0 * tuning.age[1 + which] ** -DECAY)
        tuning.log_steps[which] += gain * (chance - TARGET_SCALAR)
