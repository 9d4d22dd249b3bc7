"""Chains of a PyMC model: run by nutpie or PyMC, and run again where they must not be believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lift.engines.base import Progress, SampleSettings
from lift.rng import stream

FloatArray = NDArray[np.float64]
Sampler = Literal["nutpie", "pymc"]

TUNE = 1000
"""Steps of each chain that adapt the sampler and are thrown away."""
TARGET_ACCEPT = (0.99, 0.998, 0.9995)
"""Acceptance rates, tried in turn until no transition diverges.

The first is above the usual 0.8: the scales of few posts make narrow corners, and a sampler that
takes shorter steps gets into them. At 0.95 most campaigns have a few divergences.
"""
STEPS_PER_DRAW = (1, 3, 9)
"""Steps of a chain of which one is kept, tried in turn until there are enough effective draws."""
ENOUGH_ESS = 400.0
"""Effective draws that everything watched should have; half of all draws are enough where few are
asked for."""
MIXED_R_HAT = 1.01
"""R-hat of chains that have mixed (Vehtari et al. 2021, doi:10.1214/20-BA1221)."""
PROGRESS_MS = 200


@dataclass(frozen=True)
class ChainOptions:
    """How chains are run.

    Attributes
    ----------
    sampler : "nutpie" or "pymc"
        Who implements the no-U-turn sampler.
    tune : int
        Steps of each chain that adapt the sampler and are thrown away.
    target_accept : sequence of float
        Acceptance rates to adapt to, in (0, 1); the next is tried where transitions diverged with
        the one before, and all chains are sampled anew.
    steps_per_draw : sequence of int
        Steps of which one is kept; the next is tried where fewer draws were effective than
        ``ENOUGH_ESS``, and all chains are sampled anew.
    adaptation : "low_rank" or "diag"
        Mass matrix that nutpie adapts.
    """

    sampler: Sampler = "nutpie"
    tune: int = TUNE
    target_accept: Sequence[float] = TARGET_ACCEPT
    steps_per_draw: Sequence[int] = STEPS_PER_DRAW
    adaptation: str = "low_rank"


@dataclass(frozen=True)
class _Chains:
    """How chains are run this time."""

    tune: int
    target_accept: float
    steps_per_draw: int
    adaptation: str


def sample_chains(
    make: Callable[[], Any],
    names: Sequence[str],
    watched: Callable[[xr.Dataset], FloatArray],
    settings: SampleSettings,
    options: ChainOptions,
    progress: Progress | None = None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return draws of a model, and what was told of its chains.

    Parameters
    ----------
    make : callable
        Returns the model, for nutpie its compiled form.
    names : sequence of str
        Variables to keep, for PyMC; nutpie's compiled form has its own.
    watched : callable
        Of the draws, what must have enough of them, shape (chain, draw, k).
    settings : SampleSettings
    options : ChainOptions
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    draws : Dataset, dims (chain, draw, ...)
    stats : dict
        Divergences of the chains that are returned, how many times they were sampled, the mean
        number of gradients of a draw, and what the sampler was told.
    """
    model = make()
    # one BLAS thread: chains are the parallel tasks, and last digits must not depend on them
    with threadpool_limits(1, user_api="blas"):
        accept, steps, fits = 0, 0, 0
        while True:
            chains = _Chains(
                options.tune,
                options.target_accept[accept],
                options.steps_per_draw[steps],
                options.adaptation,
            )
            name = (str(chains.target_accept), f"{chains.steps_per_draw} steps a draw")
            seed = int(stream(settings.seed, "pymc", options.sampler, *name).integers(2**32))
            if options.sampler == "nutpie":
                tree = _nutpie(model, settings, seed, chains, progress)
            else:
                tree = _pymc(model, names, settings, seed, chains)
            fits += 1
            sampled, draws = tree["sample_stats"].to_dataset(), _kept(tree, chains)
            divergences = int(sampled["diverging"].sum())
            if divergences and accept + 1 < len(options.target_accept):
                accept += 1
            elif steps + 1 < len(options.steps_per_draw) and not enough(watched(draws)):
                steps += 1
            else:
                break
    n_steps = sampled["n_steps" if "n_steps" in sampled else "tree_size"]
    if progress is not None:
        progress(1.0, "draws")
    return draws, {
        "divergences": divergences,
        "fits": fits,
        "gradients_per_draw": float(n_steps.mean()) * chains.steps_per_draw,
        "steps_per_draw": chains.steps_per_draw,
        "sampler": options.sampler,
        "n_tune": options.tune,
        "target_accept": chains.target_accept,
    }


def _kept(tree: xr.DataTree, chains: _Chains) -> xr.Dataset:
    """Return the draws that are kept."""
    draws: xr.Dataset = tree["posterior"].to_dataset()
    return draws.isel(draw=slice(chains.steps_per_draw - 1, None, chains.steps_per_draw))


def enough(values: FloatArray) -> bool:
    """Return whether everything has enough effective draws.

    Chains that are long enough to tell must have mixed too.

    Parameters
    ----------
    values : ndarray, shape (chain, draw, k)
    """
    n_draws = values.shape[0] * values.shape[1]
    needed = min(ENOUGH_ESS, 0.5 * n_draws)
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


def _nutpie(
    compiled: Any,
    settings: SampleSettings,
    seed: int,
    chains: _Chains,
    progress: Progress | None,
) -> xr.DataTree:
    told: dict[str, Any] = {}
    if progress is not None:
        report = progress

        def tell(running: Sequence[Any]) -> None:
            done = sum(chain.finished_draws for chain in running)
            all_draws = sum(chain.total_draws for chain in running)
            tuning = any(chain.tuning for chain in running)
            report(done / max(all_draws, 1), "tune" if tuning else "draws")

        told = {"progress_callback": tell, "progress_rate": PROGRESS_MS}
    tree: xr.DataTree = nutpie.sample(
        compiled,
        draws=chains.steps_per_draw * settings.draws // settings.chains,
        tune=chains.tune,
        chains=settings.chains,
        cores=min(settings.workers, settings.chains),
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        adaptation=chains.adaptation,
        target_accept=chains.target_accept,
        **told,
    )
    return tree


def _pymc(
    model: pm.Model, names: Sequence[str], settings: SampleSettings, seed: int, chains: _Chains
) -> xr.DataTree:
    with model:
        tree: xr.DataTree = pm.sample(
            draws=chains.steps_per_draw * settings.draws // settings.chains,
            tune=chains.tune,
            chains=settings.chains,
            cores=min(settings.workers, settings.chains),
            random_seed=seed,
            target_accept=chains.target_accept,
            nuts_sampler="pymc",
            var_names=list(names),
            progressbar=False,
            compute_convergence_checks=False,
        )
    return tree


def values_of(draws: xr.Dataset, name: str) -> FloatArray:
    """Return draws of a variable, shape (chain, draw, size of one draw).

    Parameters
    ----------
    draws : Dataset, dims (chain, draw, ...)
    name : str
    """
    array = draws[name].transpose("chain", "draw", ...).to_numpy()
    return np.asarray(array.reshape(*array.shape[:2], -1), dtype=np.float64)
