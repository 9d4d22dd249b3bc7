"""Compiled sums over all sets of controls, and a set drawn by its share, at many points at once.

The last axis of all arrays is the point, and arithmetic goes along it. Variables are in the order:
those that are in every set, free controls from the last to the first, outcome.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.impact._kernels import LOGS_TOGETHER

# A set whose log weight lies so far below the largest adds nothing to the last digit of the sum.
LOWEST = -45.0


@compiled
def eliminate(a, first, count, halves):
    """Make Cholesky columns of the first variables of symmetric matrices, lower triangles.

    What is left of the others stays in their places. Adds half the log determinant of the first
    variables' block to ``halves``; a matrix that is not positive leaves NaN.
    """
    size = a.shape[0]
    product = np.ones(count)
    for d in range(first):
        pivot = a[d, d]
        for x in range(count):
            pivot[x] = math.sqrt(pivot[x])
            product[x] *= pivot[x]
        for i in range(d + 1, size):
            column = a[i, d]
            for x in range(count):
                column[x] /= pivot[x]
            for k in range(d + 1, i + 1):
                left = a[i, k]
                other = a[k, d]
                for x in range(count):
                    left[x] -= column[x] * other[x]
        if d % LOGS_TOGETHER == LOGS_TOGETHER - 1 or d == first - 1:
            for x in range(count):
                halves[x] += math.log(product[x])
                product[x] = 1.0


@compiled
def sweep_sets(work, dets, count, out, rests):
    """Eliminate every subset of the variables of symmetric matrices, all but their last.

    Variables are decided one after another, and what is common to subsets is eliminated once
    (Furnival & Wilson 1974, Technometrics 16:499). ``work[0]`` holds the matrices, lower triangles,
    and the other slots those that variables have been taken out of; ``dets`` is a buffer for the
    determinants of what was taken out. Fills the determinant of each subset's block and what is
    left of the last diagonal entry. In the code of a subset bit e stands for the variable e places
    before the last.
    """
    n_free = work.shape[1] - 1
    slot = np.zeros(n_free + 1, dtype=np.int64)
    inverse = np.empty(count)
    factor = np.empty(count)
    dets[0] = 1.0
    out[0] = 1.0
    rests[0, :count] = work[0, n_free, n_free, :count]
    for code in range(1, out.shape[0]):
        e = 0
        while not (code >> e) & 1:
            e += 1
        d = n_free - 1 - e
        old = work[slot[d]]
        new = work[d + 1]
        pivot = old[d, d]
        before = dets[slot[d]]
        after = dets[d + 1]
        for x in range(count):
            inverse[x] = 1.0 / pivot[x]
            after[x] = before[x] * pivot[x]
        for i in range(d + 1, n_free + 1):
            row = old[i, d]
            for x in range(count):
                factor[x] = row[x] * inverse[x]
            for k in range(d + 1, i + 1):
                left = new[i, k]
                was = old[i, k]
                other = old[k, d]
                for x in range(count):
                    left[x] = was[x] - factor[x] * other[x]
        slot[d + 1 :] = d + 1
        out[code, :count] = after[:count]
        rests[code, :count] = new[n_free, n_free, :count]


@compiled
def prior_of_sets(precision, always, free, log_odds, out):
    """Fill ``out`` with the log prior odds of every subset of the free controls.

    Half the log determinant of the precision of its coefficients included.
    """
    fixed = always.shape[0]
    n_free = free.shape[0]
    p = precision.shape[0]
    a = np.zeros((p + 1, p + 1, 1))
    for i in range(p):
        row = always[i] if i < fixed else free[p - 1 - i]
        for k in range(i + 1):
            a[i, k, 0] = precision[row, always[k] if k < fixed else free[p - 1 - k]]
    half = np.zeros(1)
    eliminate(a, fixed, 1, half)
    work = np.zeros((n_free + 1, n_free + 1, n_free + 1, 1))
    work[0] = a[fixed:, fixed:]
    dets = np.zeros((out.shape[0], 1))
    rests = np.zeros((out.shape[0], 1))
    sweep_sets(work, np.zeros((n_free + 1, 1)), 1, dets, rests)
    for code in range(out.shape[0]):
        out[code] = half[0] + 0.5 * math.log(dets[code, 0])
        for e in range(n_free):
            if (code >> e) & 1:
                out[code] += log_odds[free[e]]


@compiled
def weigh_sets(prior, variances, dets, rests, count, tops, totals):
    """Turn ``rests`` into the weights of the subsets, over ``exp(tops)``; fill their sums too."""
    tops[:count] = -np.inf
    for code in range(rests.shape[0]):
        log_weight = rests[code]
        odds = prior[code]
        for x in range(count):
            log_weight[x] = odds - 0.5 * log_weight[x] / variances[x]
            if log_weight[x] > tops[x]:
                tops[x] = log_weight[x]
    totals[:count] = 0.0
    for code in range(rests.shape[0]):
        weight = rests[code]
        det = dets[code]
        for x in range(count):
            below = weight[x] - tops[x]
            weight[x] = math.exp(below) if below > LOWEST else 0.0
        for x in range(count):
            weight[x] /= math.sqrt(det[x])
            totals[x] += weight[x]


@compiled
def draw_sets(weights, uniforms, totals, count, codes):
    """Fill the codes of subsets drawn by their weights, gone through in Gray-code order."""
    left = np.empty(count)
    for x in range(count):
        left[x] = uniforms[x] * totals[x]
    for g in range(weights.shape[0]):
        code = g ^ (g >> 1)
        weight = weights[code]
        for x in range(count):
            if left[x] >= 0.0:
                left[x] -= weight[x]
                codes[x] = code
