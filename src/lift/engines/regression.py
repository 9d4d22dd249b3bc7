"""What an unpooled regression sees of a design: one free impulse per post, no column twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lift.errors import EngineError
from lift.model.baseline import Block
from lift.model.design import Design
from lift.model.response import kernel_days

FloatArray = NDArray[np.float64]

IN_POSTERIOR = {
    "noise_sd": "noise_sd",
    "level_sd": "level_sd",
    "first_day": "first_day_share",
    "log_shape": "kernel_shape",
}
"""Hyperparameters with an estimate (the others belong to pooling), and what the posterior has."""
SAME_COLUMNS = 1e-8
"""Columns whose correlations have a smaller eigenvalue than this cannot be told apart."""


def unpooled(design: Design) -> Design:
    """Return a design without hierarchy: one free impulse per post.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Design
        With the hyperparameters in ``IN_POSTERIOR`` and no groups, influencers or views.
    """
    kept = [i for i, hyper in enumerate(design.hypers) if hyper.name in IN_POSTERIOR]
    n_posts = len(design.posts.ids)
    posts = replace(
        design.posts,
        groups=(),
        membership=np.zeros((n_posts, 0)),
        group_sd=np.zeros(0),
        influencers=(),
        influencer=np.full(n_posts, -1, dtype=np.int64),
        log_views=np.zeros(n_posts),
    )
    hypers = tuple(design.hypers[i] for i in kept)
    return replace(design, posts=posts, hypers=hypers, mix=design.mix[np.ix_(kept, kept)])


def independent(design: Design) -> tuple[Design, list[str]]:
    """Return a design without the baseline columns that others add up to, and their names.

    Parameters
    ----------
    design : Design

    Returns
    -------
    design : Design
        Of columns that add up to one another the first are kept.
    left_out : list of str
    """
    basis: list[FloatArray] = []
    blocks, left_out = [], []
    for block in design.blocks:
        kept = []
        for i, column in enumerate(block.columns[design.observed].T):
            rest = column.copy()
            for _ in range(2):
                rest = rest - sum((unit * (unit @ rest) for unit in basis), np.zeros(len(rest)))
            if (size := float(np.linalg.norm(rest))) > SAME_COLUMNS * np.linalg.norm(column):
                basis.append(rest / size)
                kept.append(i)
            else:
                left_out.append(f"{block.name} {block.labels[i]}")
        if kept:
            labels = tuple(block.labels[i] for i in kept)
            columns = np.ascontiguousarray(block.columns[:, kept])
            blocks.append(Block(block.name, labels, columns, block.prior_sd[kept]))
    return replace(design, blocks=tuple(blocks)), left_out


def refuse_inseparable(design: Design, point: FloatArray) -> None:
    """Check that a regression can tell every post from the others and from the baseline.

    Raises
    ------
    EngineError
        Naming those that it cannot.
    """
    columns = columns_at(design, point)[design.observed]
    names = [f"{block.name} {label}" for block in design.blocks for label in block.labels]
    names += [f"post {post}" for post in design.posts.ids]
    sizes = np.linalg.norm(columns, axis=0)
    if (empty := sizes == 0.0).any():
        shown = ", ".join(name for name, none in zip(names, empty, strict=True) if none)
        raise EngineError(
            f"a regression needs an observed day for every column, found none for {shown}; use "
            'engine = "exact", whose priors fill in'
        )
    values, vectors = np.linalg.eigh((columns / sizes).T @ (columns / sizes))
    if values[0] < SAME_COLUMNS:
        mixed = np.abs(vectors[:, 0]) > 0.1
        shown = ", ".join(name for name, there in zip(names, mixed, strict=True) if there)
        raise EngineError(
            f"a regression cannot tell apart {shown}: their columns are the same or add up; use "
            'engine = "exact", which pools them'
        )


def columns_at(design: Design, point: FloatArray) -> FloatArray:
    """Return the columns of baseline and posts.

    Parameters
    ----------
    design : Design
        As :func:`unpooled` makes it.
    point : ndarray, shape (d,)
        Two sds that are not read, the first day of each kernel group and the log of the shape.

    Returns
    -------
    ndarray, shape (n, q)
    """
    posts = design.posts
    n = len(design.dates)
    response = np.zeros((n, len(posts.ids)))
    shape = np.exp(point[-1])
    for j, day in enumerate(posts.day.tolist()):
        scale = np.exp(point[2 + posts.kernel_group[j]])
        shares = kernel_days(scale, shape, float(posts.fraction[j]), design.window_days)
        n_days = min(design.window_days, n - day)
        response[day : day + n_days, j] = shares[:n_days]
    return np.column_stack([design.fixed, response * np.exp(posts.log_size)])
