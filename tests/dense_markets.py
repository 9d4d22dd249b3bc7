"""Three markets in one dense normal density of all their days, which tests of engines share."""

from __future__ import annotations

import numpy as np

from lift.engines.reference import moments
from lift.model.hyper import natural
from lift.model.markets import MarketsDesign

TIMES = (30.4, 41.9, 41.9, 60.1, 75.5, 87.25)
MARKETS = ("DE", "FR", "IT")
POST_MARKETS = (None, "IT", "DE", None, None, "FR")


def dense(
    design: MarketsDesign, z: np.ndarray, share: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return stacked outcomes, their covariance, and their covariance with each market's posts.

    The last has the posts of the markets one after the other: own amplitudes, all parts of them.
    """
    sizes, outcomes, blocks, lifts = [], [], [], []
    values = natural(z[None], design.hypers, design.mix)[0]
    n_posts = len(design.posts.ids)
    # covariance of the amplitudes of all pairs of a post and a market
    posts = design.posts
    shared = values[design.position("amplitude_sd")] ** 2 * np.eye(n_posts)
    shared += (posts.membership * posts.group_sd**2) @ posts.membership.T
    if design.position("influencer_sd") >= 0:
        same = (posts.influencer[:, None] == posts.influencer) & (posts.influencer >= 0)
        shared += values[design.position("influencer_sd")] ** 2 * same
    pair_post = np.concatenate(design.reach)
    share = pair_shares(design, values) if share is None else share
    pair_cov = shared[np.ix_(pair_post, pair_post)] * np.outer(share, share)
    pair_cov += values[design.position("market_sd")] ** 2 * np.eye(len(pair_post))
    for part, places in zip(design.designs, design.places, strict=True):
        covariance, columns, prior_sd = moments(part, z[places])
        p = part.fixed.shape[1]
        fixed = columns[:, :p] * prior_sd[:p]
        blocks.append(covariance + fixed @ fixed.T)
        lifts.append(columns[:, p : p + len(part.posts.ids)])
        outcomes.append(part.outcome[part.observed])
        sizes.append(len(outcomes[-1]))
    total = np.zeros((sum(sizes), sum(sizes)))
    loads = np.zeros((sum(sizes), len(pair_post)))
    row = column = 0
    for block, lift in zip(blocks, lifts, strict=True):
        inside = slice(row, row + len(block))
        total[inside, inside] = block
        loads[inside, column : column + lift.shape[1]] = lift
        row, column = row + len(block), column + lift.shape[1]
    days = np.concatenate([np.flatnonzero(part.observed) for part in design.designs])
    if (level := design.position("shared_level_sd")) >= 0:
        total += values[level] ** 2 * np.minimum.outer(days, days)
    if (noise := design.position("shared_noise_sd")) >= 0:
        total += values[noise] ** 2 * np.equal.outer(days, days)
    return np.concatenate(outcomes), total + loads @ pair_cov @ loads.T, pair_cov @ loads.T


def pair_shares(design: MarketsDesign, values: np.ndarray) -> np.ndarray:
    """Return what part of a post's common amplitude each pair has, by the posts that are there."""
    out = []
    for part, name in zip(design.designs, design.markets, strict=True):
        targets = [POST_MARKETS[int(post[1:]) - 1] for post in part.posts.ids]
        reached = np.array([target in (None, name) for target in targets], dtype=bool)
        spilled = values[design.position("spill_over")] if part.posts.share is not None else 1.0
        out.append(np.where(reached, 1.0, spilled))
    return np.concatenate(out)
