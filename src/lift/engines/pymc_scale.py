"""Coordinates in which a sampler sees scales, and coefficients whose common scale is unknown.

A scale with an exponential prior has the standard normal coordinate of its quantile, which has
lighter tails than its log.

A coefficient ``b ~ N(mu, sd)`` with ``sd`` unknown makes a funnel: where the data say little ``b``
moves on the scale of ``sd``, where they say much on that of their own error ``s`` about their
estimate. Given the scale the posterior is about normal with

    variance  t^2 = 1 / (1 / sd^2 + 1 / s^2),     mean  m = t^2 (mu / sd^2 + estimate / s^2),

so that ``(b - m) / t`` is about standard normal whatever ``sd`` is. That is the coordinate. It is
non-centred where ``sd`` is small and centred where it is large. Estimate and error are rough (a
regression without hierarchy) and need not be right: they are a choice of coordinates, and the
density of ``b`` is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.dist_math import normal_lccdf
from pymc.logprob.transforms import Transform
from scipy.fft import dst
from scipy.optimize import minimize

from lift.model.design import Design
from lift.model.response import kernel_days

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""

WIDE = {"control": 1.0, "post": 3.0}
"""Sd of a weak prior that keeps the regression solvable: in log units, in prior sds of a mean."""
EARLY_DAYS = 7
"""Days of a response that the data tell of. What comes later is spread over so many days that it
cannot be told from the level, and moves with the kernel."""
LEAST_SHARE = 1e-3
"""Added to the share of the response on those days, which a post just before midnight may lack."""
KERNEL = ("first_day", "log_shape")
KERNEL_SDS, STEPS = 3.0, 40
"""Prior sds within which the kernel is looked for, and steps after which it is good enough."""


class ExponentialScore(Transform):  # type: ignore[misc]
    """The standard normal coordinate of a variable with an exponential prior."""

    name = "score"
    ndim_supp = 0

    def forward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the coordinate of a value."""
        times = value / inputs[-1]
        below, above = -pt.expm1(-times), pt.exp(-times)
        tail = np.sqrt(2.0) * pt.erfcinv(2.0 * pt.minimum(below, above))
        rough = pt.switch(below < above, -tail, tail)
        # PyTensor's inverse is good to seven digits; a step of Newton's makes them all
        slope = pt.exp(self.log_jac_det(rough, *inputs))
        return rough - (self.backward(rough, *inputs) - value) / slope

    def backward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the value at a coordinate."""
        return -inputs[-1] * normal_lccdf(0.0, 1.0, value)

    def log_jac_det(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the log of the derivative of the value by its coordinate."""
        scale = inputs[-1]
        log_density = -0.5 * value**2 - 0.5 * np.log(2.0 * np.pi)
        return log_density + pt.log(scale) + self.backward(value, *inputs) / scale


