"""The PyMC engine: the same model by Hamiltonian Monte Carlo, as an independent referee."""

from __future__ import annotations

from collections.abc import Sequence
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
from lift.engines.pymc_model import build_model
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]
Sampler = Literal["nutpie", "pymc"]

TUNE = 1000
"""Steps of each chain that adapt the sampler and are thrown away."""
TARGET_ACCEPT = 0.95
"""Above the usual 0.8: the scales of few posts make narrow corners."""
PROGRESS_MS = 200


def fit_pymc(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
    *,
    sampler: Sampler = "nutpie",
    tune: int = TUNE,
    target_accept: float = TARGET_ACCEPT,
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
    target_accept : float
        Acceptance rate to adapt to, in (0, 1); nearer to 1 is slower and diverges less.

    Returns
    -------
    Posterior
        ``sample_stats`` holds the number of divergences, the largest R-hat and the smallest bulk
        ESS over hyperparameters and amplitudes, the mean number of gradients of a draw, and what
        the sampler was told.

    Raises
    ------
    EngineError
        If the model does not fit the data, such as a lognormal one for zeros.
    """
    design = build_design(campaign, spec)
    model = build_model(design)
    seed = int(stream(settings.seed, "pymc", sampler).integers(2**32))
    # one BLAS thread: chains are the parallel tasks, and last digits must not depend on them
    with threadpool_limits(1, user_api="blas"):
        if sampler == "nutpie":
            tree = _nutpie(model, design, settings, seed, tune, target_accept, progress)
        else:
            tree = _pymc(model, settings, seed, tune, target_accept)
    draws = tree["posterior"].to_dataset()
    stats = _stats(tree, draws, design)
    if progress is not None:
        progress(1.0, "draws")
    return assemble(
        campaign,
        spec,
        design,
        coordinates=_coordinates(design, draws),
        coefficients=_coefficients(design, draws),
        attrs={"engine": "pymc", "seed": settings.seed},
        stats={**stats, "sampler": sampler, "n_tune": tune, "target_accept": target_accept},
    )


def _nutpie(
    model: pm.Model,
    design: Design,
    settings: SampleSettings,
    seed: int,
    tune: int,
    target_accept: float,
    progress: Progress | None,
) -> xr.DataTree:
    if progress is not None:
        progress(0.0, "compile")
    compiled = nutpie.compile_pymc_model(model, var_names=_wanted(model))
    options: dict[str, Any] = {}
    if progress is not None:
        report = progress

        def tell(chains: Sequence[Any]) -> None:
            done = sum(chain.finished_draws for chain in chains)
            all_draws = sum(chain.total_draws for chain in chains)
            tuning = any(chain.tuning for chain in chains)
            report(done / max(all_draws, 1), "tune" if tuning else "draws")

        options = {"progress_callback": tell, "progress_rate": PROGRESS_MS}
    tree: xr.DataTree = nutpie.sample(
        compiled,
        draws=settings.draws // settings.chains,
        tune=tune,
        chains=settings.chains,
        cores=min(settings.workers, settings.chains),
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        # group means trade off against each other; a latent level has no such pairs but many dims
        adaptation="low_rank" if design.likelihood == "lognormal" else "diag",
        target_accept=target_accept,
        **options,
    )
    return tree


def _pymc(
    model: pm.Model, settings: SampleSettings, seed: int, tune: int, target_accept: float
) -> xr.DataTree:
    with model:
        tree: xr.DataTree = pm.sample(
            draws=settings.draws // settings.chains,
            tune=tune,
            chains=settings.chains,
            cores=min(settings.workers, settings.chains),
            random_seed=seed,
            target_accept=target_accept,
            nuts_sampler="pymc",
            var_names=_wanted(model),
            progressbar=False,
            compute_convergence_checks=False,
        )
    return tree


def _wanted(model: pm.Model) -> list[str]:
    """Return the variables that a posterior is made of: the free ones but the latent level."""
    free = [variable.name for variable in model.free_RVs if variable.name != "level_z"]
    return free + [name for name in ("amplitude", "influencer_effect") if name in model.named_vars]


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
    variables = {
        "week": "week_contrast",
        "year": "year",
        "holiday": "holiday_effect",
        "control": "control_effect",
    }
    parts = [_values(draws, variables[block.name]) for block in design.blocks]
    if design.posts.ids:
        own = _values(draws, "amplitude_sd") * _values(draws, "own_z")
        parts += [own, _values(draws, "group_mean")]
        if design.posts.influencers:
            parts.append(_values(draws, "influencer_effect"))
    n_chains, n_draws = draws.sizes["chain"], draws.sizes["draw"]
    return np.concatenate([np.empty((n_chains, n_draws, 0)), *parts], axis=2)


def _stats(tree: xr.DataTree, draws: xr.Dataset, design: Design) -> dict[str, float | int]:
    """Return what tells whether the chains can be believed."""
    names = dict.fromkeys([*(hyper.name for hyper in design.hypers), "amplitude"])
    columns = np.concatenate([_values(draws, name) for name in names if name in draws], axis=2)
    axes = {"chain_axis": 0, "draw_axis": 1}
    r_hats = array_stats.rhat(columns, method="rank", **axes)
    bulk = array_stats.ess(columns, method="bulk", **axes)
    sampled = tree["sample_stats"].to_dataset()
    n_steps = sampled["n_steps" if "n_steps" in sampled else "tree_size"]
    return {
        "divergences": int(sampled["diverging"].sum()),
        "max_r_hat": float(np.max(r_hats)),
        "min_ess": float(np.min(bulk)),
        "gradients_per_draw": float(n_steps.mean()),
    }
