"""What the data can tell apart: resolution of posts, collision groups, data against prior.

Given the hyperparameters ``theta`` the amplitudes ``b`` of the posts have the prior N(0, C) and the
posterior N(m, V), both Gaussian; ``R = I - V C^-1`` is the resolution matrix (Backus & Gilbert
1968, doi:10.1111/j.1365-246X.1968.tb00216.x; Menke 2018, ch. 4): the posterior mean is R times what
the data alone say. Its trace is the number of posts that the data resolve, its diagonal what they
say of each by itself. A group mean that is learnt from other posts counts as prior here, because
``C^-1`` knows it: that is what tells a post that was measured from one that is like the others.

R belongs to one ``theta``; averages over its posterior take its place, see
:mod:`lift.analysis.moments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.counterfactual import interval_tail
from lift.analysis.effects import Effects
from lift.analysis.moments import AmplitudeMoments, amplitude_moments, flat_draws
from lift.analysis.overlap import overlap
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

# A contrast of two posts is not resolved if the data take away less than this of its variance.
COLLISION_RESOLUTION = 0.3
# Nor are two posts told apart whose amplitudes trade off this much: half of the variance of either
# is how their sum is split, whatever other posts say of their difference through group means.
COLLISION_CORRELATION = -0.7
# Posts that share less of their responses in time than this do not collide, whatever is unresolved.
COLLISION_OVERLAP = 0.1
# A post is only prior if its variance comes from the prior to at least this share, and what the
# data say of it has at most the rest of the weight in its estimate.
ONLY_PRIOR_SHARE = 0.9
# Every pair of posts is compared; tables of effects do that up to so many of them (32 MB a matrix).
MAX_COMPARED = 2000
NOT_COMPARED = f"not compared with other posts: there are more than {MAX_COMPARED:,}"
POSITIVE_NOTE = "positive by assumption: no interval can include 0; not compared with other posts"

GROUP_COLUMNS = (
    "group",
    "posts",
    "n_posts",
    "contrast_resolution",
    "correlation",
    "mean",
    "lower",
    "upper",
    "prob",
    "narrower",
)


@dataclass(frozen=True, eq=False)
class Identifiability:
    """What the data of a campaign can tell apart.

    Attributes
    ----------
    posts : DataFrame
        One row per post: post, resolution (what the data say of it by itself, 0 to 1),
        prior_share_of_variance (how much of the variance behind its interval is prior, not noise of
        the data, 0 to 1), group (its collision group, "" for none), only_prior, note.
    groups : DataFrame
        One row per collision group: group, posts (ids), n_posts, contrast_resolution (the best
        resolved difference within it), correlation (the lowest of two amplitudes within it), mean,
        lower, upper, prob (incremental downloads of all of its posts together), narrower (how many
        times narrower its interval is than that of the narrowest of its posts; NaN if its own has
        no width).
    n_resolvable : float
        Effective number of posts that the data resolve, 0 to J.
    eigenvalues : ndarray, shape (J,)
        Of the resolution matrix, largest first, within [0, 1]; they sum to ``n_resolvable``.
    correlation, resolution, contrast_resolution : DataArray, dims (post, other_post)
        Posterior correlation of the amplitudes (all uncertainty); the resolution matrix; and, for
        every two posts, how much of the variance of their difference the data take away.
    """

    posts: pd.DataFrame
    groups: pd.DataFrame
    n_resolvable: float
    eigenvalues: FloatArray
    correlation: xr.DataArray
    resolution: xr.DataArray
    contrast_resolution: xr.DataArray

    def __repr__(self) -> str:
        """Return one line: how many posts are resolved, and what must be read together."""
        sets = "; ".join(self.groups["posts"]) or "none"
        return (
            f"Identifiability({self.n_resolvable:.1f} of {len(self.posts)} posts resolved; "
            f"read together: {sets})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.posts.to_html(index=False)}"


def identifiability(
    posterior: Posterior, spec: ModelSpec, prob: float = 0.95, effects: Effects | None = None
) -> Identifiability:
    """Return what the data can tell apart.

    The contrast of two posts is the difference of their impulses given their sum: how the response
    of the days that they share is split between them. (Given the sum, so that a large post does
    not make the difference to a small one look resolved.) Posts whose contrast has a resolution
    below ``COLLISION_RESOLUTION``, or whose amplitudes have a correlation of at most
    ``COLLISION_CORRELATION``, and which share more than ``COLLISION_OVERLAP`` of their responses in
    time are linked; linked posts form a collision group, whose total is what can be reported.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.
    prob : float
        Probability of the equal-tailed intervals of the groups, in (0, 1).
    effects : Effects, optional
        Of the posterior, coupling "shared": it keeps what is computed of the posts.

    Returns
    -------
    Identifiability

    Raises
    ------
    InputError
        If the probability cannot be.
    RunError
        If the run does not store an attribute that its model groups posts by.
    """
    tail = interval_tail(prob)
    moments = amplitude_moments(posterior, spec)
    weight = np.linalg.solve(moments.prior, moments.posterior).T
    resolution = np.eye(len(weight)) - weight
    half = np.linalg.inv(np.linalg.cholesky(moments.prior))
    eigenvalues = 1.0 - np.linalg.eigvalsh(half @ moments.posterior @ half.T)
    eigenvalues = np.clip(eigenvalues, 0.0, 1.0)
    contrast = contrast_resolution(posterior, moments)
    draws = flat_draws(posterior.draws["amplitude"])
    correlation = _correlation(draws)
    unresolved = (contrast < COLLISION_RESOLUTION) | (correlation <= COLLISION_CORRELATION)
    groups = collision_groups(unresolved & (overlap(posterior) > COLLISION_OVERLAP))
    prior_part = np.einsum("ij,ji->i", weight, moments.posterior)
    share = np.clip(prior_part / np.diag(moments.posterior), 0.0, 1.0)
    ids = [str(post) for post in posterior.posts["post"]]
    effects = effects or Effects(posterior)
    coords = {"post": ids, "other_post": ids}
    pairs = xr.DataArray(contrast, dims=("post", "other_post"), coords=coords)
    totals = _groups_table(effects, ids, groups, (contrast, correlation), prob, tail)
    return Identifiability(
        posts=_posts_table(ids, np.diag(resolution), share, groups, totals),
        groups=totals,
        n_resolvable=float(eigenvalues.sum()),
        eigenvalues=eigenvalues,
        correlation=pairs.copy(data=correlation),
        resolution=pairs.copy(data=resolution),
        contrast_resolution=pairs.copy(data=contrast),
    )


def comparable(posterior: Posterior) -> bool:
    """Return whether tables of effects say which posts the data tell apart; see its notes if not.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    bool
        False where posts are not pooled, amplitudes are positive only, or there are more than
        ``MAX_COMPARED`` posts.
    """
    pooled = "group" in posterior.draws and "typical_amplitude" not in posterior.attrs
    return pooled and len(posterior.posts) <= MAX_COMPARED


def noted_effects(posterior: Posterior, spec: ModelSpec) -> Effects:
    """Return the effects of a run, with what must be said of its posts in every table.

    Parameters
    ----------
    posterior : Posterior
    spec : ModelSpec
        The one it was fitted with.

    Returns
    -------
    Effects
        Without such notes where posts are not pooled: nothing is known of a prior then. Where there
        are more than ``MAX_COMPARED`` posts every note says that they were not compared
        (:func:`identifiability` compares any number); where amplitudes are positive only, that
        they cannot be compared and that no interval can include 0.
    """
    if "group" not in posterior.draws:
        return Effects(posterior)
    ids = [str(post) for post in posterior.posts["post"]]
    if "typical_amplitude" in posterior.attrs:
        return Effects(posterior, dict.fromkeys(ids, POSITIVE_NOTE))
    if len(ids) > MAX_COMPARED:
        return Effects(posterior, dict.fromkeys(ids, NOT_COMPARED))
    effects = Effects(posterior)
    posts = identifiability(posterior, spec, effects=effects).posts
    return effects.noted(dict(zip(posts["post"], posts["note"], strict=True)))


def contrast_resolution(posterior: Posterior, moments: AmplitudeMoments) -> FloatArray:
    """Return how much of the variance of the difference of two impulses the data take away.

    ``1 - Var(c_i - c_j | c_i + c_j, y) / Var(c_i - c_j | c_i + c_j)`` with the impulse ``c_j``
    (amplitude times its gain by views and size). 1 on the diagonal.

    Parameters
    ----------
    posterior : Posterior
    moments : AmplitudeMoments

    Returns
    -------
    ndarray, shape (J, J), in [0, 1]
    """
    draws = posterior.draws
    amplitude, impulse = flat_draws(draws["amplitude"]), flat_draws(draws["impulse"])
    given = amplitude != 0.0
    ratio = np.where(given, impulse / np.where(given, amplitude, 1.0), np.nan)
    gain = np.ones(amplitude.shape[1])
    some = given.any(axis=0)
    gain[some] = np.nanmedian(ratio[:, some], axis=0)
    after = _split_variance(moments.posterior * np.outer(gain, gain))
    before = _split_variance(moments.prior * np.outer(gain, gain))
    safe = np.where(before > 0.0, before, 1.0)
    out = np.where(before > 0.0, np.clip(1.0 - after / safe, 0.0, 1.0), 1.0)
    np.fill_diagonal(out, 1.0)
    return np.asarray(out)


def _split_variance(covariance: FloatArray) -> FloatArray:
    """Return the variance of every difference given the sum of the same two."""
    variance = np.diag(covariance)
    both = variance[:, None] + variance
    difference, total = both - 2 * covariance, both + 2 * covariance
    shared = variance[:, None] - variance
    return np.asarray(difference - shared**2 / np.where(total > 0.0, total, np.inf))


def collision_groups(linked: NDArray[np.bool_]) -> list[list[int]]:
    """Return the connected sets of two posts or more (single linkage), in order of their first.

    Parameters
    ----------
    linked : ndarray of bool, shape (J, J)
        Symmetric; the diagonal does not count.

    Returns
    -------
    list of list of int
        Positions of the posts.
    """
    left = set(range(len(linked)))
    out = []
    for start in range(len(linked)):
        if start not in left:
            continue
        left.discard(start)
        found, waiting = [start], [start]
        while waiting:
            post = waiting.pop()
            near = [other for other in sorted(left) if linked[post, other]]
            left -= set(near)
            found += near
            waiting += near
        if len(found) > 1:
            out.append(sorted(found))
    return out


def _posts_table(
    ids: Sequence[str],
    resolution: FloatArray,
    share: FloatArray,
    groups: list[list[int]],
    totals: pd.DataFrame,
) -> pd.DataFrame:
    names = [""] * len(ids)
    notes: list[list[str]] = [[] for _ in ids]
    only_prior = (share >= ONLY_PRIOR_SHARE) & (resolution <= 1.0 - ONLY_PRIOR_SHARE)
    for post in np.flatnonzero(only_prior).tolist():
        notes[post].append(f"only prior: {share[post]:.0%} of its variance is not from the data")
    for members, total in zip(groups, totals.to_dict("records"), strict=True):
        sizes = [_whole(total[name]) for name in ("mean", "lower", "upper")]
        interval = f"{100 * total['prob']:.6g}% interval {sizes[1]} to {sizes[2]}"
        for post in members:
            names[post] = str(total["group"])
            others = ", ".join(ids[other] for other in members if other != post)
            notes[post].append(
                f"the data cannot tell it from {others}: read them together, {sizes[0]} "
                f"({interval})"
            )
    return pd.DataFrame(
        {
            "post": list(ids),
            "resolution": np.clip(resolution, 0.0, 1.0),
            "prior_share_of_variance": share,
            "group": names,
            "only_prior": only_prior,
            "note": ["; ".join(parts) for parts in notes],
        }
    )


def _groups_table(
    effects: Effects,
    ids: Sequence[str],
    groups: list[list[int]],
    compared: tuple[FloatArray, FloatArray],
    prob: float,
    tail: float,
) -> pd.DataFrame:
    units = [
        effects.unit("collision group", f"collision {number}", np.array(members))
        for number, members in enumerate(groups, start=1)
    ]
    singles = effects.draws("post").to_numpy() if groups else np.zeros((1, 1, 0))
    rows = []
    for group, members, total in zip(units, groups, effects.losses.sums(units).T, strict=True):
        lower, upper = np.quantile(total, [tail, 1 - tail])
        widths = np.subtract(*np.quantile(singles[..., members], [1 - tail, tail], axis=(0, 1)))
        pairs = np.triu_indices(len(members), 1)
        inside, traded = (of[np.ix_(members, members)][pairs] for of in compared)
        rows.append(
            {
                "group": group.name,
                "posts": ", ".join(ids[post] for post in members),
                "n_posts": len(members),
                "contrast_resolution": float(inside.max()),
                "correlation": float(traded.min()),
                "mean": float(total.mean()),
                "lower": float(lower),
                "upper": float(upper),
                "prob": prob,
                "narrower": widths.min() / float(upper - lower or np.nan),
            }
        )
    return pd.DataFrame(rows, columns=list(GROUP_COLUMNS))


def _correlation(draws: FloatArray) -> FloatArray:
    """Return the correlation of all columns; none with one that is the same in every draw."""
    centred = draws - draws.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(size > 0.0, size, 1.0)
    return np.asarray(scaled.T @ scaled)


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")
