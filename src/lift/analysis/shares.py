"""What posts that are active on one day contribute to it: four attributions of one number.

Formulas of days on which responses ``f_j`` add up stand in :mod:`lift.analysis.attribution`. Where
they saturate, with the exposure ``X = sum_j f_j`` and ``F = s(X)``:

- leave-one-out ``Y (1 - exp(s(X - f_j) - s(X)))``;
- add-one-in ``Y exp(-F) (exp(s(f_j)) - 1)``;
- Aumann-Shapley ``Y (1 - exp(-F)) f_j / X``: along the path ``q X`` the game grows by
  ``exp(s(q X)) s'(q X) f_j dq``, of which ``f_j / X`` is the same part everywhere;
- Shapley: the mean over all orders, from the ``2^K`` sets of ``K`` posts.

On the linear scale ``F`` itself takes the place of ``1 - exp(-F)`` and of ``exp(F) - 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from lift.model.saturation import Saturation

FloatArray = NDArray[np.float64]

MAX_ORDERED = 12
"""Posts on one day up to which Shapley values are found where responses saturate: 4,096 sets."""
MAX_SETS = 2**21
"""Sets times draws held at a time: 16 MiB of float64."""


@dataclass(frozen=True)
class Shares:
    """What posts that are active on one day contribute to it, per download of that day.

    Attributes
    ----------
    leave_one_out, add_one_in, aumann_shapley, shapley : ndarray, shape (n_posts, n_draws)
        ``shapley`` is NaN where responses saturate and more than ``MAX_ORDERED`` posts are active.
    total : ndarray, shape (n_draws,)
        Incremental share of the day's downloads of all posts together.
    """

    leave_one_out: FloatArray
    add_one_in: FloatArray
    aumann_shapley: FloatArray
    shapley: FloatArray
    total: FloatArray


@dataclass(frozen=True, eq=False)
class Rule:
    """How posts act together on a day.

    Attributes
    ----------
    linear : bool
        They add to downloads: shares are in units of the scale, not per download.
    saturation : Saturation or None
        With a limit per draw; None where responses add up.
    """

    linear: bool = False
    saturation: Saturation | None = None

    def lift(self, exposure: FloatArray) -> FloatArray:
        """Return what posts of some exposure add together."""
        return exposure if self.saturation is None else self.saturation.together(exposure)

    def of_draws(self, part: slice) -> Rule:
        """Return the rule for some of the draws."""
        return self if self.saturation is None else Rule(self.linear, self.saturation.some(part))

    def left_out(self, own: FloatArray, whole: FloatArray) -> FloatArray:
        """Return what a day would lack without posts of the exposure ``own`` of the whole."""
        saturation = self.saturation
        lift = own if saturation is None else saturation.gained(own, whole - own)
        return lift if self.linear else -np.expm1(-lift)

    def alone(self, own: FloatArray, whole: FloatArray) -> FloatArray:
        """Return what posts of the exposure ``own`` would have added by themselves."""
        lift = self.lift(own)
        return lift if self.linear else -np.expm1(-lift) * np.exp(lift - self.lift(whole))


ADDITIVE = Rule()
"""Posts multiply downloads, their responses add up."""


def day_shares(exposures: FloatArray, rule: Rule = ADDITIVE) -> Shares:
    """Return the four attributions of one day.

    Parameters
    ----------
    exposures : ndarray, shape (n_posts, n_draws)
        Responses of the posts that are active, of either sign: log-lifts, or on the linear scale
        in its units.
    rule : Rule

    Returns
    -------
    Shares
        Of each download of the day; on the linear scale in its units.
    """
    whole = exposures.sum(axis=0)
    if rule.linear and rule.saturation is None:
        return Shares(exposures, exposures, exposures, exposures, whole)
    total = rule.left_out(whole, whole)
    if len(exposures) == 1:
        return Shares(total[None], total[None], total[None], total[None], total)
    slope = np.where(whole == 0.0, 1.0, total / np.where(whole == 0.0, 1.0, whole))
    left_out = rule.left_out(exposures, whole)
    return Shares(
        leave_one_out=left_out,
        add_one_in=rule.alone(exposures, whole),
        aumann_shapley=exposures * slope,
        shapley=_of_factors(left_out) if rule.saturation is None else _of_sets(exposures, rule),
        total=total,
    )


def _of_factors(alone: FloatArray) -> FloatArray:
    """Return exact Shapley values of the game ``v(S) = 1 - prod_{i not in S} (1 - alone_i)``.

    By the multilinear extension (Owen 1972, doi:10.1287/mnsc.18.5.64) the value of post j is
    ``alone_j int_0^1 prod_{i != j} (1 - q alone_i) dq``. The integrand is a polynomial of degree
    K - 1 in q, which ``ceil(K / 2)`` Gauss-Legendre nodes integrate exactly. Every factor is at
    least ``1 - q > 0``, so the product over the others is the whole product over one's own factor.
    """
    nodes, weights = np.polynomial.legendre.leggauss((len(alone) + 1) // 2)
    mean = np.zeros_like(alone)
    for q, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        factors = 1.0 - q * alone
        mean += weight * factors.prod(axis=0) / factors
    return alone * mean


def _of_sets(exposures: FloatArray, rule: Rule) -> FloatArray:
    """Return exact Shapley values of the game ``v(S) = exp(s(sum_S f) - F) - exp(-F)``.

    On the linear scale of ``v(S) = s(sum_S f)``. From the value of every set: a set without post j
    is met in ``|S|! (K - |S| - 1)! / K!`` of all orders just before it, where ``v(S + j) - v(S)``
    is counted.
    """
    n_posts, n_draws = exposures.shape
    if n_posts > MAX_ORDERED:
        return np.full_like(exposures, np.nan)
    within = (np.arange(2**n_posts) >> np.arange(n_posts)[:, None]) & 1 == 1
    size = within.sum(axis=0)
    met = np.array(
        [factorial(k) * factorial(n_posts - 1 - k) / factorial(n_posts) for k in range(n_posts)]
    )
    # with post j a set counts as the end of an order's step, without it as the beginning
    weight = np.where(within, met[size - 1], -met[np.minimum(size, n_posts - 1)])
    out = np.empty_like(exposures)
    step = max(1, MAX_SETS >> n_posts)
    for start in range(0, n_draws, step):
        part = slice(start, min(start + step, n_draws))
        some = rule.of_draws(part)
        # sums of all sets: each post in turn is added to those made so far
        sums = np.zeros((1, part.stop - start))
        for own in exposures[:, part]:
            sums = np.concatenate([sums, sums + own])
        value = some.lift(sums)
        if not rule.linear:
            value = np.exp(value - value[-1])
        out[:, part] = weight @ value
    return out
