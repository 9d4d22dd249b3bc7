"""The linear predictor of a model at given hyperparameters, as one matrix of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design
from lift.model.free_kernel import deviation_columns
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
    shape = np.array(np.exp(values[at["log_shape"]]) if "log_shape" in at else 1.0)
    for j in range(n_posts):
        scale = np.exp(values[at["first_day"] + posts.kernel_group[j]])
        shares = kernel_days(
            scale, shape, float(posts.fraction[j]), design.window_days, design.kernel
        )
        if "displacement" in at:
            shares = displaced(shares, values[at["displacement"]], *design.displacement_lags)
        n_days = min(design.window_days, n - int(posts.day[j]))
        response[posts.day[j] : posts.day[j] + n_days, j] = gain[j] * shares[:n_days]
    people = np.equal.outer(posts.influencer, np.arange(len(posts.influencers))).astype(float)
    fixed = design.fixed
    if n_free := len(design.free_shares):
        shapes = deviation_columns(n, posts.day, posts.fraction, gain, design.free_shares)
        fixed = np.column_stack([fixed[:, :-n_free], values[at["free_sd"]] * shapes])
    common = response if posts.share is None else response * common_shares(design, values)
    columns = [fixed, response, common @ posts.membership, common @ people]
    influencer_sd = values[at["influencer_sd"]] if "influencer_sd" in at else 0.0
    sds = [
        fixed_sd,
        np.full(n_posts, values[at["amplitude_sd"]]),
        posts.group_sd,
        np.full(len(posts.influencers), influencer_sd),
    ]
    return np.column_stack(columns), np.concatenate(sds)


def post_amplitudes(
    design: Design, own: FloatArray, means: FloatArray, share: FloatArray | float = 1.0
) -> FloatArray:
    """Return the amplitudes of the posts.

    Parameters
    ----------
    design : Design
    own : ndarray, shape (..., J)
        Posts' own deviations.
    means : ndarray, shape (..., G + I)
        Group means, then influencers.
    share : ndarray, shape (..., J), or float
        Part of what a post does in all markets that it does in this one.

    Returns
    -------
    ndarray, shape (..., J), log-lift-days
        The sum of all three; where amplitudes are positive only their typical value times its
        exponential.
    """
    posts, n_groups = design.posts, len(design.posts.groups)
    total = own + share * (means[..., :n_groups] @ posts.membership.T)
    if posts.influencers:
        has = posts.influencer >= 0
        theirs = np.zeros_like(total)
        theirs[..., has] = means[..., n_groups + posts.influencer[has]]
        total += share * theirs
    if design.typical_amplitude is None:
        return np.asarray(total)
    return np.asarray(design.typical_amplitude * np.exp(total))


def common_shares(design: Design, hyper: FloatArray) -> FloatArray:
    """Return the part of what posts do in all markets that they do in this one.

    Parameters
    ----------
    design : Design
        Of one of several markets, whose posts have a ``share``.
    hyper : ndarray, shape (..., d)
        Hyperparameters on their own scale.

    Returns
    -------
    ndarray, shape (..., J)
        The hyperparameter ``spill_over`` where a post does not reach the market.
    """
    given = np.asarray(design.posts.share)
    out = np.broadcast_to(given, (*hyper.shape[:-1], len(given))).copy()
    spilled = np.isnan(given)
    if spilled.any():
        out[..., spilled] = hyper[..., design.position("spill_over"), None]
    return out
