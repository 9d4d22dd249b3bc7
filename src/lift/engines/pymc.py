"""The PyMC engine: the same model by Hamiltonian Monte Carlo, as an independent referee."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lift.data.campaign import Campaign
from lift.engines.base import Progress, SampleSettings
from lift.engines.pymc_model import build_model, coefficient_name
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
Sampler = Literal["nutpie", "pymc"]

TUNE = 1000
"""Steps of each chain that adapt the sampler and are thrown away."""
TARGET_ACCEPT = (0.99, 0.998)
"""Acceptance rates, tried in turn until no transition diverges.

The first is above the usual 0.8: the scales of few posts make narrow corners, and a sampler that
takes shorter steps gets into them. At 0.95 most campaigns have a few divergences.
"""
STEPS_PER_DRAW = (1, 3, 9)
"""Steps of a chain of which one is kept, tried in turn until there are enough effective draws."""
ENOUGH_ESS = 400.0
"""Effective draws that every hyperparameter and amplitude should have; half of all draws are enough
where few are asked for."""
MIXED_R_HAT = 1.01
"""R-hat of chains that have mixed (Vehtari et al. 2021, doi:10.1214/20-BA1221)."""
PROGRESS_MS = 200
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
    compiled = _compiled(_Key.of(design)) if sampler == "nutpie" else None
    # one BLAS thread: chains are the parallel tasks, and last digits must not depend on them
    with threadpool_limits(1, user_api="blas"):
        accept, steps, fits = 0, 0, 0
        while True:
            chains = _Chains(tune, target_accept[accept], steps_per_draw[steps])
            name = (str(chains.target_accept), f"{chains.steps_per_draw} steps a draw")
            seed = int(stream(settings.seed, "pymc", sampler, *name).integers(2**32))
            if sampler == "nutpie":
                tree = _nutpie(compiled, design, settings, seed, chains, progress)
            else:
                tree = _pymc(build_model(design), settings, seed, chains)
            fits += 1
            sampled, draws = tree["sample_stats"].to_dataset(), _kept(tree, chains)
            divergences = int(sampled["diverging"].sum())
            if divergences and accept + 1 < len(target_accept):
                accept += 1
            elif steps + 1 < len(steps_per_draw) and not _enough(design, draws):
                steps += 1
            else:
                break
    n_steps = sampled["n_steps" if "n_steps" in sampled else "tree_size"]
    if progress is not None:
        progress(1.0, "draws")
    return assemble(
        campaign,
        spec,
        design,
        coordinates=_coordinates(design, draws),
        coefficients=_coefficients(design, draws),
        attrs={"engine": "pymc", "seed": settings.seed},
        stats={
            "divergences": divergences,
            "fits": fits,
            "gradients_per_draw": float(n_steps.mean()) * chains.steps_per_draw,
            "steps_per_draw": chains.steps_per_draw,
            "sampler": sampler,
            "n_tune": tune,
            "target_accept": chains.target_accept,
        },
    )


@dataclass(frozen=True)
class _Chains:
    """How the chains are run."""

    tune: int
    target_accept: float
    steps_per_draw: int


def _kept(tree: xr.DataTree, chains: _Chains) -> xr.Dataset:
    """Return the draws that are kept."""
    draws: xr.Dataset = tree["posterior"].to_dataset()
    return draws.isel(draw=slice(chains.steps_per_draw - 1, None, chains.steps_per_draw))


def _enough(design: Design, draws: xr.Dataset) -> bool:
    """Return whether every hyperparameter and amplitude has enough effective draws.

    Chains that are long enough to tell must have mixed too.
    """
    n_draws = draws.sizes["chain"] * draws.sizes["draw"]
    needed = min(ENOUGH_ESS, 0.5 * n_draws)
    names = {hyper.name for hyper in design.hypers} | ({"amplitude"} & set(draws.data_vars))
    values = np.concatenate([_values(draws, name) for name in sorted(names)], axis=2)
    of: tuple[dict[str, Any], ...] = ({"method": "bulk"}, {"method": "tail", "prob": (0.05, 0.95)})
    if n_draws >= 2.0 * ENOUGH_ESS:
        mixed = array_stats.rhat(values, chain_axis=0, draw_axis=1, method="rank")
        if not (mixed < MIXED_R_HAT).all():
            return False
    return all(
        float(array_stats.ess(values[..., i], chain_axis=0, draw_axis=1, **which)) >= needed
        for i in range(values.shape[2])
        for which in of
    )


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


def _nutpie(
    compiled: Any,
    design: Design,
    settings: SampleSettings,
    seed: int,
    chains: _Chains,
    progress: Progress | None,
) -> xr.DataTree:
    options: dict[str, Any] = {}
    if progress is not None:
        report = progress

        def tell(running: Sequence[Any]) -> None:
            done = sum(chain.finished_draws for chain in running)
            all_draws = sum(chain.total_draws for chain in running)
            tuning = any(chain.tuning for chain in running)
            report(done / max(all_draws, 1), "tune" if tuning else "draws")

        options = {"progress_callback": tell, "progress_rate": PROGRESS_MS}
    tree: xr.DataTree = nutpie.sample(
        compiled,
        draws=chains.steps_per_draw * settings.draws // settings.chains,
        tune=chains.tune,
        chains=settings.chains,
        cores=min(settings.workers, settings.chains),
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        # group means trade off against each other; a latent level has no such pairs but many dims
        adaptation="low_rank" if design.likelihood == "lognormal" else "diag",
        target_accept=chains.target_accept,
        **options,
    )
    return tree


def _pymc(model: pm.Model, settings: SampleSettings, seed: int, chains: _Chains) -> xr.DataTree:
    with model:
        tree: xr.DataTree = pm.sample(
            draws=chains.steps_per_draw * settings.draws // settings.chains,
            tune=chains.tune,
            chains=settings.chains,
            cores=min(settings.workers, settings.chains),
            random_seed=seed,
            target_accept=chains.target_accept,
            nuts_sampler="pymc",
            var_names=_wanted(model),
            progressbar=False,
            compute_convergence_checks=False,
        )
    return tree


def _wanted(model: pm.Model) -> list[str]:
    """Return the variables that a posterior is made of."""
    made_of = ("level_z", "early_response", "log_early_response")
    free = [v.name for v in model.free_RVs if v.name not in made_of]
    return [*free, *(["amplitude"] if "amplitude" in model.named_vars else [])]


def _values(draws: xr.Dataset, name: str) -> FloatArray:
    """Return draws of a variable, shape (chain, draw, size of one draw)."""
    array = draws[name].transpose("chain", "draw", ...).to_numpy()
    return np.asarray(array.reshape(*array.shape[:2], -1), dtype=np.float64)


def _coordinates(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return standard normal coordinates of the hyperparameters, shape (chain, draw, d)."""
    names = list(dict.fromkeys(hyper.name for hyper in design.hypers))
    values = np.concatenate([_values(draws, name) for name in names], axis=2)
    flat = coordinates(values.reshape(-1, values.shape[2]), design.hypers, design.mix)
    return flat.reshape(values.shape)


def _coefficients(design: Design, draws: xr.Dataset) -> FloatArray:
    """Return baseline coefficients, own deviations, group means, influencers."""
    parts = [_values(draws, coefficient_name(block)) for block in design.blocks]
    if design.posts.ids:
        posts, means = design.posts, _values(draws, "group_mean")
        own, typical = _values(draws, "amplitude"), design.typical_amplitude
        own = (own if typical is None else np.log(own / typical)) - means @ posts.membership.T
        parts += [own, means]
        if posts.influencers:
            people = _values(draws, "influencer_effect")
            has = posts.influencer >= 0
            own[..., has] -= people[..., posts.influencer[has]]
            parts.append(people)
    n_chains, n_draws = draws.sizes["chain"], draws.sizes["draw"]
    return np.concatenate([np.empty((n_chains, n_draws, 0)), *parts], axis=2)
