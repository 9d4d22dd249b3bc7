"""The Gibbs engine: for distributions that are normal only given scale variables.

Student t noise, levels that jump and heavy-tailed amplitudes are normal given a variance multiplier
for each day or post. Given these, the model is that of the exact engine: hyperparameters are moved
by Metropolis steps with all states and coefficients integrated out, then coefficients, the states'
sum and the steps of the level are drawn jointly, then the multipliers, together with the sd and the
degrees of freedom of their distribution, which are moved with the multipliers integrated out (a
partially collapsed sampler: van Dyk & Park 2008, doi:10.1198/016214508000000409). Of counts nothing
can be integrated out: coefficients and states are moved with the hyperparameters, and with the
prior variances of controls, see :mod:`lift.engines._count_sweeps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from lift.data.campaign import Campaign
from lift.engines._proposals import Jumps
from lift.engines.base import Progress, SampleSettings
from lift.engines.chains import (
    N_JUMPS,
    N_WALKS,
    Chain,
    GibbsModel,
    advance,
    as_jumps,
    new_chain,
    pack_gibbs,
    with_known_spread,
)
from lift.engines.exact import EMPTY, pack
from lift.engines.importance import integrate
from lift.engines.limits import require
from lift.engines.mixture import fit_mixture
from lift.model.control_scales import (
    control_columns,
)
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

START_CONTROL_SD = 0.2
"""Prior sd of selected or shrunk controls in the normal model that chains start from."""
START_ESS = 400
"""Effective points of the normal model that the first proposals are made from."""
FIRST_SWEEPS, SECOND_SWEEPS, LAST_SWEEPS = 150, 250, 50
"""Sweeps of the warm-up of each chain: before, between and after the proposals are fitted anew."""
THIN = 2
"""Sweeps for each draw that is kept."""
CHUNKS = 10
INFLATION = 1.1


def fit_gibbs(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
) -> Posterior:
    """Return the posterior by the Gibbs engine.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.

    Returns
    -------
    Posterior
        ``sample_stats`` holds shares of accepted proposals and the number of likelihood
        evaluations; convergence is judged from the draws.

    Raises
    ------
    EngineError
        If the specification asks for something this engine does not do.
    """
    design = build_design(campaign, spec)
    require("gibbs", design)
    model = pack_gibbs(design)
    tell = progress or (lambda _share, _word: None)
    n = settings.draws // settings.chains
    # one BLAS thread: more are slower at these sizes and change the last digits
    with threadpool_limits(1, user_api="blas"):
        starts, first, n_start = _start(model, settings)
        cov = np.cov(first.T).reshape(first.shape[1], -1)
        chains = [
            new_chain(model, z, cov, stream(settings.seed, "gibbs", f"chain {i}"))
            for i, z in enumerate(starts)
        ]
        jumps = _jumps_to(first)
        for sweeps in (FIRST_SWEEPS, SECOND_SWEEPS):
            tell(0.0, "warming up")
            passed = _each(model, chains, jumps, sweeps, settings.workers, adapt=True)
            jumps = _jumps_to(np.concatenate([zs[sweeps // 3 :] for zs, *_ in passed]))
        _each(model, chains, jumps, LAST_SWEEPS, settings.workers)
        for chain in chains:
            chain.tuning.counts[:] = 0
        parts = []
        for chunk in np.array_split(np.arange(n), min(CHUNKS, n)):
            parts.append(_each(model, chains, jumps, len(chunk), settings.workers, thin=THIN))
            tell(float(chunk[-1] + 1) / n, "sampling")
    zs, log_dfs, gammas, insides, log_globals = (
        np.stack([np.concatenate([part[i][e] for part in parts]) for i in range(len(chains))])
        for e in range(5)
    )
    counts = np.sum([chain.tuning.counts for chain in chains], axis=0)
    stats = {
        "acceptance_walk": float(counts[0] / counts[1]),
        "acceptance_jump": float(counts[2] / counts[3]),
        "n_evaluations": n_start + evaluations(settings),
        "warm_up_sweeps": FIRST_SWEEPS + SECOND_SWEEPS + LAST_SWEEPS,
        "sweeps_per_draw": THIN,
    }
    return assemble(
        campaign,
        spec,
        design,
        coordinates=_coordinates(design, zs, log_dfs),
        coefficients=gammas,
        selection=_selection(design, insides, log_globals),
        attrs={"engine": "gibbs", "seed": settings.seed},
        stats=stats,
    )


def evaluations(settings: SampleSettings) -> int:
    """Return how often chains evaluate the likelihood, apart from the search for their starts."""
    per_sweep = N_WALKS + N_JUMPS + 1
    warm = FIRST_SWEEPS + SECOND_SWEEPS + LAST_SWEEPS
    n = settings.draws // settings.chains
    return settings.chains * per_sweep * (warm + n * THIN)


def normal_part(design: Design) -> Design:
    """Return the model without scale variables that a model with them is about."""
    k = sum(hyper.kind != "degrees" for hyper in design.hypers)
    return replace(
        with_known_spread(design, START_CONTROL_SD),
        hypers=design.hypers[:k],
        mix=design.mix[:k, :k],
    )


def _start(model: GibbsModel, settings: SampleSettings) -> tuple[FloatArray, FloatArray, int]:
    """Return a starting point for each chain, points of the normal model, and evaluations."""
    k = len(model.prior.kinds)
    plain = pack(normal_part(model.design), settings.workers)

    def target(z: FloatArray) -> FloatArray:
        return plain.evaluate(z, EMPTY)[0]

    def draw(z: FloatArray, _: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        return target(z), np.empty((len(z), 0))

    found = integrate(target, draw, k, n_draws=START_ESS, n_chains=1, seed=settings.seed)
    shares = np.exp(found.log_weights[0] - logsumexp(found.log_weights[0]))
    rng = stream(settings.seed, "gibbs", "start")
    edges = np.cumsum(shares) / shares.sum()
    picks = np.searchsorted(edges, rng.random(settings.chains + START_ESS))
    points = found.points[0, np.minimum(picks, len(edges) - 1)]
    return points[: settings.chains], points[settings.chains :], found.n_evaluations


def _jumps_to(points: FloatArray) -> Jumps:
    """Return independent proposals that cover points."""
    return as_jumps(fit_mixture(points, np.zeros(len(points))).inflated(INFLATION))


def _each(
    model: GibbsModel,
    chains: Sequence[Chain],
    jumps: Jumps,
    n: int,
    workers: int,
    *,
    thin: int = 1,
    adapt: bool = False,
) -> list[tuple[FloatArray, ...]]:
    """Return what every chain passes, in their order; see :func:`advance`."""

    def move(chain: Chain) -> tuple[FloatArray, ...]:
        return advance(model, chain, jumps, n, thin=thin, adapt=adapt)

    if workers == 1 or len(chains) == 1:
        return [move(chain) for chain in chains]
    with ThreadPoolExecutor(min(workers, len(chains))) as pool:
        return list(pool.map(move, chains))


def _selection(
    design: Design, insides: FloatArray, log_globals: FloatArray
) -> dict[str, FloatArray]:
    """Return what the posterior holds of the selection or shrinkage of controls."""
    if not control_columns(design)[1]:
        return {}
    if design.selection.prior == "horseshoe":
        return {"control_tau": np.exp(log_globals)}
    return {"inclusion": insides} if design.selection.prior == "spike_slab" else {}


def _coordinates(design: Design, zs: FloatArray, log_dfs: FloatArray) -> FloatArray:
    """Return coordinates of all hyperparameters, shape (chain, draw, d)."""
    at = design.position("noise_df")
    if at < 0:
        return zs
    one = (design.hypers[at],)
    df = coordinates(2.0 + np.exp(log_dfs.reshape(-1, 1)), one, np.eye(1))
    return np.insert(zs, at, df.reshape(log_dfs.shape), axis=2)
