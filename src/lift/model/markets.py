"""Several markets at once: baselines of their own, posts that they share.

For market m, ``y_mt = lambda_t + mu_mt + (week, year, holidays, controls of m)
+ sum_j b_jm g_jm K(t; tau_j) + noise`` over the posts that reach it, with
``b_jm = r_jm b_j + zeta_jm`` and ``zeta_jm ~ N(0, market_sd^2)``: what a post does everywhere, and
what it does otherwise here. The shared ``b_j`` has the hierarchy of one market (group means,
influencer, own deviation). Level, noise and control coefficients have hyperparameters of each
market; those of the response are shared. Where a post reaches, ``r_jm`` is 1; where it does not it
is no part of the market, or ``r_jm = spill_over`` for all of them. The path ``lambda_t`` that all
markets have in common is there where :class:`lift.model.markets_spec.MarketsSpec` asks for it:
markets are independent given it, the hyperparameters and the shared amplitudes. Where downloads are
few, a market's are counts whose log mean is the same sum without the noise; the markets of one
campaign can be of both kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.errors import EngineError
from lift.model.design import Design, PostDesign, build_design, build_posts
from lift.model.hyper import Hyper
from lift.model.markets_spec import MarketsSpec
from lift.model.spec import ModelSpec, ResponseSpec

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
        Positions among ``posts`` of the posts of each market; with spill-over, of all posts.
    hypers : tuple of Hyper, length d
        Each of ``OWN`` for all markets that have it, then the shared ones.
    mix : ndarray, shape (d, d)
    places : tuple of ndarray of int
        Positions among ``hypers`` of the hyperparameters of each market's design.
    loading_sd : float, optional
        Prior sd of the markets' log loadings on what they have in common; None where all are 1.
    """

    markets: tuple[str, ...]
    designs: tuple[Design, ...]
    posts: PostDesign
    reach: tuple[IntArray, ...]
    hypers: tuple[Hyper, ...]
    mix: FloatArray
    places: tuple[IntArray, ...]
    loading_sd: float | None = None

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
        Naming everything that a joint model does not do: a single market, states beside the level,
        a free kernel, a campaign without posts, or a market without them that has nothing in common
        with the others.
    """
    markets = campaign.markets
    asked = spec.markets or MarketsSpec()
    parts = [market_part(campaign, name, asked) for name in markets]
    problems = []
    if len(markets) < 2:
        problems.append(f"a joint model needs two markets or more, found {', '.join(markets)}")
    if not len(campaign.posts):
        problems.append("no post in any market")
    elif not (asked.shared_level or asked.shared_noise):
        problems += [f"no post reaches {part.markets[0]}" for part in parts if not len(part.posts)]
    if problems:
        raise EngineError(
            f"{'; '.join(problems)}; fit each by itself (campaign.market(name), lift fit --market) "
            "or let markets have something in common (shared_level = true under [markets])"
        )
    ids = [str(post) for post in campaign.posts["post_id"]]
    reach, designs = [], []
    for name, part in zip(markets, parts, strict=True):
        downloads = part.downloads["downloads"].to_numpy(dtype=np.float64)
        posts = build_posts(campaign, spec.response, downloads)
        mine, share = _shares(campaign, name, asked)
        design = build_design(part, spec, replace(_chosen(posts, mine), share=share))
        more = _common_hypers(spec.response, asked)
        n, n_own = len(design.hypers) + len(more), len(design.hypers)
        mix = np.eye(n)
        mix[:n_own, :n_own] = design.mix
        designs.append(replace(design, hypers=(*design.hypers, *more), mix=mix))
        reach.append(mine)
    problems = [design.beyond_level for design in designs if design.beyond_level]
    if problems:
        raise EngineError(
            f"a joint model of markets has a local level, found "
            f"{', '.join(dict.fromkeys(problems))}; fit each market by itself (lift fit --market)"
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
        loading_sd=asked.loading_sd if asked.free_loadings else None,
    )


def market_part(campaign: Campaign, name: str, asked: MarketsSpec) -> Campaign:
    """Return one market's campaign with the posts that a joint model has in it.

    Parameters
    ----------
    campaign : Campaign
    name : str
    asked : MarketsSpec

    Returns
    -------
    Campaign
        With the posts that reach the market; all of them where they spill over.
    """
    return campaign.market(name, every_post=asked.spill_over)


def _shares(
    campaign: Campaign, name: str, asked: MarketsSpec
) -> tuple[IntArray, FloatArray | None]:
    """Return the posts in a market, and what part they have there of what they do everywhere."""
    share = campaign.audience_share(name)
    if asked.spill_over:
        share = np.where(share > 0.0, share, np.nan)
    mine = np.flatnonzero(share != 0.0)
    return mine, None if (share[mine] == 1.0).all() else share[mine]


def _common_hypers(response: ResponseSpec, asked: MarketsSpec) -> list[Hyper]:
    """Return the hyperparameters of what markets have in common."""
    more = [Hyper("market_sd", "exponential", response.market_rate)]
    if asked.shared_level:
        more.append(Hyper("shared_level_sd", "exponential", asked.shared_level_rate))
    if asked.shared_noise:
        more.append(Hyper("shared_noise_sd", "exponential", asked.shared_noise_rate))
    if asked.spill_over:
        more.append(Hyper("spill_over", "normal", 0.0, asked.spill_over_sd))
    return more


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
