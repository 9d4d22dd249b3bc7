"""The exact engine over several markets: one posterior of all, read market by market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.engines._market_counts import market_count_points
from lift.engines._markets import market_points
from lift.engines.base import Progress, SampleSettings
from lift.engines.exact import LAYOUT, POINTS_PER_TASK, pack
from lift.engines.limits import require_together
from lift.engines.sampling import EMPTY, sample
from lift.engines.threads import mapped
from lift.model.design import Design
from lift.model.hyper import natural
from lift.model.markets import OWN, MarketsDesign, build_markets, market_part
from lift.model.markets_spec import MARKET_SCALARS, MarketsSpec
from lift.model.posterior import Posterior, assemble
from lift.model.predictor import common_shares
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

COMMON = ("market_sd", *MARKET_SCALARS)
"""In the order of the kernel's constants."""


@dataclass(frozen=True, eq=False)
class MarketsModel:
    """A design of several markets packed for the compiled kernel.

    Attributes
    ----------
    design : MarketsDesign
    arguments : tuple
        Arrays in the order that the kernel takes them, from ``layout`` to ``start_var``.
    n_coefficients : int
    workers : int
    counts : tuple
        Arrays that the kernel of counts takes beside: which markets are counts, what their log
        means are measured from, and where Newton's method starts; empty where none is.
    """

    design: MarketsDesign
    arguments: tuple[object, ...]
    n_coefficients: int
    workers: int
    counts: tuple[object, ...] = ()

    @property
    def n_normals(self) -> int:
        """Standard normal numbers that one draw of the coefficients takes."""
        paths = [counted(part) for part in self.design.designs].count(True)
        if paths:
            names = ("shared_level_sd", "shared_noise_sd")
            paths += any(self.design.position(name) >= 0 for name in names)
        return self.n_coefficients + paths * len(self.design.designs[0].dates)

    @property
    def n_hypers(self) -> int:
        """Number of hyperparameters."""
        return len(self.design.hypers)

    @property
    def weighs_draws(self) -> bool:
        """Whether a weight belongs to a draw of the coefficients too: with counts it does."""
        return bool(self.counts)

    def evaluate(self, z: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the log posterior density of points and a draw of the coefficients at each.

        Parameters
        ----------
        z : ndarray, shape (n, d)
            Standard normal coordinates of the hyperparameters.
        normals : ndarray, shape (n, n_normals) or (0, 0)
            What the draws are made of; none for densities alone.

        Returns
        -------
        log_density : ndarray, shape (n,)
            Prior of the coordinates included; NaN where it cannot be computed.
        coefficients : ndarray, shape (n, q) or (0, 0)
            Baseline columns of all markets, pairs of post and market, posts, group means,
            influencers.
        """
        thetas = natural(z, self.design.hypers, self.design.mix)
        values = np.empty(len(z))
        wanted = len(normals) > 0
        gammas = np.empty((len(z), self.n_coefficients)) if wanted else EMPTY
        tasks = [slice(i, i + POINTS_PER_TASK) for i in range(0, len(z), POINTS_PER_TASK)]

        def run(task: slice) -> None:
            made_of = normals[task] if wanted else EMPTY
            out = gammas[task] if wanted else EMPTY
            points = market_count_points if self.counts else market_points
            points(thetas[task], made_of, *self.arguments, *self.counts, values[task], out)

        list(mapped(self.workers)(run, tasks))
        dim = z.shape[1]
        log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * dim * np.log(2 * np.pi)
        return values + log_prior, gammas


def pack_markets(design: MarketsDesign, workers: int = 1) -> MarketsModel:
    """Return a design of several markets packed for the compiled kernel.

    Parameters
    ----------
    design : MarketsDesign
    workers : int
        Threads to use.

    Returns
    -------
    MarketsModel
    """
    posts, parts = design.posts, design.designs
    n_posts, n_groups = posts.membership.shape
    pair_post = np.concatenate(design.reach)
    shares = np.concatenate([_shares(part) for part in parts])
    spilled = np.isnan(shares)
    shares[spilled] = 1.0
    rows = [[int(post), *(n_posts + np.flatnonzero(posts.membership[post]))] for post in pair_post]
    width = max(len(row) for row in rows) + 1
    member_index = np.full((len(rows), width), -1, dtype=np.int64)
    member_value = np.zeros((len(rows), width))
    for i, (row, post) in enumerate(zip(rows, pair_post, strict=True)):
        member_value[i, 0] = 1.0
        member_value[i, 1 : len(row)] = posts.membership[post, np.array(row[1:]) - n_posts]
        if posts.influencer[post] >= 0:
            row.append(n_posts + n_groups + int(posts.influencer[post]))
            member_value[i, len(row) - 1] = 1.0
        member_value[i] *= shares[i]
        member_index[i, : len(row)] = row
    window = parts[0].window_days
    fraction = posts.fraction[pair_post]
    edges = np.arange(window + 1, dtype=np.float64) - fraction[:, None]
    own = np.full((len(parts), len(OWN)), -1, dtype=np.int64)
    for m, (part, places) in enumerate(zip(parts, design.places, strict=True)):
        for k, name in enumerate(OWN):
            at = part.position(name)
            own[m, k] = places[at] if at >= 0 else -1
    first = parts[0]
    mean_sd = np.concatenate([posts.group_sd, np.full(len(posts.influencers), np.nan)])
    arguments = (
        np.array([design.position(name) for name in LAYOUT], dtype=np.int64),
        np.array([design.position(name) for name in COMMON], dtype=np.int64),
        own,
        np.array([*first.displacement_lags, first.kernel == "gamma"], dtype=np.int64),
        np.stack([part.outcome for part in parts]),
        np.stack([part.poisson_variance for part in parts]),
        np.stack([part.observed for part in parts]),
        np.cumsum([0, *design.n_fixed]),
        np.concatenate([np.ascontiguousarray(part.fixed).ravel() for part in parts]),
        np.concatenate([part.fixed_sd for part in parts]),
        np.cumsum([0, *(len(mine) for mine in design.reach)]),
        posts.day[pair_post],
        posts.kernel_group[pair_post],
        len(posts.kernel_groups),
        np.log(np.maximum(edges, np.finfo(np.float64).tiny)),
        posts.log_views[pair_post],
        np.concatenate([part.posts.log_size for part in parts]),
        member_index,
        member_value,
        spilled,
        n_posts,
        mean_sd,
        first.level_start_sd**2,
    )
    n_coefficients = sum(design.n_fixed) + len(rows) + n_posts + len(mean_sd)
    return MarketsModel(design, arguments, n_coefficients, workers, _counts(parts))


def counted(part: Design) -> bool:
    """Return whether the downloads of a market are modelled as counts."""
    return part.likelihood == "negative_binomial"


def _counts(parts: Sequence[Design]) -> tuple[object, ...]:
    """Return what the kernel of counts takes beside the others' arguments."""
    which = np.array([counted(part) for part in parts])
    if not which.any():
        return ()
    start = np.zeros((len(parts), len(parts[0].dates)))
    for m, part in enumerate(parts):
        if which[m]:
            start[m] = pack(part).start
    return which, np.array([part.center for part in parts]), start


def _shares(design: Design) -> FloatArray:
    """Return the shares of a market's posts, NaN where one is a hyperparameter."""
    share = design.posts.share
    return np.ones(len(design.posts.ids)) if share is None else share.copy()


def fit_markets(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
) -> dict[str, Posterior]:
    """Return the posterior of several markets, fitted together.

    Parameters
    ----------
    campaign : Campaign
        Two markets or more.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    dict of str to Posterior
        By market that has posts. Draws of the same chain and number belong together: sums over
        markets of what they say are draws of the sum.

    Raises
    ------
    EngineError
        If the specification asks for something a joint model does not do.
    """
    design = build_markets(campaign, spec)
    require_together("exact", design)
    draws = sample(pack_markets(design, settings.workers), settings, progress)
    common = spec.markets or MarketsSpec()
    out = {}
    for m, name in enumerate(design.markets):
        if not len(design.reach[m]):
            continue
        posterior = assemble(
            market_part(campaign, name, common),
            spec,
            design.designs[m],
            coordinates=draws.coordinates[..., design.places[m]],
            coefficients=market_coefficients(design, m, draws.coefficients, draws.coordinates),
            attrs={
                "engine": "markets",
                "seed": settings.seed,
                "markets": ", ".join(design.markets),
            },
            stats=draws.stats,
        )
        out[name] = posterior
    return out


def market_coefficients(
    design: MarketsDesign, market: int, joint: FloatArray, coordinates: FloatArray | None = None
) -> FloatArray:
    """Return the coefficients of one market as a model of it alone orders them.

    Parameters
    ----------
    design : MarketsDesign
    market : int
        Position of the market.
    joint : ndarray, shape (..., q)
        Coefficients of all markets.
    coordinates : ndarray, shape (..., d), optional
        Standard normal coordinates of the hyperparameters; needed where posts spill over.

    Returns
    -------
    ndarray, shape (..., q_m)
        Baseline columns, posts' own deviations (the market's part of what they have in common,
        and what is of this market), group means, influencers.
    """
    part = design.designs[market]
    columns = np.cumsum([0, *design.n_fixed])
    pairs = np.cumsum([0, *(len(mine) for mine in design.reach)])
    n_posts = len(design.posts.ids)
    shared = columns[-1] + pairs[-1]
    own = joint[..., columns[-1] + pairs[market] : columns[-1] + pairs[market + 1]]
    common = joint[..., shared + design.reach[market]]
    if part.posts.share is not None:
        hyper = np.full((*joint.shape[:-1], len(part.hypers)), np.nan)
        if coordinates is not None:
            mine = coordinates[..., design.places[market]].reshape(-1, len(part.hypers))
            hyper = natural(mine, part.hypers, part.mix).reshape(hyper.shape)
        common = common * common_shares(part, hyper)
    return np.concatenate(
        [
            joint[..., columns[market] : columns[market + 1]],
            own + common,
            joint[..., shared + n_posts :],
        ],
        axis=-1,
    )
