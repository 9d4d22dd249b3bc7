"""How users that posts bring are retained, from the retention rates of whole cohorts.

A day's installs are a mixture: a share ``w_t`` of them was brought by posts, the rest came anyway.
Days with a large share tell how those that posts brought are retained. Where posts kept people
away the share is 0: whoever came, came anyway, and was retained so::

    active_t ~ BetaBinomial(installs_t, R_t, kappa),   R_t = (1 - w_t) R0_t + w_t Rinc_t
    logit R0_t = a + drift_t + week_t,   logit Rinc_t = logit R0_t + delta

``drift`` is a random walk over knots a fortnight or more apart, straight between them. The shares
come from the posterior of the downloads, draw by draw, and the retention rates do not change what
is believed of the downloads: a modular ("cut") posterior (Plummer 2015,
doi:10.1007/s11222-014-9503-z). Given a draw of the shares, the rest is drawn by importance
resampling about the modes at a few values of the drift (Rubin 1988, "Using the SIR algorithm to
simulate posterior distributions").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln

from lift.model.baseline import weekday_contrasts

FloatArray = NDArray[np.float64]

LEVEL_SD = 3.0
"""Prior sd of the log-odds of organic retention about evens."""
DELTA_SD = 0.7
"""Prior sd of the log odds ratio of post-driven to organic retention (95 % from 1/4 to 4)."""
WEEK_SD = 0.2
"""Prior sd of a weekday contrast of retention (log-odds)."""
DRIFT = {0.02: 0.1, 0.05: 0.2, 0.1: 0.4, 0.2: 0.2, 0.4: 0.1}
"""Prior probabilities of the sd by which organic retention drifts in 30 days (log-odds)."""
KAPPA = (float(np.log(300.0)), 2.0)
"""Prior mean and sd of log kappa; a day's rate varies by ``sqrt(R (1 - R) / (kappa + 1))``."""
KNOT_DAYS, MAX_KNOTS = 14, 10
T_DF = 7.0
N_STEPS, N_OWN_STEPS = 60, 3
"""Scoring steps to the mode for the mean of the shares, and from there for each draw of them."""
EDGE = 1e-9
MAX_VALUES = 2**21
"""Numbers held at a time while proposals are weighed."""


@dataclass(frozen=True, eq=False)
class RateDraws:
    """Draws of the retention on one day after the install, one for each draw of the shares.

    Attributes
    ----------
    organic, incremental : ndarray, shape (n_draws, n_dates)
        Expected share of the installs of a date that is active: of those that came anyway, and of
        those that posts brought.
    delta : ndarray, shape (n_draws,)
        Log odds ratio of the two.
    kappa : ndarray, shape (n_draws,)
        Concentration of the days' rates; large where they vary little beyond chance.
    n_cohorts : int
        Cohorts that were used.
    efficiency : float
        Mean effective share of the proposals, in (0, 1].
    """

    organic: FloatArray
    incremental: FloatArray
    delta: FloatArray
    kappa: FloatArray
    n_cohorts: int
    efficiency: float


@dataclass(frozen=True, eq=False)
class _Model:
    """The observed cohorts and the columns of organic retention, rows for every date."""

    installs: FloatArray
    active: FloatArray
    seen: NDArray[np.bool_]
    walk: FloatArray  # (n_dates, n_knots - 1): steps of the walk cumulated, of sd 1 in 30 days
    week: FloatArray  # (n_dates, 6)

    @property
    def prior_sd(self) -> FloatArray:
        n_walk, n_week = self.walk.shape[1], self.week.shape[1]
        return np.array([LEVEL_SD, *[1.0] * n_walk, *[WEEK_SD] * n_week, DELTA_SD])