class ScaledNormal(Transform):  # type: ignore[misc]
    """The coordinate of a normal variable whose sd is unknown.

    Parameters
    ----------
    estimate, error : ndarray
        What the data alone say of the variable, roughly, and their standard error.
    """

    name = "scaled"
    ndim_supp = 0

    def __init__(self, estimate: FloatArray, error: FloatArray) -> None:
        self.estimate = np.asarray(estimate, dtype=np.float64)
        self.error = np.asarray(error, dtype=np.float64)

    def _moments(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        mean, sd = inputs[-2:]
        share = self.error**2 / (sd**2 + self.error**2)
        return share * mean + (1.0 - share) * self.estimate, sd * pt.sqrt(share)

    def forward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the coordinate of a value."""
        mean, sd = self._moments(inputs)
        return (value - mean) / sd

    def backward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the value at a coordinate."""
        mean, sd = self._moments(inputs)
        return mean + sd * value

    def log_jac_det(self, value: Tensor, *inputs: Tensor) -> Tensor:
        """Return the log of the derivative of the value by its coordinate."""
        return pt.log(self._moments(inputs)[1]) + pt.zeros_like(value)


@dataclass(frozen=True, eq=False)
class Guesses:
    """What a regression without hierarchy says of controls and posts.

    Attributes
    ----------
    control, control_error : ndarray, shape (controls,)
    early, early_error : ndarray, shape (posts,)
        Of the response to each post on its :func:`early_days`, log-lift-days.
    influencer, influencer_error : ndarray, shape (influencers,)
        Of their deviations; in logs where amplitudes are positive only.
    """

    control: FloatArray
    control_error: FloatArray
    early: FloatArray
    early_error: FloatArray
    influencer: FloatArray
    influencer_error: FloatArray


def guesses(design: Design) -> Guesses:
    """Return rough estimates of controls, impulses and influencers, and their errors.

    A regression with a weak prior on every coefficient. Noise, level and kernel are where they
    explain most, the kernel weighed against its prior; the elasticity in views is at its prior
    mean. The noise of all days is taken to have one variance, so that sine waves decorrelate the
    first differences (:mod:`lift.engines.pymc_level`); a day that was not observed is put on the
    straight line between its neighbours.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Guesses
    """
    n_posts = len(design.posts.ids)
    prior = [
        np.where(np.isnan(block.prior_sd), WIDE["control"], block.prior_sd)
        for block in design.blocks
    ]
    prior.append(np.full(n_posts, WIDE["post"] * np.linalg.norm(design.posts.group_sd)))
    sds = np.concatenate(prior)
    if not len(sds):
        return Guesses(*[np.empty(0)] * 6)
    outcome, fixed = _waves(_complete(design)), _waves(design.fixed)
    kernel = [hyper for hyper in design.hypers if hyper.name in KERNEL and n_posts]
    means = np.array([hyper.first for hyper in kernel])
    spread = np.array([hyper.second for hyper in kernel])

    def regression(point: FloatArray) -> _Regression:
        columns = fixed
        if n_posts:
            columns = np.column_stack(
                [fixed, _waves(_responses(design, means + spread * point[2:]))]
            )
        noise, step = np.exp(2.0 * point[:2])
        return _regression(columns, outcome, sds, noise, step)

    size = float(np.log(np.std(outcome)))
    found = minimize(
        lambda z: 0.5 * float(z[2:] @ z[2:]) - regression(z).log_likelihood,
        np.array([size - 1.0, size - 2.0, *np.zeros(len(kernel))]),
        method="L-BFGS-B",
        bounds=[(size - 7.0, size + 1.0)] * 2 + [(-KERNEL_SDS, KERNEL_SDS)] * len(kernel),
        options={"maxiter": STEPS},
    )
    best = regression(found.x)
    names = [block.name for block in design.blocks for _ in block.labels]
    controls = [i for i, name in enumerate(names) if name == "control"]
    if not n_posts:
        return Guesses(best.estimate[controls], best.error[controls], *[np.empty(0)] * 4)
    impulse, error = best.estimate[len(names) :], best.error[len(names) :]
    people = _influencers(design, impulse, error)
    kernels = _shares(design, means + spread * found.x[2:])
    share = LEAST_SHARE + (kernels * early_days(design)).sum(axis=1)
    early = share * impulse, share * error
    return Guesses(best.estimate[controls], best.error[controls], *early, *people)


def positive(estimate: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what an estimate says of the log of something that is positive, and its error.

    With a flat prior on the log the density of ``u = log x`` is ``exp(u) N(e^u; estimate, error)``.
    It is highest at ``x = (estimate + sqrt(estimate^2 + 4 error^2)) / 2``: the estimate where that
    is many errors, below one error where the estimate is below zero. The error of the log there is
    ``error / x``.

    Parameters
    ----------
    estimate, error : ndarray

    Returns
    -------
    log_estimate, log_error : ndarray
    """
    size = 0.5 * (estimate + np.hypot(estimate, 2.0 * error))
    return np.log(size), error / size


def early_days(design: Design) -> NDArray[np.bool_]:
    """Return the days of each response that the data tell of, shape (posts, window_days).

    The observed ones of the first ``EARLY_DAYS``; all of those where none was observed.
    """
    lag = np.arange(design.window_days)
    day = design.posts.day[:, None] + lag
    n = len(design.dates)
    first = np.broadcast_to(lag < EARLY_DAYS, day.shape)
    seen = first & (day < n) & design.observed[np.minimum(day, n - 1)]
    return np.where(seen.any(axis=1)[:, None], seen, first)


@dataclass(frozen=True, eq=False)
class _Regression:
    estimate: FloatArray
    error: FloatArray
    log_likelihood: float


def _regression(
    columns: FloatArray, outcome: FloatArray, prior_sd: FloatArray, noise: float, step: float
) -> _Regression:
    """Return the regression of sine waves, the coefficients integrated out of the likelihood."""
    k = np.arange(1, len(outcome) + 1)
    variance = step + noise * (2.0 - 2.0 * np.cos(np.pi * k / (len(outcome) + 1)))
    weighted = columns / variance[:, None]
    covariance = np.linalg.inv(np.diag(1.0 / prior_sd**2) + columns.T @ weighted)
    estimate = covariance @ (weighted.T @ outcome)
    rest = outcome - columns @ estimate
    log_likelihood = -0.5 * (
        np.log(variance).sum()
        + (rest**2 / variance).sum()
        + (estimate**2 / prior_sd**2).sum()
        - np.linalg.slogdet(covariance)[1]
    )
    return _Regression(estimate, np.sqrt(np.diag(covariance)), float(log_likelihood))


def _complete(design: Design) -> FloatArray:
    """Return the outcome (of counts their log), days not observed filled in, shape (n,)."""
    counts = design.likelihood == "negative_binomial"
    values = np.log(np.maximum(design.downloads, 0.5)) if counts else design.outcome
    seen = np.flatnonzero(design.observed)
    return np.interp(np.arange(len(values)), seen, values[seen])


def _waves(columns: FloatArray) -> FloatArray:
    """Return the sine waves of first differences of columns, shape (n - 1, ...)."""
    return np.asarray(dst(np.diff(columns, axis=0), type=1, norm="ortho", axis=0))


def _influencers(
    design: Design, impulse: FloatArray, error: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how far the posts of each influencer lie from all, and the error of that.

    In logs where amplitudes are positive only.
    """
    gain = _gain(design)
    amplitude, error = impulse / gain, error / gain
    if design.typical_amplitude is not None:
        amplitude, error = positive(amplitude, error)
    estimates, errors = [], []
    for i in range(len(design.posts.influencers)):
        own = design.posts.influencer == i
        spread = np.var(amplitude) + np.mean(error[own] ** 2)
        estimates.append(np.mean(amplitude[own]) - np.mean(amplitude))
        errors.append(np.sqrt(spread / own.sum()))
    return np.array(estimates), np.array(errors)


def _gain(design: Design) -> FloatArray:
    """Return the impulse of a post of amplitude 1, the elasticity at its prior mean."""
    position = design.position("views_elasticity")
    elasticity = design.hypers[position].first if position >= 0 else 0.0
    return np.asarray(np.exp(elasticity * design.posts.log_views + design.posts.log_size))


def _shares(design: Design, kernel: FloatArray) -> FloatArray:
    """Return the kernel of each post, shape (posts, window_days)."""
    posts = design.posts
    out = np.empty((len(posts.ids), design.window_days))
    for j in range(len(posts.ids)):
        scale, shape = np.exp(kernel[posts.kernel_group[j]]), np.exp(kernel[-1])
        out[j] = kernel_days(scale, shape, float(posts.fraction[j]), design.window_days)
    return out


def _responses(design: Design, kernel: FloatArray) -> FloatArray:
    """Return the response to each post of impulse 1, shape (n, posts)."""
    n = len(design.dates)
    out = np.zeros((n, len(design.posts.ids)))
    for j, (day, shares) in enumerate(zip(design.posts.day, _shares(design, kernel), strict=True)):
        n_days = min(design.window_days, n - int(day))
        out[day : day + n_days, j] = shares[:n_days]
    return out
