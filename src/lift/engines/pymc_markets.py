"""The PyMC engine over several markets: the joint model by Hamiltonian Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.pymc_chains import (
    STEPS_PER_DRAW,
    TARGET_ACCEPT,
    TUNE,
    ChainOptions,
    Sampler,
    sample_chains,
    values_of,
)
from lift.engines.pymc_markets_model import block_columns, build_markets_model
from lift.engines.pymc_model import coefficient_name
from lift.model.hyper import coordinates, natural
from lift.model.markets import OWN, MarketsDesign, build_markets, market_part
from lift.model.markets_spec import MarketsSpec
from lift.model.posterior import Posterior, assemble
from lift.model.predictor import common_shares
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]

LATENT = ("shared_wave", "shared_noise", "early_response", "log_loading")
"""Free variables of which a posterior keeps what they stand for, or nothing."""
DERIVED = ("amplitude", "loading")


def fit_markets_pymc(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
    *,
    sampler: Sampler = "nutpie",
    tune: int = TUNE,
    target_accept: Sequence[float] = TARGET_ACCEPT,
    steps_per_draw: Sequence[int] = STEPS_PER_DRAW,
) -> dict[str, Posterior]:
    """Return the posterior of several markets, fitted together by the no-U-turn sampler.

    Parameters
    ----------
    campaign : Campaign
        Two markets or more.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.
    sampler, tune, target_accept, steps_per_draw
        As for :class:`lift.engines.pymc_chains.ChainOptions`.

    Returns
    -------
    dict of str to Posterior
        As of :func:`lift.engines.markets.fit_markets`. With free loadings each has ``loading``,
        what a unit of the common path does in the market; draws of all markets' belong together.

    Raises
    ------
    EngineError
        If the specification asks for something that the model does not do.
    """
    design = build_markets(campaign, spec)
    if progress is not None:
        progress(0.0, "compile")
    model = build_markets_model(design)
    names = _wanted(model)

    def make() -> object:
        if sampler == "pymc":
            return model
        return nutpie.compile_pymc_model(model, var_names=names)

    draws, stats = sample_chains(
        make,
        names,
        lambda draws: _watched(design, draws),
        settings,
        ChainOptions(sampler, tune, target_accept, steps_per_draw),
        progress,
    )
    common = spec.markets or MarketsSpec()
    out = {}
    for m, name in enumerate(design.markets):
        if not len(design.reach[m]):
            continue
        values = _hyper_values(design, draws, m)
        out[name] = assemble(
            market_part(campaign, name, common),
            spec,
            design.designs[m],
            coordinates=values,
            coefficients=_coefficients(design, draws, m, values),
            attrs={
                "engine": "markets_pymc",
                "seed": settings.seed,
                "markets": ", ".join(design.markets),
            },
            stats=stats,
            selection=_loading(design, draws, m),
        )
    return out


def _wanted(model: pm.Model) -> list[str]:
    """Return the variables that posteriors are made of."""
    free = [variable.name for variable in model.free_RVs if variable.name not in LATENT]
    return [*free, *(name for name in DERIVED if name in model.named_vars)]


def _watched(design: MarketsDesign, draws: xr.Dataset) -> FloatArray:
    """Return draws of every hyperparameter, amplitude and loading, (chain, draw, k)."""
    names = {hyper.name for hyper in design.hypers} | (set(DERIVED) & set(draws.data_vars))
    return np.concatenate([values_of(draws, name) for name in sorted(names)], axis=2)


def _hyper_values(design: MarketsDesign, draws: xr.Dataset, market: int) -> FloatArray:
    """Return coordinates of the hyperparameters of a market's design, (chain, draw, d)."""
    part = design.designs[market]
    columns = []
    for name in dict.fromkeys(hyper.name for hyper in part.hypers):
        values = values_of(draws, name)
        if name in OWN:
            having = [m for m, d in enumerate(design.designs) if d.position(name) >= 0]
            at = having.index(market)
            values = values[..., at : at + 1]
        columns.append(values)
    every = np.concatenate(columns, axis=2)
    flat = coordinates(every.reshape(-1, every.shape[2]), part.hypers, part.mix)
    return flat.reshape(every.shape)


def _coefficients(
    design: MarketsDesign, draws: xr.Dataset, market: int, z: FloatArray
) -> FloatArray:
    """Return a market's coefficients as a model of it alone orders them.

    Baseline columns, posts' own deviations (what of their amplitude is not group means and
    influencer), group means, influencers.
    """
    part, posts = design.designs[market], design.posts
    parts = [np.empty((*z.shape[:2], 0))]
    for block in part.blocks:
        where = block_columns(design, block.name)[market]
        parts.append(values_of(draws, coefficient_name(block))[..., where])
    mine = design.reach[market]
    before = sum(len(reach) for reach in design.reach[:market])
    amplitude = values_of(draws, "amplitude")[..., before : before + len(mine)]
    means = values_of(draws, "group_mean")
    expected = means @ posts.membership[mine].T
    people = np.empty((*z.shape[:2], 0))
    if posts.influencers:
        people = values_of(draws, "influencer_effect")
        has = posts.influencer[mine] >= 0
        expected[..., has] += people[..., posts.influencer[mine][has]]
    if part.posts.share is not None:
        hyper = natural(z.reshape(-1, z.shape[2]), part.hypers, part.mix).reshape(z.shape)
        expected = expected * common_shares(part, hyper)
    return np.concatenate([*parts, amplitude - expected, means, people], axis=2)


def _loading(design: MarketsDesign, draws: xr.Dataset, market: int) -> dict[str, FloatArray]:
    """Return what a unit of the common path does in a market, (chain, draw), where it is free."""
    if design.loading_sd is None:
        return {}
    return {"loading": values_of(draws, "loading")[..., market]}
