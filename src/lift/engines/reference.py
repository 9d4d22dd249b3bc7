"""The plain reference: the same likelihood as the exact engine, written to be read.

Slow on purpose: it builds the covariance matrix of all days. Tests hold the compiled code to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.response import displaced, kernel_days

FloatArray = NDArray[np.float64]


def design_matrix(design: Design, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return all columns of the linear predictor and the prior sd of their coefficients.

    Parameters
    ----------
    design : Design
    values : ndarray, shape (d,)
        Hyperparameters on their own scale.

    Returns
    -------
    columns : ndarray, shape (n, q)
        Baseline, posts' own deviations, group means, influencers.
    prior_sd : ndarray, shape (q,)
    """
    posts = design.posts
    n, n_posts = len(design.dates), len(posts.ids)
    at = {name: design.position(name) for name in {hyper.name for hyper in design.hypers}}
    control_sd = values[at["control_sd"]] if "control_sd" in at else np.nan
    fixed_sd = np.where(np.isnan(design.fixed_sd), control_sd, design.fixed_sd)
    if not n_posts:
        return design.fixed, fixed_sd
    elasticity = values[at["views_elasticity"]] if "views_elasticity" in at else 0.0
    gain = np.exp(elasticity * posts.log_views + posts.log_size)
    response = np.zeros((n, n_posts))
    for j in range(n_posts):
        scale = np.exp(values[at["first_day"] + posts.kernel_group[j]])
        shape = np.exp(values[at["log_shape"]])
        shares = kernel_days(scale, shape, float(posts.fraction[j]), design.window_days)
        if "displacement" in at:
            shares = displaced(shares, values[at["displacement"]], *design.displacement_lags)
        n_days = min(design.window_days, n - int(posts.day[j]))
        response[posts.day[j] : posts.day[j] + n_days, j] = gain[j] * shares[:n_days]
    people = np.equal.outer(posts.influencer, np.arange(len(posts.influencers))).astype(float)
    columns = [design.fixed, response, response @ posts.membership, response @ people]
    influencer_sd = values[at["influencer_sd"]] if "influencer_sd" in at else 0.0
    sds = [
        fixed_sd,
        np.full(n_posts, values[at["amplitude_sd"]]),
        posts.group_sd,
        np.full(len(posts.influencers), influencer_sd),
    ]
    return np.column_stack(columns), np.concatenate(sds)


def moments(design: Design, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return covariance of the observed days, their columns and the coefficients' prior sd.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)
        Standard normal coordinates of the hyperparameters.

    Returns
    -------
    covariance : ndarray, shape (n_observed, n_observed)
        Of level plus noise: ``start_sd^2 + level_sd^2 min(s, t) + diag(noise)``.
    columns : ndarray, shape (n_observed, q)
    prior_sd : ndarray, shape (q,)
    """
    values = natural(z[None], design.hypers, design.mix)[0]
    days = np.arange(len(design.dates))
    level_sd = values[design.position("level_sd")]
    noise_sd = values[design.position("noise_sd")]
    covariance = design.level_start_sd**2 + level_sd**2 * np.minimum.outer(days, days)
    covariance += np.diag(noise_sd**2 + design.poisson_variance)
    columns, prior_sd = design_matrix(design, values)
    seen = design.observed
    return covariance[np.ix_(seen, seen)], columns[seen], prior_sd


def log_likelihood(design: Design, z: FloatArray) -> float:
    """Return the log likelihood with level and coefficients integrated out, as one normal density.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)
        Standard normal coordinates of the hyperparameters.

    Returns
    -------
    float
    """
    covariance, columns, prior_sd = moments(design, z)
    total = covariance + (columns * prior_sd**2) @ columns.T
    y = design.outcome[design.observed]
    _, log_det = np.linalg.slogdet(total)
    return float(-0.5 * (len(y) * np.log(2 * np.pi) + log_det + y @ np.linalg.solve(total, y)))


def coefficient_moments(design: Design, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return posterior mean and covariance of the coefficients given the hyperparameters.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.
    z : ndarray, shape (d,)

    Returns
    -------
    mean : ndarray, shape (q,)
    covariance : ndarray, shape (q, q)
    """
    covariance, columns, prior_sd = moments(design, z)
    whitened = np.linalg.solve(covariance, columns)
    precision = columns.T @ whitened + np.diag(1 / prior_sd**2)
    posterior = np.linalg.inv(precision)
    return posterior @ (whitened.T @ design.outcome[design.observed]), posterior
