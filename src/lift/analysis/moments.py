"""Prior and posterior covariance of the posts' amplitudes, averaged over the hyperparameters.

Given the hyperparameters ``theta`` the amplitudes ``b`` have the prior N(0, C) and the posterior
N(m, V), both Gaussian. The covariance of the draws is not V: by the law of total covariance
``Cov(b) = E[V(theta)] + Cov(m(theta))``, and the second term has no counterpart in C. So what is
compared are averages over the posterior of theta: ``E[V]``, the covariance of what is left of the
draws after regression on functions of the hyperparameters (which stand for ``m(theta)``), and
``E[C]``, which has a closed form. What the regression misses stays in ``E[V]``: the data are
credited with less, not more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lift.errors import RunError
from lift.model.markets_spec import MARKET_SCALARS
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec
from lift.model.states import STATE_SCALARS

FloatArray = NDArray[np.float64]

HYPERPARAMETERS = (
    "noise_sd",
    "noise_df",
    "level_sd",
    "control_sd",
    "amplitude_sd",
    "influencer_sd",
    "views_elasticity",
    "first_day_share",
    "kernel_shape",
    "displacement",
    "saturation_limit",
    "free_sd",
    "market_sd",
    *MARKET_SCALARS,
    *STATE_SCALARS,
    "control_step_sd",
)
OVERALL = "all"
# Draws per regressor that the average over the hyperparameters takes.
DRAWS_PER_TERM = 10
LEAST_VARIANCE = 1e-10
"""Of a direction, as a part of that of all amplitudes together: what the prior knows better is
taken as known this well, before and after, so that it can be divided by."""


@dataclass(frozen=True)
class AmplitudeMoments:
    """Prior and posterior of the amplitudes, averaged over the hyperparameters.

    Attributes
    ----------
    mean : ndarray, shape (J,), log-lift-days at reference views
        Posterior mean; the prior mean is 0.
    posterior : ndarray, shape (J, J)
        ``E[Cov(b | theta, y)]``.
    prior : ndarray, shape (J, J)
        ``E[Cov(b | theta)]``, theta from the posterior.
    """

    mean: FloatArray
    posterior: FloatArray
    prior: FloatArray


def group_membership(posterior: Posterior) -> FloatArray:
    """Return which overall and group means enter each post's amplitude, shape (J, G).

    Raises
    ------
    RunError
        If the run does not store an attribute that its model groups posts by, or its engine does
        not pool posts.
    """
    posts = posterior.posts
    labels = posterior.groups
    columns: list[FloatArray] = []
    for label in labels:
        attribute, _, level = label.partition("=")
        if label == OVERALL:
            columns.append(np.ones(len(posts)))
        elif attribute in posts:
            same = posts[attribute].to_numpy(dtype=str) == level
            columns.append(same.astype(np.float64))
        else:
            raise RunError(f"the run must store the {attribute} of its posts; fit it again")
    return np.column_stack(columns)


def amplitude_moments(posterior: Posterior, spec: ModelSpec) -> AmplitudeMoments:
    """Return prior and posterior covariance of the amplitudes, averaged over hyperparameters.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.

    Returns
    -------
    AmplitudeMoments

    Raises
    ------
    RunError
        If the run does not store an attribute that its model groups posts by, its engine does
        not pool posts, or its amplitudes are positive only.
    """
    if "typical_amplitude" in posterior.attrs:
        raise RunError(
            "this compares normal distributions of the amplitudes, and those of this run are "
            "positive only; fit with response.positive_only = false"
        )
    draws = posterior.draws
    amplitude = flat_draws(draws["amplitude"])
    membership = group_membership(posterior)
    sd = np.full(membership.shape[1], spec.response.group_sd)
    sd[[label == OVERALL for label in posterior.groups]] = spec.response.mean_sd
    prior = (membership * sd**2) @ membership.T
    prior += np.mean(flat_draws(draws["amplitude_sd"]) ** 2) * np.eye(len(membership))
    together = _shares_together(posterior)
    prior *= together
    if "market_sd" in draws:
        prior += np.mean(flat_draws(draws["market_sd"]) ** 2) * np.eye(len(membership))
    if "influencer_effect" in draws:
        people = posterior.posts["influencer"].to_numpy(dtype=str)
        pooled = np.isin(people, draws["influencer"].to_numpy().astype(str))
        same = (people[:, None] == people) & pooled[:, None]
        prior += np.mean(flat_draws(draws["influencer_sd"]) ** 2) * same * together
    terms = _orthonormal(_terms(draws, len(amplitude)))
    rest = amplitude - terms @ (terms.T @ amplitude)
    covariance = rest.T @ rest / (len(rest) - terms.shape[1])
    least = LEAST_VARIANCE * float(np.trace(prior))
    if np.linalg.eigvalsh(prior)[0] < least:
        prior += least * np.eye(len(prior))
        covariance += least * np.eye(len(prior))
    return AmplitudeMoments(amplitude.mean(axis=0), covariance, prior)


def _shares_together(posterior: Posterior) -> FloatArray:
    """Return the mean product of the shares that two posts have in the market, shape (J, J)."""
    if "share" not in posterior.posts:
        return np.ones((len(posterior.posts), len(posterior.posts)))
    given = posterior.posts["share"].to_numpy(dtype=np.float64)
    if not np.isnan(given).any():
        return np.outer(given, given)
    spill_over = flat_draws(posterior.draws["spill_over"])
    shares = np.where(np.isnan(given), spill_over[:, None], given)
    return np.asarray(shares.T @ shares / len(shares))


def flat_draws(array: xr.DataArray) -> FloatArray:
    """Return draws with the chains one after the other, shape (chain * draw, ...)."""
    values = array.to_numpy()
    return np.asarray(values.reshape(-1, *values.shape[2:]), dtype=np.float64)


def _terms(draws: xr.Dataset, n_draws: int) -> FloatArray:
    """Return functions of the hyperparameters: ranks in (-1, 1), their squares and cubes."""
    columns: list[FloatArray] = []
    for name in HYPERPARAMETERS:
        if name in draws:
            for values in flat_draws(draws[name]).reshape(n_draws, -1).T:
                if np.ptp(values) > 0.0:
                    ranks = np.empty(n_draws)
                    ranks[np.argsort(values, kind="stable")] = np.arange(n_draws)
                    columns.append(np.asarray((2 * ranks + 1) / n_draws - 1))
    powers = min(3, n_draws // (DRAWS_PER_TERM * max(len(columns), 1)))
    parts = [np.ones(n_draws)]
    parts += [column**power for power in range(1, powers + 1) for column in columns]
    return np.column_stack(parts)


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Return orthonormal columns that span the same space, as many as its rank."""
    basis, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(basis[:, size > size[0] * max(columns.shape) * np.finfo(float).eps])
