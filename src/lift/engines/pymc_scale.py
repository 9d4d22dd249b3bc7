"""Coordinates in which a sampler sees coefficients whose common scale is unknown.

A coefficient ``b ~ N(mu, sd)`` with ``sd`` unknown makes a funnel: where the data say little ``b``
moves on the scale of ``sd``, where they say much on that of their own error ``s`` about their
estimate. Given the scale the posterior is about normal with

    variance  t^2 = 1 / (1 / sd^2 + 1 / s^2),     mean  m = t^2 (mu / sd^2 + estimate / s^2),

so that ``(b - m) / t`` is about standard normal whatever ``sd`` is. That is the coordinate. It is
non-centred where ``sd`` is small and centred where it is large. Estimate and error are rough (a
regression of first differences) and need not be right: they are a choice of coordinates, and the
density of ``b`` is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.transforms import Transform

from lift.model.design import Design
from lift.model.response import kernel_days

FloatArray = NDArray[np.float64]
type Tensor = Any
"""A PyTensor variable; PyMC gives it no static type."""

WIDE = {"control": 1.0, "post": 3.0}
"""Sd (log units) of a weak prior that keeps the regression solvable."""


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
    """What a regression of first differences says of controls and posts.

    Attributes
    ----------
    control, control_error : ndarray, shape (controls,)
    amplitude, amplitude_error : ndarray, shape (posts,)
    influencer, influencer_error : ndarray, shape (influencers,)
    """

    control: FloatArray
    control_error: FloatArray
    amplitude: FloatArray
    amplitude_error: FloatArray
    influencer: FloatArray
    influencer_error: FloatArray


def guesses(design: Design) -> Guesses:
    """Return rough estimates of controls, amplitudes and influencers, and their errors.

    The kernel and the elasticity in views are at their prior means.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Guesses
    """
    seen = np.flatnonzero(design.observed)
    counts = design.likelihood == "negative_binomial"
    outcome = np.log(np.maximum(design.downloads, 0.5)) if counts else design.outcome
    outcome = np.diff(outcome[seen])
    columns = [block.columns for block in design.blocks]
    prior = [
        np.where(np.isnan(block.prior_sd), WIDE["control"], block.prior_sd)
        for block in design.blocks
    ]
    n_posts = len(design.posts.ids)
    if n_posts:
        columns.append(_responses(design))
        prior.append(np.full(n_posts, WIDE["post"]))
    empty = np.empty(0)
    if not columns:
        return Guesses(empty, empty, empty, empty, empty, empty)
    steps = np.diff(np.column_stack(columns)[seen], axis=0)
    precision = np.diag(1.0 / np.concatenate(prior) ** 2)
    # twice: the second time with the size of what the first leaves over
    variance = float(outcome.var()) + 1e-6
    for _ in range(2):
        covariance = np.linalg.inv(precision + steps.T @ steps / variance)
        estimate = covariance @ (steps.T @ outcome) / variance
        variance = float(((outcome - steps @ estimate) ** 2).mean()) + 1e-6
    error = np.sqrt(np.diag(covariance))
    n_fixed = len(error) - n_posts
    controls = np.flatnonzero(
        np.concatenate([np.full(len(b.labels), b.name == "control") for b in design.blocks])
        if design.blocks
        else []
    )
    posts = estimate[n_fixed:], error[n_fixed:]
    return Guesses(estimate[controls], error[controls], *posts, *_influencers(design, *posts))


def _influencers(
    design: Design, amplitude: FloatArray, error: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how far the posts of each influencer lie from all, and the error of that."""
    estimates, errors = [], []
    for i in range(len(design.posts.influencers) if len(amplitude) else 0):
        own = design.posts.influencer == i
        spread = np.var(amplitude) + np.mean(error[own] ** 2)
        estimates.append(np.mean(amplitude[own]) - np.mean(amplitude))
        errors.append(np.sqrt(spread / own.sum()))
    return np.array(estimates), np.array(errors)


def _responses(design: Design) -> FloatArray:
    """Return the response to each post of amplitude 1, shape (n, posts)."""
    posts = design.posts
    hypers = {hyper.name: hyper for hyper in design.hypers}
    scale, shape = np.exp(hypers["first_day"].first), np.exp(hypers["log_shape"].first)
    elasticity = hypers["views_elasticity"].first if "views_elasticity" in hypers else 0.0
    gain = np.exp(elasticity * posts.log_views + posts.log_size)
    n = len(design.dates)
    out = np.zeros((n, len(posts.ids)))
    for j, day in enumerate(posts.day.tolist()):
        shares = kernel_days(scale, shape, float(posts.fraction[j]), design.window_days)
        n_days = min(design.window_days, n - day)
        out[day : day + n_days, j] = gain[j] * shares[:n_days]
    return out
