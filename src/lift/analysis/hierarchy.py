"""What posts have in common: levels of their attributes, contrasts, and views.

Amplitudes are log-lift-days per post at reference views (their geometric mean): 1 is worth one day
of downloads. All attributes are in one linear model, so that a level is compared with another as
if the posts did not differ in the rest. Nobody drew lots for who posts what: contrasts describe.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail, is_linear
from lift.analysis.moments import flat_draws, group_membership
from lift.errors import InputError, Problem
from lift.model.posterior import Posterior

FloatArray = NDArray[np.float64]

# Share of the posts of two levels that must lie in the range of views that both have.
MIN_SUPPORT = 0.5
DESCRIPTIVE = "descriptive: the posts were not assigned at random"

LEVEL_COLUMNS = (
    "attribute",
    "level",
    "n_posts",
    "mean",
    "sd",
    "lower",
    "upper",
    "prob",
    "prob_positive",
    "mean_per_100k_views",
)
CONTRAST_COLUMNS = (
    "attribute",
    "level",
    "other",
    "n_posts",
    "n_other",
    "mean",
    "sd",
    "lower",
    "upper",
    "prob",
    "prob_positive",
    "mean_per_100k_views",
    "daily_downloads",
    "downloads_mean",
    "downloads_lower",
    "downloads_upper",
    "support",
    "note",
)


def attributes(posterior: Posterior) -> dict[str, list[str]]:
    """Return the attributes that have levels in the model, with their levels."""
    out: dict[str, list[str]] = {}
    for label in posterior.groups:
        attribute, found, level = label.partition("=")
        if found:
            out.setdefault(attribute, []).append(level)
    return out


def reference_views(posterior: Posterior) -> float:
    """Return the views at which amplitudes hold: the geometric mean; NaN if none are given."""
    views = posterior.posts["views"].to_numpy(dtype=np.float64)
    given = views[np.isfinite(views)]
    return float(np.exp(np.log(given).mean())) if len(given) else float("nan")


def level_draws(posterior: Posterior, attribute: str) -> xr.DataArray:
    """Return draws of the mean amplitude of each level of an attribute, adjusted for the others.

    The overall mean, the level's deviation and the mean deviation of the campaign's posts by
    their other attributes: what a post of the level brings when all levels are given the same mix
    of the rest. Where amplitudes are positive only these deviations are in logs, and what comes
    back is the median amplitude of the level.

    Parameters
    ----------
    posterior : Posterior
    attribute : str
        Such as ``"platform"``.

    Returns
    -------
    DataArray, dims (chain, draw, <attribute>), log-lift-days per post at reference views

    Raises
    ------
    InputError
        If the model has no levels of the attribute.
    """
    levels = _levels(posterior, attribute)
    means = posterior.draws["group_mean"]
    labels = [str(label) for label in means["group"].to_numpy()]
    mine = np.array([label.startswith(f"{attribute}=") for label in labels])
    rest = (means.to_numpy() * group_membership(posterior).mean(axis=0))[..., ~mine].sum(axis=-1)
    own = means.to_numpy()[..., [labels.index(f"{attribute}={level}") for level in levels]]
    amplitude = rest[..., None] + own
    if "typical_amplitude" in posterior.attrs:
        amplitude = float(posterior.attrs["typical_amplitude"]) * np.exp(amplitude)
    return xr.DataArray(
        amplitude,
        dims=("chain", "draw", attribute),
        coords={"chain": means["chain"], "draw": means["draw"], attribute: levels},
        name="amplitude",
    )


def _levels(posterior: Posterior, attribute: str) -> list[str]:
    known = attributes(posterior)
    if attribute not in known:
        what = (
            f"the model must have two levels or more of {attribute!r}, found levels of "
            f"{', '.join(known) or 'no attribute'}; choose one of them"
        )
        raise InputError([Problem("posts", what)])
    return known[attribute]


def _summary(draws: FloatArray, prob: float, per_views: float) -> dict[str, float]:
    tail = interval_tail(prob)
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    return {
        "mean": float(draws.mean()),
        "sd": float(draws.std(ddof=1)),
        "lower": float(lower),
        "upper": float(upper),
        "prob": prob,
        "prob_positive": float((draws > 0).mean()),
        "mean_per_100k_views": float(draws.mean()) / per_views * 100_000.0,
    }


def level_table(posterior: Posterior, prob: float = 0.95) -> pd.DataFrame:
    """Return the mean amplitude of every level of every attribute, adjusted for the others.

    Parameters
    ----------
    posterior : Posterior
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        Columns attribute, level, n_posts, mean, sd, lower, upper (log-lift-days per post at
        reference views), prob, prob_positive, mean_per_100k_views (at reference views; NaN where
        no views are given). No row where no attribute has two levels.

    Raises
    ------
    InputError
        If the probability cannot be.
    """
    interval_tail(prob)
    posts, views = posterior.posts, reference_views(posterior)
    rows = []
    for attribute, levels in attributes(posterior).items():
        draws = flat_draws(level_draws(posterior, attribute))
        for i, level in enumerate(levels):
            count = int((posts[attribute].astype(str) == level).sum())
            row = {"attribute": attribute, "level": level, "n_posts": count}
            rows.append({**row, **_summary(draws[:, i], prob, views)})
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))


def contrast(
    posterior: Posterior, attribute: str, level: str, other: str, prob: float = 0.95
) -> pd.DataFrame:
    """Return by how much posts of one level bring more than posts of another, one row.

    Parameters
    ----------
    posterior : Posterior
    attribute : str
        Such as ``"creator_type"``.
    level, other : str
        The difference is ``level`` minus ``other``.
    prob : float
        Probability of the equal-tailed interval, in (0, 1).

    Returns
    -------
    DataFrame
        Columns attribute, level, other, n_posts, n_other, mean, sd, lower, upper (log-lift-days
        per post at reference views, adjusted for the other attributes), prob, prob_positive,
        mean_per_100k_views, daily_downloads (median of the observed days), downloads_mean,
        downloads_lower, downloads_upper (the difference in downloads per post where there are so
        many a day, to the first order: a log-lift-day is worth one day of them),
        support (share of the posts of both levels within the range of views that both have; NaN
        where views are not given), note.

    Raises
    ------
    InputError
        If the model does not have both levels, they are the same, or the probability cannot be.
    """
    levels = _levels(posterior, attribute)
    if level == other or not {level, other} <= set(levels):
        what = (
            f"a contrast needs two different levels of {attribute!r}, found {level!r} and "
            f"{other!r}; the model has {', '.join(levels)}"
        )
        raise InputError([Problem("posts", what)])
    draws = flat_draws(level_draws(posterior, attribute))
    difference = draws[:, levels.index(level)] - draws[:, levels.index(other)]
    names = posterior.posts[attribute].astype(str)
    mine, theirs = (names == level).to_numpy(), (names == other).to_numpy()
    support = _support(posterior, mine, theirs)
    notes = [DESCRIPTIVE]
    if support < MIN_SUPPORT:
        notes.append(
            f"only {support:.0%} of the posts lie in the range of views that both have: "
            "the comparison rests on the model"
        )
    row = {
        "attribute": attribute,
        "level": level,
        "other": other,
        "n_posts": int(mine.sum()),
        "n_other": int(theirs.sum()),
        **_summary(difference, prob, reference_views(posterior)),
        **_in_downloads(posterior, difference, interval_tail(prob)),
        "support": support,
        "note": "; ".join(notes),
    }
    return pd.DataFrame([row], columns=list(CONTRAST_COLUMNS))


def _in_downloads(posterior: Posterior, difference: FloatArray, tail: float) -> dict[str, float]:
    daily = float(np.nanmedian(posterior.downloads.to_numpy()))
    draws = difference * (float(posterior.attrs["unit"]) if is_linear(posterior) else daily)
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    return {
        "daily_downloads": daily,
        "downloads_mean": float(draws.mean()),
        "downloads_lower": float(lower),
        "downloads_upper": float(upper),
    }


def _support(posterior: Posterior, mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    views = posterior.posts["views"].to_numpy(dtype=np.float64)
    given = np.isfinite(views)
    first, second = views[mine & given], views[theirs & given]
    if not len(first) or not len(second):
        return float("nan")
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    both = np.concatenate([first, second])
    return float(((both >= low) & (both <= high)).mean())


def contrast_table(posterior: Posterior, prob: float = 0.95) -> pd.DataFrame:
    """Return the contrast of every two levels of every attribute.

    Of two levels the one later in the alphabet less the earlier: virtual less human, TikTok less
    Instagram.

    Parameters
    ----------
    posterior : Posterior
    prob : float
        Probability of the equal-tailed intervals, in (0, 1).

    Returns
    -------
    DataFrame
        As :func:`contrast`; no row where no attribute has two levels.

    Raises
    ------
    InputError
        If the probability cannot be.
    """
    interval_tail(prob)
    rows = [
        contrast(posterior, attribute, level, other, prob)
        for attribute, levels in attributes(posterior).items()
        for other, level in combinations(sorted(levels), 2)
    ]
    if not rows:
        return pd.DataFrame(columns=list(CONTRAST_COLUMNS))
    return pd.concat(rows, ignore_index=True)


def views_elasticity(posterior: Posterior, prob: float = 0.95) -> pd.DataFrame:
    """Return by what power of its views a post's response grows, one row.

    Views are counted after the post went out: the elasticity describes, it does not say what
    bought views would bring.

    Parameters
    ----------
    posterior : Posterior
    prob : float
        Probability of the equal-tailed interval, in (0, 1).

    Returns
    -------
    DataFrame
        Columns mean, sd, lower, upper, prob, prob_below_one (a post of twice the views brings less
        than twice as much), reference_views; no row where the model has no views.

    Raises
    ------
    InputError
        If the probability cannot be.
    """
    tail = interval_tail(prob)
    columns = ["mean", "sd", "lower", "upper", "prob", "prob_below_one", "reference_views"]
    if "views_elasticity" not in posterior.draws:
        return pd.DataFrame(columns=columns)
    draws = flat_draws(posterior.draws["views_elasticity"])
    bounds = np.quantile(draws, [tail, 1 - tail])
    below = float((draws < 1).mean())
    row = [draws.mean(), draws.std(ddof=1), *bounds, prob, below, reference_views(posterior)]
    return pd.DataFrame([row], columns=columns)
