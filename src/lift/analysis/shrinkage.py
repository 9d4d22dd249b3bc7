"""What shrinkage does: each post's amplitude beside what it would be without its prior."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from lift.analysis.counterfactual import interval_tail
from lift.analysis.moments import amplitude_moments, flat_draws
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

# Weight of the data below which an estimate without the prior is not given.
MIN_DATA_WEIGHT = 0.05


def shrinkage_table(posterior: Posterior, spec: ModelSpec, prob: float = 0.95) -> pd.DataFrame:
    """Return what each post's amplitude would be without its prior, beside what it is.

    The prior of one post at a time is made flat, that of the others is kept. With prior precision
    ``P = C^-1``, ``d = b_j + sum_{i != j} P_ji b_i / P_jj`` is how far post j lies from where the
    others' amplitudes put it: prior N(0, 1 / P_jj). The prior of d is removed from its posterior by
    precision: its weight of the data is ``1 - P_jj Var(d | y)``, its flat estimate ``E[d | y]``
    over that weight; the amplitude moves with d. Exact where draws are Gaussian and the
    hyperparameters known; moments are averages over them, see :mod:`lift.analysis.moments`.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns post, flat_mean, flat_sd, flat_lower, flat_upper, mean, sd, lower, upper
        (log-lift-days at reference views), prob, data_weight (0 to 1), note. The flat estimate is
        NaN where the data have a weight below ``MIN_DATA_WEIGHT``.

    Raises
    ------
    InputError
        If the probability cannot be.
    RunError
        If the run does not store an attribute that its model groups posts by.
    """
    tail = interval_tail(prob)
    moments = amplitude_moments(posterior, spec)
    precision = np.linalg.inv(moments.prior)
    per_post = np.diag(precision)
    across = moments.posterior @ precision
    variance = np.einsum("ij,ij->j", precision, across) / per_post**2
    weight = np.clip(1.0 - per_post * variance, 0.0, 1.0)
    enough = weight >= MIN_DATA_WEIGHT
    divisor = np.where(enough, weight, np.nan)
    moved = np.diag(across) / per_post  # Cov(b_j, d_j | y)
    step = moved / variance * (precision @ moments.mean) / per_post
    flat_mean = moments.mean + step * (1.0 / divisor - 1.0)
    gain = moved**2 / variance * (1.0 / divisor - 1.0)
    draws = flat_draws(posterior.draws["amplitude"])
    # what is not known of the hyperparameters stays: at least the variance of the draws
    total = np.maximum(draws.var(axis=0, ddof=1), np.diag(moments.posterior))
    flat_sd = np.sqrt(total + gain)
    z = NormalDist().inv_cdf(1 - tail)
    lower, upper = np.quantile(draws, [tail, 1 - tail], axis=0)
    return pd.DataFrame(
        {
            "post": [str(post) for post in posterior.posts["post"]],
            "flat_mean": flat_mean,
            "flat_sd": flat_sd,
            "flat_lower": flat_mean - z * flat_sd,
            "flat_upper": flat_mean + z * flat_sd,
            "mean": draws.mean(axis=0),
            "sd": draws.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
            "prob": prob,
            "data_weight": weight,
            "note": ["" if ok else "only prior: no estimate without it" for ok in enough],
        }
    )
