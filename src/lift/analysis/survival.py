"""Survival of users: the shifted-beta-geometric curve and its fit to some days' retention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, expit, logit

FloatArray = NDArray[np.float64]

DISCREPANCY_SD = 0.1
"""How far true retention lies from the curve, sd in log-odds: a tenth of the odds."""

LOG_ALPHA = (float(np.log(0.5)), 0.7)
LOG_BETA = (float(np.log(0.25)), 1.0)
"""Normal priors (mean, sd) of the parameters of the curve: medians of 33 % active on day 1 (95 %
from 4 to 84 %) and 6 % on day 30. They decide only what fewer than two days leave open."""

N_STEPS = 40
EDGE = 1e-6


def survival(alpha: FloatArray, beta: FloatArray, age_days: FloatArray) -> FloatArray:
    """Return the share of users that have not left by an age.

    Each user leaves at the end of a day with a probability of his own, drawn once from
    ``Beta(alpha, beta)``: ``S(t) = B(alpha, beta + t) / B(alpha, beta)``.

    Parameters
    ----------
    alpha, beta : ndarray, shape (n_draws,)
        Positive.
    age_days : ndarray, shape (n_ages,)
        0 or more.

    Returns
    -------
    ndarray, shape (n_draws, n_ages)
        In (0, 1]; one at age 0, falling.

    References
    ----------
    Fader & Hardie 2007, doi:10.1002/dir.20074: ``S(t) / S(t - 1) = (beta + t - 1) /
    (alpha + beta + t - 1)``.
    """
    a, b = np.asarray(alpha)[:, None], np.asarray(beta)[:, None]
    return np.asarray(np.exp(betaln(a, b + np.asarray(age_days)) - betaln(a, b)))


@dataclass(frozen=True, eq=False)
class Curve:
    """Draws of a shifted-beta-geometric retention curve.

    Attributes
    ----------
    alpha, beta : ndarray, shape (n_draws,)
    shift : ndarray, shape (n_draws,)
        Log-odds by which days that were not observed lie off the curve.
    days : tuple of int
        The observed days that it was fitted to.
    misfit : float
        Largest distance of a mean observed rate from the fitted mean curve (log-odds).
    """

    alpha: FloatArray
    beta: FloatArray
    shift: FloatArray
    days: tuple[int, ...]
    misfit: float

    def at(self, age_days: FloatArray) -> FloatArray:
        """Return the share of users alive at some ages, shape (n_draws, n_ages); 1 at age 0."""
        ages = np.asarray(age_days, dtype=np.float64)
        share = survival(self.alpha, self.beta, ages)
        moved = expit(logit(np.clip(share, EDGE**2, 1 - EDGE)) + self.shift[:, None])
        return np.where(ages == 0, 1.0, moved)


def fit_curve(days: tuple[int, ...], rates: FloatArray, rng: np.random.Generator) -> Curve:
    """Return draws of the retention curve given draws of the rates on some days.

    Every draw of the rates is moved by a draw of the curve's discrepancy, its prior means by a
    draw of the prior, and the curve is fitted to that: least squares on the log-odds, weighted by
    ``1 / (variance of the rate + DISCREPANCY_SD^2)`` (randomise, then optimise). The draws keep
    their places, so that what depends on the rates and on the curve stays paired.

    Parameters
    ----------
    days : tuple of int
        At least one, each 1 or more.
    rates : ndarray, shape (n_draws, n_days)
        In (0, 1).
    rng : Generator

    Returns
    -------
    Curve

    References
    ----------
    Bardsley, Solonen, Haario & Laine 2014, doi:10.1137/140964023 (randomise-then-optimise).
    """
    n_draws = len(rates)
    target = logit(np.clip(rates, EDGE, 1 - EDGE))
    weight = 1.0 / (target.var(axis=0) + DISCREPANCY_SD**2)
    means, sds = np.array([LOG_ALPHA, LOG_BETA]).T
    noise = DISCREPANCY_SD * rng.normal(size=target.shape)
    prior = means + sds * rng.normal(size=(n_draws, 2))
    ages = np.array(days, dtype=np.float64)
    fitted = _least_squares(ages, target + noise, weight, prior, sds)
    middle = _least_squares(ages, target.mean(axis=0)[None], weight, means[None], sds)
    off = _log_odds(middle, ages)[0] - target.mean(axis=0)
    return Curve(
        alpha=np.exp(fitted[:, 0]),
        beta=np.exp(fitted[:, 1]),
        shift=DISCREPANCY_SD * rng.normal(size=n_draws),
        days=days,
        misfit=float(np.abs(off).max()),
    )


def _log_odds(log_parameters: FloatArray, ages: FloatArray) -> FloatArray:
    share = survival(np.exp(log_parameters[:, 0]), np.exp(log_parameters[:, 1]), ages)
    return np.asarray(logit(np.clip(share, EDGE**2, 1 - 1e-12)))


def _least_squares(
    ages: FloatArray, target: FloatArray, weight: FloatArray, prior: FloatArray, sds: FloatArray
) -> FloatArray:
    """Return the best (log alpha, log beta) of each draw, by damped Gauss-Newton steps."""
    point = prior.copy()

    def cost(at: FloatArray) -> FloatArray:
        data = (weight * (_log_odds(at, ages) - target) ** 2).sum(axis=1)
        return np.asarray(data + (((at - prior) / sds) ** 2).sum(axis=1))

    now = cost(point)
    damping = np.full(len(point), 1e-3)
    for _ in range(N_STEPS):
        a, b = np.exp(point[:, :1]), np.exp(point[:, 1:])
        share = np.clip(survival(a[:, 0], b[:, 0], ages), EDGE**2, 1 - 1e-12)
        both = digamma(a + b) - digamma(a + b + ages)
        slope = np.stack([a * both, b * (both + digamma(b + ages) - digamma(b))], axis=-1)
        slope /= (1.0 - share)[..., None]
        gap = target - logit(share)
        gradient = np.einsum("k,dk,dki->di", weight, gap, slope) + (prior - point) / sds**2
        curvature = np.einsum("k,dki,dkj->dij", weight, slope, slope) + np.diag(1 / sds**2)
        diagonal = np.einsum("dii->di", curvature)
        damped = curvature + np.einsum("di,ij->dij", damping[:, None] * diagonal, np.eye(2))
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        moved = np.clip(point + np.clip(step, -2.0, 2.0), -12.0, 12.0)
        new = cost(moved)
        better = new <= now
        point = np.where(better[:, None], moved, point)
        now = np.where(better, new, now)
        damping = np.where(better, damping / 5.0, damping * 5.0)
        if np.abs(step).max() < 1e-7:
            break
    return point
