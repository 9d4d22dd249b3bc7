"""Counterfactual downloads: what the curve would have been without some posts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.analysis.acting import Lift, read_acting
from lift.data.tables import meant
from lift.errors import InputError, Problem
from lift.exponential import exponential_less_one
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

# What is left of a day's downloads where posts added as many on the linear scale.
LARGEST_LOST_SHARE = 0.999


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
        data. Where responses saturate, what that adds to the other posts: ``F`` of all posts less
        ``F`` of all without these.
    """
    return read_acting(posterior).lift(members)


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
    # one array, written in place: with the draws of a long campaign each is large
    out = np.empty(lift.shape)
    np.negative(lift, out=out)
    exponential_less_one(out)
    out *= np.negative(downloads)
    return out


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
        If the ids are not a sequence of text, or naming every one that is not a post of the run.
    """
    if isinstance(post_ids, str) or not (post_ids is None or isinstance(post_ids, Iterable)):
        hint = f"; write [{post_ids!r}]" if isinstance(post_ids, str) else ""
        what = f"posts must be given as a list of their ids, found {post_ids!r}{hint}"
        raise InputError([Problem("posts", what)])
    known = {str(post): i for i, post in enumerate(posterior.posts["post"])}
    if post_ids is None:
        return np.arange(len(known))
    if unknown := [str(post) for post in post_ids if str(post) not in known]:
        raise InputError(
            [
                Problem(
                    "posts",
                    f"every post must be one of the run's, found {post!r}"
                    f"{meant(post, known)}; "
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
    number = isinstance(prob, float | int | np.number) and not isinstance(prob, bool)
    if not (number and 0.0 < prob < 1.0):
        what = f"the probability of an interval must lie between 0 and 1, found {prob!r}"
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
