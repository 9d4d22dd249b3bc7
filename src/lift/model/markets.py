"""Several markets at once: baselines of their own, posts that they share.

For market m, ``y_mt = mu_mt + (week, year, holidays, controls of m) + sum_j b_jm g_jm K(t; tau_j)
+ noise`` over the posts that reach it, with ``b_jm = b_j + zeta_jm`` and
``zeta_jm ~ N(0, market_sd^2)``: what a post does everywhere, and what it does otherwise here. The
shared ``b_j`` has the hierarchy of one market (group means, influencer, own deviation). Level,
noise and control coefficients have hyperparameters of each market; those of the response are
shared. Markets are independent given the hyperparameters and the shared amplitudes: a shock that
all markets have in common is not modelled, nor does a post act where it does not reach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.errors import EngineError
from lift.model.design import Design, PostDesign, build_design, build_posts
from lift.model.hyper import Hyper
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

OWN = ("noise_sd", "level_sd", "control_sd")
"""Hyperparameters that every market has for itself."""


@dataclass(frozen=True, eq=False)
class MarketsDesign:
    """Everything numeric that a joint model needs of the markets of a campaign.

    Attributes
    ----------
    markets : tuple of str, length M
    designs : tuple of Design, length M
        Of each market, with the posts that reach it; groups, influencers and kernel groups are
        those of all posts.
    posts : PostDesign
        All posts; ``log_size`` is of no market and 0.
    reach : tuple of ndarray of int
        Positions among ``posts`` of the posts of each market.
    hypers : tuple of Hyper, length d
        Each of ``OWN`` for all markets that have it, then the shared ones.
    mix : ndarray, shape (d, d)
    places : tuple of ndarray of int
        Positions among ``hypers`` of the hyperparameters of each market's design.
    """

    markets: tuple[str, ...]
    designs: tuple[Design, ...]
    posts: PostDesign
    reach: tuple[IntArray, ...]
    hypers: tuple[Hyper, ...]
    mix: FloatArray
    places: tuple[IntArray, ...]

    def position(self, name: str) -> int:
        """Return the position of a shared hyperparameter (the first, if indexed), -1 if absent."""
        names = [hyper.name for hyper in self.hypers]
        return names.index(name) if name in names else -1

    @property
    def n_fixed(self) -> tuple[int, ...]:
        """Baseline columns of each market."""
        return tuple(design.fixed.shape[1] for design in self.designs)


def build_markets(campaign: Campaign, spec: ModelSpec) -> MarketsDesign:
    """Return the arrays of a joint model of all markets of a campaign.

    Parameters
    ----------
    campaign : Campaign
        Two markets or more.
    spec : ModelSpec

    Returns
    -------
    MarketsDesign

    Raises
    ------
    EngineError
        Naming everything that a joint model does not do: a single market, counts, states beside
        the level, a free kernel, a market or a campaign without posts.
    """
    markets = campaign.markets
    parts = [campaign.market(name) for name in markets]
    problems = []
    if len(markets) < 2:
        problems.append(f"a joint model needs two markets or more, found {', '.join(markets)}")
    problems += [f"no post reaches {part.markets[0]}" for part in parts if not len(part.posts)]
    if problems:
        raise EngineError(f"{'; '.join(problems)}; fit each with campaign.market(name)")
    ids = [str(post) for post in campaign.posts["post_id"]]
    place = {post: i for i, post in enumerate(ids)}
    reach, designs = [], []
    for part in parts:
        downloads = part.downloads["downloads"].to_numpy(dtype=np.float64)
        posts = build_posts(campaign, spec.response, downloads)
        mine = np.array([place[str(post)] for post in part.posts["post_id"]], dtype=np.int64)
        design = build_design(part, spec, _chosen(posts, mine))
        own_sd = Hyper("market_sd", "exponential", spec.response.market_rate)
        n = len(design.hypers) + 1
        mix = np.eye(n)
        mix[: n - 1, : n - 1] = design.mix
        designs.append(replace(design, hypers=(*design.hypers, own_sd), mix=mix))
        reach.append(mine)
    for name, design in zip(markets, designs, strict=True):
        if design.likelihood == "negative_binomial":
            problems.append(f"counts in {name} (negative_binomial)")
        if design.beyond_level:
            problems.append(design.beyond_level)
    if problems:
        raise EngineError(
            f"a joint model of markets has lognormal downloads (or the linear scale) and a local "
            f"level, found {', '.join(dict.fromkeys(problems))}; fit each market by itself"
        )
    hypers, places = _joint_hypers(designs)
    # every market has all kernel groups; the largest set of shared hyperparameters has the mix
    whole = max(range(len(designs)), key=lambda m: len(designs[m].hypers))
    mix = np.eye(len(hypers))
    mix[np.ix_(places[whole], places[whole])] = designs[whole].mix
    return MarketsDesign(
        markets=markets,
        designs=tuple(designs),
        posts=replace(posts, log_size=np.zeros(len(ids))),
        reach=tuple(reach),
        hypers=hypers,
        mix=mix,
        places=places,
    )


def _chosen(posts: PostDesign, index: IntArray) -> PostDesign:
    """Return some of the posts, with the groups, influencers and kernel groups of all."""
    return replace(
        posts,
        ids=tuple(posts.ids[i] for i in index),
        day=posts.day[index],
        fraction=posts.fraction[index],
        kernel_group=posts.kernel_group[index],
        log_views=posts.log_views[index],
        log_size=posts.log_size[index],
        membership=posts.membership[index],
        influencer=posts.influencer[index],
    )


def _joint_hypers(designs: list[Design]) -> tuple[tuple[Hyper, ...], tuple[IntArray, ...]]:
    """Return all hyperparameters, and where those of each market are among them."""
    hypers: list[Hyper] = []
    where: dict[tuple[str, int, int], int] = {}
    keys = []
    for market, design in enumerate(designs):
        seen: dict[str, int] = {}
        mine = []
        for hyper in design.hypers:
            seen[hyper.name] = seen.get(hyper.name, -1) + 1
            own = market if hyper.name in OWN else -1
            mine.append((hyper, (hyper.name, seen[hyper.name], own)))
        keys.append(mine)
    order = [*OWN, *dict.fromkeys(h.name for design in designs for h in design.hypers)]
    for name in dict.fromkeys(order):
        for mine in keys:
            for hyper, key in mine:
                if hyper.name == name and key not in where:
                    where[key] = len(hypers)
                    hypers.append(hyper)
    places = tuple(np.array([where[key] for _, key in mine], dtype=np.int64) for mine in keys)
    return tuple(hypers), places
