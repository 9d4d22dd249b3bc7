"""The PyMC engine: the same model by Hamiltonian Monte Carlo, as an independent referee."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

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
from lift.engines.pymc_model import build_model, coefficient_name
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec

FloatArray = NDArray[np.float64]
COMPILED_MODELS = 4
"""Models of a process that are kept compiled."""


def fit_pymc(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
    *,
    sampler: Sampler = "nutpie",
    tune: int = TUNE,
    target_accept: Sequence[float] = TARGET_ACCEPT,
    steps_per_draw: Sequence[int] = STEPS_PER_DRAW,
) -> Posterior:
    """Return the posterior by the no-U-turn sampler (Hoffman & Gelman 2014, JMLR 15:1593).

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.
    sampler : "nutpie" or "pymc"
        Who implements it.
    tune : int
        Steps of each chain that adapt the sampler and are thrown away.
    target_accept : sequence of float
        Acceptance rates to adapt to, in (0, 1); the next is tried where transitions diverged with
        the one before, and all its chains are sampled anew.
    steps_per_draw : sequence of int
        Steps of which one is kept; the next is tried where fewer draws were effective than
        ``ENOUGH_ESS``, and all chains are sampled anew.

    Returns
    -------
    Posterior
        ``sample_stats`` holds the divergences of the chains that are returned, how many times they
        were sampled, the mean number of gradients of a draw, and what the sampler was told.
        :func:`lift.analysis.diagnostics.findings` holds them to the gates of Markov chains.

    Raises
    ------
    EngineError
        If the model does not fit the data, such as a lognormal one for zeros.
    """
    design = build_design(campaign, spec)
    if progress is not None:
        progress(0.0, "compile")
    # group means trade off against each other; a latent level has no such pairs but many dims
    adaptation = "low_rank" if design.likelihood == "lognormal" else "diag"
    model = None if sampler == "nutpie" else build_model(design)
    draws, stats = sample_chains(
        lambda: _compiled(_Key.of(design)) if model is None else model,
        [] if model is None else _wanted(model),
        lambda draws: _watched(design, draws),
        settings,
        ChainOptions(sampler, tune, target_accept, steps_per_draw, adaptation),
        progress,
    )
    return assemble(
        campaign,
        spec,
        design,
        coordinates=_coordinates(design, draws),
        coefficients=_coefficients(design, draws),
        attrs={"engine": "pymc", "seed": settings.seed},
        stats=stats,
    )


def _watched(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return draws of every hyperparameter and amplitude, (chain, draw, k)."""
    names = {hyper.name for hyper in design.hypers} | ({"amplitude"} & set(draws.data_vars))
    return np.concatenate([values_of(draws, name) for name in sorted(names)], axis=2)


@dataclass(frozen=True)
class _Key:
    """A design by its content, so that the same one is compiled once."""

    digest: str
    design: Design = field(compare=False)

    @classmethod
    def of(cls, design: Design) -> _Key:
        return cls(hashlib.sha256(pickle.dumps(design)).hexdigest(), design)


@lru_cache(maxsize=COMPILED_MODELS)
def _compiled(key: _Key) -> Any:
    """Return the compiled model of a design, kept for the next fit: compiling takes longest."""
    model = build_model(key.design)
    return nutpie.compile_pymc_model(model, var_names=_wanted(model))


def _wanted(model: pm.Model) -> list[str]:
    """Return the variables that a posterior is made of."""
    made_of = ("level_z", "early_response", "log_early_response")
    free = [v.name for v in model.free_RVs if v.name not in made_of]
    return [*free, *(["amplitude"] if "amplitude" in model.named_vars else [])]


def _coordinates(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return standard normal coordinates of the hyperparameters, shape (chain, draw, d)."""
    names = list(dict.fromkeys(hyper.name for hyper in design.hypers))
    values = np.concatenate([values_of(draws, name) for name in names], axis=2)
    flat = coordinates(values.reshape(-1, values.shape[2]), design.hypers, design.mix)
    return flat.reshape(values.shape)


def _coefficients(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return baseline coefficients, own deviations, group means, influencers."""
    parts = [values_of(draws, coefficient_name(block)) for block in design.blocks]
    if design.posts.ids:
        posts, means = design.posts, values_of(draws, "group_mean")
        own, typical = values_of(draws, "amplitude"), design.typical_amplitude
        own = (own if typical is None else np.log(own / typical)) - means @ posts.membership.T
        parts += [own, means]
        if posts.influencers:
            people = values_of(draws, "influencer_effect")
            has = posts.influencer >= 0
            own[..., has] -= people[..., posts.influencer[has]]
            parts.append(people)
    n_chains, n_draws = draws.sizes["chain"], draws.sizes["draw"]
    return np.concatenate([np.empty((n_chains, n_draws, 0)), *parts], axis=2)
