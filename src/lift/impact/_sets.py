"""Compiled Gibbs steps over the set of controls, hyperparameters fixed, coefficients out.

Two swept matrices say what a change of the set is worth: ``joint``, the innovations' cross-products
plus the prior's scaled precision ``penalty``, whose rows are made from those of the interpolant's
terms when they are needed, and ``prior``, that precision alone. Initial states are variables that
are always in. ``order`` holds the variables that are in, initial states first.
"""

# Types come from numba, from the arrays that the functions are called with.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from lift._compile import compiled
from lift.impact._interpolant import between
from lift.impact._swept import ends, ends_without, sweep

# Logs that exp turns into a number still, and into one that is nothing beside one.
LARGEST_LOG = 700.0
LEAST_LOG = -60.0


@compiled
def start(terms, weights, penalty, joint, mean, row):
    """Fill the outcome's row and the diagonal of ``joint``, nothing swept.

    What the predicted states hold of the outcome goes to ``mean``.
    """
    width = joint.shape[1]
    between(terms[width], weights, width, row)
    for k in range(width):
        joint[width, k] = row[k] + penalty[k, k]
    between(terms[0], weights, row.shape[0], row)
    for k in range(width):
        joint[0, k] = row[k]
    for i in range(mean.shape[0]):
        mean[i, 0] = row[width + i]


@compiled
def load(row, penalty, j, joint, mean):
    """Fill the row of variable ``j``, so that it may enter, from its ``row`` of the moments."""
    width = joint.shape[1]
    for k in range(width):
        joint[j, k] = row[k] + penalty[j, k]
    for i in range(mean.shape[0]):
        mean[i, j] = row[width + i]


@compiled
def odds_of_flip(joint, prior, j, inside, log_odds, variance):
    """Return the posterior odds of variable ``j`` being where it is not."""
    d, e = ends(joint, j, inside)
    d_prior, _ = ends(prior, j, inside)
    rise = 0.5 * e * e / (d * variance) + log_odds
    if inside:
        return math.exp(min(-rise, LARGEST_LOG)) * math.sqrt(d / d_prior)
    return math.exp(min(rise, LARGEST_LOG)) * math.sqrt(d_prior / d)


@compiled
def odds_of_exchange(joint, prior, i, j, log_odds, variance):
    """Return the posterior odds of ``j`` being in in place of ``i``.

    ``log_odds`` are those of their own inclusion. Zero for odds that change no number around one.
    """
    d_out, e_out = ends(joint, i, True)
    d_in, e_in = ends_without(joint, j, i)
    rise = 0.5 * (e_in * e_in / d_in - e_out * e_out / d_out) / variance + log_odds
    if rise < LEAST_LOG:
        return 0.0
    prior_out, _ = ends(prior, i, True)
    prior_in, _ = ends_without(prior, j, i)
    return math.exp(min(rise, LARGEST_LOG)) * math.sqrt(prior_in * d_out / (prior_out * d_in))


@compiled
def bring_in(terms, weights, penalty, j, order, n, joint, prior, mean, row):
    """Bring variable ``j`` in; return how many are in."""
    between(terms[j], weights, row.shape[0], row)
    load(row, penalty, j, joint, mean)
    sweep(joint, order, n, j, True, row)
    prior[j] = penalty[j]
    sweep(prior, order, n, j, True, row)
    order[n] = j
    return n + 1


@compiled
def take_out(j, order, n, joint, prior, row):
    """Take variable ``j`` out; return how many are in."""
    at = 0
    while order[at] != j:
        at += 1
    for a in range(at, n - 1):
        order[a] = order[a + 1]
    sweep(joint, order, n - 1, j, False, row)
    sweep(prior, order, n - 1, j, False, row)
    return n - 1


@compiled
def change_set(
    rng, terms, weights, penalty, inside, always, log_odds, variance, order, n, joint, prior,
    members, mean, row,
):  # fmt: skip
    """Make a Gibbs scan over single controls, then draw who is in in place of one of those in.

    Returns how many variables are in and whether any control went in or out.
    """
    p = inside.shape[0]
    first = penalty.shape[0] - p
    changed = False
    # the next flip is where the probability of none so far falls below a uniform number
    still = 1.0 - rng.random()
    for j in range(p):
        if always[j]:
            continue
        still *= 1.0 + odds_of_flip(joint, prior, first + j, inside[j], log_odds[j], variance)
        if still > 1.0:
            if inside[j]:
                n = take_out(first + j, order, n, joint, prior, row)
            else:
                n = bring_in(terms, weights, penalty, first + j, order, n, joint, prior, mean, row)
            inside[j] = not inside[j]
            changed = True
            still = 1.0 - rng.random()
    n_in = 0
    n_out = 0
    for j in range(p):
        if inside[j]:
            if not always[j]:
                members[0, n_in] = j
                n_in += 1
        elif log_odds[j] > -np.inf:
            members[1, n_out] = j
            n_out += 1
    if n_in == 0 or n_out == 0:
        return n, changed
    one = min(int(rng.random() * n_in), n_in - 1)
    i = members[0, one]
    total = 1.0
    for a in range(n_out):
        j = members[1, a]
        own = log_odds[j] - log_odds[i]
        total += odds_of_exchange(joint, prior, first + i, first + j, own, variance)
        row[a] = total
    place = total * rng.random()
    if place >= 1.0:
        a = 0
        while row[a] <= place and a < n_out - 1:
            a += 1
        j = members[1, a]
        n = take_out(first + i, order, n, joint, prior, row)
        n = bring_in(terms, weights, penalty, first + j, order, n, joint, prior, mean, row)
        inside[i] = False
        inside[j] = True
        changed = True
    return n, changed


@compiled
def entries_of_set(rows, log_variances, m, used, n_used, few):
    """Fill ``few`` with the entries of the outcome, initial states and a set of controls.

    The lower triangle of their cross-products, row by row, and the innovations' log variance.
    """
    out = 0
    for i in range(1 + m + n_used):
        row = i if i <= m else 1 + m + used[i - 1 - m]
        for k in range(i + 1):
            column = k if k <= m else 1 + m + used[k - 1 - m]
            for term in range(rows.shape[1]):
                few[term, out] = rows[row, term, column]
            out += 1
    for term in range(rows.shape[1]):
        few[term, out] = log_variances[term]