def draw_rates(
    share: FloatArray,
    installs: FloatArray,
    active: FloatArray,
    weekday: NDArray[np.int64],
    rng: np.random.Generator,
    n_proposals: int = 12,
) -> RateDraws:
    """Return draws of organic and post-driven retention.

    Parameters
    ----------
    share : ndarray, shape (n_draws, n_dates)
        Draws of the share of each date's installs that posts brought, at most 1; negative where
        posts kept people away, which counts as 0.
    installs, active : ndarray, shape (n_dates,), people
        NaN where not observed.
    weekday : ndarray of int, shape (n_dates,)
        0 is Monday.
    rng : Generator
    n_proposals : int
        Proposals per draw and value of the drift; one of them all is taken by its weight.

    Returns
    -------
    RateDraws
    """
    seen = np.isfinite(installs) & np.isfinite(active) & (installs > 0)
    model = _Model(
        installs=installs[seen],
        active=active[seen],
        seen=seen,
        walk=_walk(len(installs), np.flatnonzero(seen)),
        week=weekday_contrasts()[weekday],
    )
    own = np.maximum(share[:, seen], 0.0)
    n_draws, dim = len(share), len(model.prior_sd) + 1
    n_all = n_proposals * len(DRIFT)
    points = np.empty((n_draws, n_all, dim))
    log_weight = np.empty((n_draws, n_all))
    middle = _start(model)[None]
    for g, (drift, prior) in enumerate(DRIFT.items()):
        part = slice(g * n_proposals, (g + 1) * n_proposals)
        middle, _ = _mode(model, drift, own.mean(axis=0)[None], middle, N_STEPS)
        found = _propose(model, drift, own, np.repeat(middle, n_draws, axis=0), n_proposals, rng)
        points[:, part] = found[0]
        log_weight[:, part] = found[1] + np.log(prior)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    below = np.cumsum(weight, axis=1) < rng.uniform(size=(n_draws, 1))
    taken = np.minimum(below.sum(axis=1), n_all - 1)
    chosen = points[np.arange(n_draws), taken]
    drifts = np.array(list(DRIFT))[taken // n_proposals]
    organic = _organic(model, drifts, chosen, slice(None))
    return RateDraws(
        organic=expit(organic),
        incremental=expit(organic + chosen[:, -2, None]),
        delta=chosen[:, -2],
        kappa=np.exp(chosen[:, -1]),
        n_cohorts=int(seen.sum()),
        efficiency=float((1.0 / (weight**2).sum(axis=1)).mean() / n_all),
    )


def _walk(n_dates: int, seen: NDArray[np.intp]) -> FloatArray:
    """Return what each step of the random walk adds to each date, per unit of its 30-day sd."""
    if not len(seen):
        return np.zeros((n_dates, 0))
    first, last = int(seen[0]), int(seen[-1])
    n_steps = min(MAX_KNOTS - 1, (last - first) // KNOT_DAYS)
    if n_steps < 1:
        return np.zeros((n_dates, 0))
    width = (last - first) / n_steps
    starts = first + width * np.arange(n_steps)
    done = np.clip((np.arange(n_dates)[:, None] - starts) / width, 0.0, 1.0)
    return np.asarray(done * np.sqrt(width / 30.0))


def _start(model: _Model) -> FloatArray:
    """Return a point from which the mode can be reached: the pooled rate, no drift."""
    rate = (model.active.sum() + 0.5) / (model.installs.sum() + 1.0)
    point = np.zeros(len(model.prior_sd) + 1)
    point[0] = np.log(rate / (1.0 - rate))
    point[-1] = KAPPA[0]
    return point


def _propose(
    model: _Model,
    drift: float,
    share: FloatArray,
    start: FloatArray,
    n_proposals: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return points (draw, proposal, dim) from t distributions about the modes, and log weights."""
    mode, curvature = _mode(model, drift, share, start, N_OWN_STEPS)
    n_draws, dim = mode.shape
    # If H = L L', then inv(L)' z has the covariance inv(H).
    lower = np.linalg.cholesky(curvature)
    root = np.linalg.inv(lower).transpose(0, 2, 1)
    log_root = -np.log(np.einsum("dii->di", lower)).sum(axis=1)
    z = rng.normal(size=(n_draws, n_proposals, dim))
    z *= np.sqrt(T_DF / rng.chisquare(T_DF, size=(n_draws, n_proposals, 1)))
    points = mode[:, None] + np.einsum("dij,dkj->dki", root, z)
    log_weight = 0.5 * (T_DF + dim) * np.log1p((z**2).sum(axis=-1) / T_DF) + log_root[:, None]
    block = max(1, MAX_VALUES // (n_proposals * max(1, share.shape[1])))
    for first in range(0, n_draws, block):
        part = slice(first, first + block)
        log_weight[part] += _log_density(model, drift, share[part, None], points[part])
    return points, log_weight


def _organic(
    model: _Model, drift: FloatArray | float, point: FloatArray, rows: slice | NDArray[np.bool_]
) -> FloatArray:
    """Return the log-odds of organic retention on some dates, shape (..., n_rows)."""
    n_walk = model.walk.shape[1]
    steps = point[..., 1 : 1 + n_walk] * np.asarray(drift)[..., None]
    moved = steps @ model.walk[rows].T + point[..., 1 + n_walk : -2] @ model.week[rows].T
    return np.asarray(point[..., :1] + moved)


def _log_density(model: _Model, drift: float, share: FloatArray, point: FloatArray) -> FloatArray:
    """Return the log posterior density of points up to a constant, shape (...)."""
    organic = _organic(model, drift, point, model.seen)
    rate = (1.0 - share) * expit(organic) + share * expit(organic + point[..., -2, None])
    rate = np.clip(rate, EDGE, 1.0 - EDGE)
    kappa = np.exp(point[..., -1, None])
    one, other = kappa * rate, kappa * (1.0 - rate)
    log_likelihood = (
        gammaln(model.active + one)
        - gammaln(one)
        + gammaln(model.installs - model.active + other)
        - gammaln(other)
        + gammaln(kappa)
        - gammaln(model.installs + kappa)
    ).sum(axis=-1)
    prior = -0.5 * ((point[..., :-1] / model.prior_sd) ** 2).sum(axis=-1)
    prior -= 0.5 * ((point[..., -1] - KAPPA[0]) / KAPPA[1]) ** 2
    return np.asarray(log_likelihood + prior)


def _mode(
    model: _Model, drift: float, share: FloatArray, start: FloatArray, n_steps: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mode of each draw and the expected curvature there, by damped scoring."""
    point = start.copy()
    now = _log_density(model, drift, share, point)
    damping = np.full(len(point), 1e-3)
    for _ in range(n_steps):
        gradient, curvature = _slope(model, drift, share, point)
        diagonal = np.einsum("dii->di", curvature)
        damped = curvature.copy()
        np.einsum("dii->di", damped)[...] += damping[:, None] * diagonal
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        moved = point + np.clip(step, -2.0, 2.0)
        new = _log_density(model, drift, share, moved)
        better = new >= now
        point = np.where(better[:, None], moved, point)
        now = np.where(better, new, now)
        damping = np.where(better, damping / 5.0, np.minimum(damping * 5.0, 1e8))
        # The gain that the step promises, in log density.
        if float((gradient * step).sum(axis=1).max()) < 1e-3:
            break
    return point, _slope(model, drift, share, point)[1]


def _slope(
    model: _Model, drift: float, share: FloatArray, point: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return gradient and expected information of the log posterior density at each point."""
    n_walk = model.walk.shape[1]
    walk, week = model.walk[model.seen], model.week[model.seen]
    organic = _organic(model, drift, point, model.seen)
    kappa = np.exp(point[:, -1, None])
    without, brought = expit(organic), expit(organic + point[:, -2, None])
    rate = np.clip((1.0 - share) * without + share * brought, EDGE, 1.0 - EDGE)
    by_delta = share * brought * (1.0 - brought)
    by_organic = (1.0 - share) * without * (1.0 - without) + by_delta
    n_draws, n_days = rate.shape
    columns = np.empty((n_draws, n_days, point.shape[1] - 1))
    columns[..., 0] = by_organic
    columns[..., 1 : 1 + n_walk] = by_organic[..., None] * drift * walk
    columns[..., 1 + n_walk : -1] = by_organic[..., None] * week
    columns[..., -1] = by_delta
    one, other = kappa * rate, kappa * (1.0 - rate)
    for_one = digamma(model.active + one) - digamma(one)
    for_other = digamma(model.installs - model.active + other) - digamma(other)
    information = model.installs * (kappa + 1.0) / (rate * (1.0 - rate) * (kappa + model.installs))
    gradient = np.empty_like(point)
    gradient[:, :-1] = np.einsum("dt,dti->di", kappa * (for_one - for_other), columns)
    both = digamma(kappa) - digamma(model.installs + kappa)
    gradient[:, -1] = (kappa * (rate * for_one + (1.0 - rate) * for_other + both)).sum(axis=1)
    curvature = np.zeros((n_draws, point.shape[1], point.shape[1]))
    curvature[:, :-1, :-1] = np.einsum(
        "dti,dt,dtj->dij", columns, information, columns, optimize=True
    )
    # The variance of a rate is proportional to (kappa + installs) / (kappa + 1).
    spread = kappa / (kappa + model.installs) - kappa / (kappa + 1.0)
    curvature[:, -1, -1] = 0.5 * (spread**2).sum(axis=1) + 1.0 / KAPPA[1] ** 2
    gradient[:, :-1] -= point[:, :-1] / model.prior_sd**2
    index = np.arange(point.shape[1] - 1)
    curvature[:, index, index] += 1.0 / model.prior_sd**2
    gradient[:, -1] -= (point[:, -1] - KAPPA[0]) / KAPPA[1] ** 2
    return gradient, curvature
