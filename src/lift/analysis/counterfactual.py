"""Counterfactual downloads: what the curve would have been without some posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.responses import read_responses
from lift.errors import InputError, Problem
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

# What is left of a day's downloads where posts added as many on the linear scale.
LARGEST_LOST_SHARE = 0.999


@dataclass(frozen=True)
class Lift:
    """Draws of the log-lift of a set of posts.

    Attributes
    ----------
    first_day : int
        Position in the calendar of the first day on which one of them can act.
    values : ndarray, shape (chain * draw, n_days), log units
        Sum of their responses on each day from there on; on the linear scale in its unit of
        downloads.
    """

    first_day: int
    values: FloatArray


def log_lift(posterior: Posterior, members: NDArray[np.int64]) -> Lift:
    """Return what a set of posts together adds to log downloads, day by day.

    Parameters
    ----------
    posterior : Posterior
    members : ndarray of int
        Positions of the posts, at least one.

    Returns
    -------
    Lift
        ``sum_j f_j(t)`` with ``f_j(t) = impulse_j K(t; tau_j)`` (and the deviations of a free
        kernel), for the days on which at least one of the posts can act and that lie within the
        data.
    """
    draws = posterior.draws
    constant = posterior.tree["constant_data"]
    days = constant["post_day"].to_numpy()[members]
    fractions = constant["post_fraction"].to_numpy()[members]
    groups = constant["kernel_group_index"].to_numpy()[members]
    window = int(posterior.attrs["window_days"])
    n_dates = posterior.downloads.sizes["date"]
    first = int(days.min())
    last = min(int(days.max()) + window, n_dates)
    responses = read_responses(posterior)
    n_draws = len(responses.shape)
    impulse = draws["impulse"].to_numpy().reshape(n_draws, -1)
    gain = draws["gain"].to_numpy().reshape(n_draws, -1) if "gain" in draws else None
    values = np.zeros((n_draws, last - first))
    for member, day, fraction, group in zip(members, days, fractions, groups, strict=True):
        n_days = min(window, n_dates - int(day))
        start = int(day) - first
        values[:, start : start + n_days] += responses.response(
            responses.scale[:, group],
            float(fraction),
            impulse[:, member],
            None if gain is None else gain[:, member],
        )[:, :n_days]
    return Lift(first, values)


def is_linear(posterior: Posterior) -> bool:
    """Return whether posts add to downloads, rather than multiply them."""
    return bool(posterior.attrs.get("scale", "log") == "linear")


def lost_downloads(
    posterior: Posterior, downloads: FloatArray | float, lift: FloatArray
) -> FloatArray:
    """Return the downloads that there would not have been without some posts.

    Parameters
    ----------
    posterior : Posterior
        Its scale says how posts act.
    downloads : ndarray, shape (..., n_days), or float, downloads/day
        With the posts.
    lift : ndarray, shape (..., n_days)
        As :func:`log_lift` returns it.

    Returns
    -------
    ndarray, shape (..., n_days), downloads/day
        ``Y (1 - exp(-F))``; on the linear scale ``F`` times the unit of the scale.
    """
    if is_linear(posterior):
        return np.asarray(float(posterior.attrs["unit"]) * lift)
    return np.asarray(downloads * -np.expm1(-lift))


def lost_share(posterior: Posterior, lift: Lift) -> FloatArray:
    """Return which share of the downloads there would not have been without some posts.

    Parameters
    ----------
    posterior : Posterior
    lift : Lift
        Of those posts.

    Returns
    -------
    ndarray, shape (chain * draw, n_days)
        Below 1; negative where posts cost downloads. On the linear scale at most
        ``LARGEST_LOST_SHARE`` of the downloads (between observed days: of those in line with
        them), and 0 on days without any.
    """
    if not is_linear(posterior):
        return np.asarray(-np.expm1(-lift.values))
    downloads = posterior.downloads.to_numpy()
    seen = np.flatnonzero(np.isfinite(downloads))
    days = lift.first_day + np.arange(lift.values.shape[1])
    there = np.interp(days, seen, downloads[seen])
    lost = lost_downloads(posterior, there, lift.values)
    share = lost / np.where(there > 0.0, there, np.inf)
    return np.asarray(np.minimum(share, LARGEST_LOST_SHARE))


def post_positions(posterior: Posterior, post_ids: Sequence[str] | None) -> NDArray[np.int64]:
    """Return the positions of posts by id, each once, in order of time; all posts for None.

    Parameters
    ----------
    posterior : Posterior
    post_ids : sequence of str or None

    Returns
    -------
    ndarray of int

    Raises
    ------
    InputError
        Naming every id that is not a post of the run.
    """
    known = {str(post): i for i, post in enumerate(posterior.posts["post"])}
    if post_ids is None:
        return np.arange(len(known))
    if unknown := [str(post) for post in post_ids if str(post) not in known]:
        raise InputError(
            [
                Problem(
                    "posts",
                    f"every post must be one of the run's, found {post!r}; "
                    f"the run has {', '.join(list(known)[:8])}{', ...' if len(known) > 8 else ''}",
                )
                for post in unknown
            ]
        )
    return np.array(sorted({known[str(post)] for post in post_ids}), dtype=np.int64)


def interval_tail(prob: float) -> float:
    """Return the probability of each tail outside an equal-tailed interval.

    Parameters
    ----------
    prob : float
        Probability of the interval.

    Returns
    -------
    float
        In (0, 0.5).

    Raises
    ------
    InputError
        If the probability is not between 0 and 1.
    """
    if not 0.0 < prob < 1.0:
        what = f"the probability of an interval must lie between 0 and 1, found {prob}"
        raise InputError([Problem("effects", what)])
    return (1.0 - prob) / 2.0


def curve(
    posterior: Posterior, without: Sequence[str] | None = None, prob: float = 0.95
) -> pd.DataFrame:
    """Return the download curve there would have been without some posts.

    The noise of a day is the same in both worlds (``coupling = "shared"``): the observed downloads
    are divided by the lift of the posts, ``Y_t(without) = Y_t exp(-F_t)``, or on the linear scale
    lessened by it. The interval is that of the lift.

    Parameters
    ----------
    posterior : Posterior
    without : sequence of str, optional
        Ids of the posts that are taken away; all of them by default.
    prob : float
        Probability of the equal-tailed interval, in (0, 1).

    Returns
    -------
    DataFrame
        Columns date, observed, mean, lower, upper (downloads/day), one row per day of the data;
        NaN on days that were not observed.

    Raises
    ------
    InputError
        If a post is not known, or the probability cannot be.
    """
    tail = interval_tail(prob)
    members = post_positions(posterior, without)
    observed = posterior.downloads.to_numpy()
    mean, lower, upper = observed.copy(), observed.copy(), observed.copy()
    if len(members):
        lift = log_lift(posterior, members)
        days = slice(lift.first_day, lift.first_day + lift.values.shape[1])
        if is_linear(posterior):
            lost = lost_downloads(posterior, observed[days], lift.values)
            mean[days] -= lost.mean(axis=0)
            bounds = np.quantile(lost, [tail, 1 - tail], axis=0)
            lower[days] -= bounds[1]
            upper[days] -= bounds[0]
        else:
            kept = np.exp(-lift.values)
            mean[days] *= kept.mean(axis=0)
            bounds = np.quantile(kept, [tail, 1 - tail], axis=0)
            lower[days] *= bounds[0]
            upper[days] *= bounds[1]
    return pd.DataFrame(
        {
            "date": posterior.dates,
            "observed": observed,
            "mean": mean,
            "lower": lower,
            "upper": upper,
        }
    )
