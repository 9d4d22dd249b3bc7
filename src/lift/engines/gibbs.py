"""The Gibbs engine: for distributions that are normal only given scale variables.

Student t noise, levels that jump and heavy-tailed amplitudes are normal given a variance multiplier
for each day or post. Given these, the model is that of the exact engine: hyperparameters are moved
by Metropolis steps with level and coefficients integrated out, then coefficients and level are
drawn jointly, then the multipliers, together with the sd and the degrees of freedom of their
distribution, which are moved with the multipliers integrated out (a partially collapsed sampler:
van Dyk & Park 2008, doi:10.1198/016214508000000409).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from lift.data.campaign import Campaign
from lift.engines._proposals import Jumps, Tuning
from lift.engines._scaled import Prior, Problem, Scaled, Work, buffers
from lift.engines._sweeps import Flags, Paths, State, paths, run_sweeps
from lift.engines.base import Progress, SampleSettings
from lift.engines.exact import EMPTY, pack
from lift.engines.importance import integrate
from lift.engines.limits import require
from lift.engines.mixture import Mixture, fit_mixture
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior, assemble
from lift.model.scales import AMPLITUDE_DF, SHIFT_DF
from lift.model.spec import ModelSpec
from lift.rng import stream

FloatArray = NDArray[np.float64]

KINDS = {"exponential": 0, "normal": 1, "beta": 2}
"""Numbers that the compiled code knows prior families by."""
START_ESS = 400
"""Effective points of the normal model that the first proposals are made from."""
FIRST_SWEEPS, SECOND_SWEEPS, LAST_SWEEPS = 150, 250, 50
"""Sweeps of the warm-up of each chain: before, between and after the proposals are fitted anew."""
N_WALKS, N_JUMPS = 2, 3
"""Random-walk and independent proposals of the hyperparameters in a sweep."""
THIN = 2
"""Sweeps for each draw that is kept."""
CHUNKS = 10
INFLATION = 1.1


@dataclass(frozen=True)
class GibbsModel:
    """A design packed for the compiled sweeps.

    Attributes
    ----------
    design : Design
    problem : Problem
    prior : Prior
        Of the hyperparameters that are moved in their standard normal coordinates.
    flags : Flags
    """

    design: Design
    problem: Problem
    prior: Prior
    flags: Flags


@dataclass(frozen=True)
class Chain:
    """One chain; all that it holds is changed in place as it moves.

    Attributes
    ----------
    rng : numpy.random.Generator
        Its own stream.
    state : State
    tuning : Tuning
        Its random walks.
    work, scratch : Work, Paths
        Buffers.
    """

    rng: np.random.Generator
    state: State
    tuning: Tuning
    work: Work
    scratch: Paths


def pack_gibbs(design: Design) -> GibbsModel:
    """Return a design packed for the compiled sweeps.

    Parameters
    ----------
    design : Design
        With the lognormal likelihood.

    Returns
    -------
    GibbsModel
    """
    hypers = [hyper for hyper in design.hypers if hyper.kind != "degrees"]
    k = len(hypers)
    problem = Problem(*pack(design).arguments)  # type: ignore[arg-type]
    prior = Prior(
        kinds=np.array([KINDS[hyper.kind] for hyper in hypers], dtype=np.int64),
        first=np.array([hyper.first for hyper in hypers]),
        second=np.array([hyper.second for hyper in hypers]),
        mix=np.ascontiguousarray(design.mix[:k, :k]),
    )
    degrees = design.position("noise_df")
    flags = Flags(
        noise=design.noise == "student_t",
        level=design.level_shifts,
        amplitude=design.heavy_tails and len(design.posts.ids) > 0,
        level_df=SHIFT_DF,
        amplitude_df=AMPLITUDE_DF,
        df_shape=design.hypers[degrees].first if degrees >= 0 else 1.0,
        df_rate=design.hypers[degrees].second if degrees >= 0 else 1.0,
    )
    return GibbsModel(design, problem, prior, flags)


def new_state(model: GibbsModel, z: FloatArray) -> State:
    """Return the state in which a chain starts: all scales one, the degrees of freedom at 10."""
    n, q = len(model.problem.y), len(model.problem.fixed_sd)
    q += len(model.problem.day) + len(model.problem.mean_sd)
    return State(
        z=z.copy(),
        log_df=np.log(np.array([8.0])),
        scaled=Scaled(noise=np.ones(n), level=np.ones(n), coefficient=np.ones(q)),
        gamma=np.zeros(q),
        level=np.zeros(n),
    )


def new_chain(model: GibbsModel, z: FloatArray, cov: FloatArray, rng: np.random.Generator) -> Chain:
    """Return a chain that has not moved.

    Parameters
    ----------
    model : GibbsModel
    z : ndarray, shape (k,)
        Standard normal coordinates where it starts.
    cov : ndarray, shape (k, k)
        Covariance that its random walk starts with.
    rng : numpy.random.Generator

    Returns
    -------
    Chain
    """
    dim = len(z)
    factor = np.linalg.cholesky(cov + 1e-6 * np.eye(dim)) * 2.38 / np.sqrt(dim)
    work = buffers(model.problem, dim)
    return Chain(
        rng=rng,
        state=new_state(model, z),
        tuning=Tuning(
            factor=np.ascontiguousarray(factor),
            log_steps=np.log(np.array([0.2, 0.5, 0.2, 0.2])),
            age=np.zeros(5),
            counts=np.zeros(4, dtype=np.int64),
        ),
        work=work,
        scratch=paths(work),
    )


def as_jumps(mixture: Mixture) -> Jumps:
    """Return a mixture as the compiled sweeps take it."""
    factors = np.ascontiguousarray(mixture.factors)
    return Jumps(
        log_shares=np.log(mixture.shares / mixture.shares.sum()),
        means=np.ascontiguousarray(mixture.means),
        factors=factors,
        inverses=np.stack([np.tril(dtrtri(factor, lower=1)[0]) for factor in factors]),
    )


def advance(
    model: GibbsModel, chain: Chain, jumps: Jumps, n: int, *, thin: int = 1, adapt: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Move a chain and return what it passes.

    Parameters
    ----------
    model : GibbsModel
    chain : Chain
        Changed in place.
    jumps : Jumps
    n : int
        Draws to keep.
    thin : int
        Sweeps for each of them.
    adapt : bool
        Whether the random walks adapt.

    Returns
    -------
    z : ndarray, shape (n, k)
    log_df : ndarray, shape (n,)
        Log of the degrees of freedom less 2.
    gamma : ndarray, shape (n, q)
    """
    zs = np.empty((n, len(chain.state.z)))
    log_dfs = np.empty(n)
    gammas = np.empty((n, len(chain.state.gamma)))
    run_sweeps(
        chain.rng, chain.state, model.flags, model.problem, model.prior, jumps, chain.tuning,
        chain.work, chain.scratch, N_WALKS, N_JUMPS, thin, adapt, zs, log_dfs, gammas,
    )  # fmt: skip
    return zs, log_dfs, gammas


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
            jumps = _jumps_to(np.concatenate([zs[sweeps // 3 :] for zs, _, _ in passed]))
        _each(model, chains, jumps, LAST_SWEEPS, settings.workers)
        for chain in chains:
            chain.tuning.counts[:] = 0
        parts = []
        for chunk in np.array_split(np.arange(n), min(CHUNKS, n)):
            parts.append(_each(model, chains, jumps, len(chunk), settings.workers, thin=THIN))
            tell(float(chunk[-1] + 1) / n, "sampling")
    zs, log_dfs, gammas = (
        np.stack([np.concatenate([part[i][e] for part in parts]) for i in range(len(chains))])
        for e in range(3)
    )
    counts = np.sum([chain.tuning.counts for chain in chains], axis=0)
    warm = FIRST_SWEEPS + SECOND_SWEEPS + LAST_SWEEPS
    per_sweep = N_WALKS + N_JUMPS + 1
    stats = {
        "acceptance_walk": float(counts[0] / counts[1]),
        "acceptance_jump": float(counts[2] / counts[3]),
        "n_evaluations": n_start + len(chains) * per_sweep * (warm + n * THIN),
        "warm_up_sweeps": warm,
        "sweeps_per_draw": THIN,
    }
    return assemble(
        campaign,
        spec,
        design,
        coordinates=_coordinates(design, zs, log_dfs),
        coefficients=gammas,
        attrs={"engine": "gibbs", "seed": settings.seed},
        stats=stats,
    )


def _start(model: GibbsModel, settings: SampleSettings) -> tuple[FloatArray, FloatArray, int]:
    """Return a starting point for each chain, points of the normal model, and evaluations."""
    design = model.design
    k = len(model.prior.kinds)
    plain = pack(
        replace(design, hypers=design.hypers[:k], mix=design.mix[:k, :k]), settings.workers
    )

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
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return what every chain passes, in their order; see :func:`advance`."""

    def move(chain: Chain) -> tuple[FloatArray, FloatArray, FloatArray]:
        return advance(model, chain, jumps, n, thin=thin, adapt=adapt)

    if workers == 1 or len(chains) == 1:
        return [move(chain) for chain in chains]
    with ThreadPoolExecutor(min(workers, len(chains))) as pool:
        return list(pool.map(move, chains))


def _coordinates(design: Design, zs: FloatArray, log_dfs: FloatArray) -> FloatArray:
    """Return coordinates of all hyperparameters, shape (chain, draw, d)."""
    at = design.position("noise_df")
    if at < 0:
        return zs
    one = (design.hypers[at],)
    df = coordinates(2.0 + np.exp(log_dfs.reshape(-1, 1)), one, np.eye(1))
    return np.insert(zs, at, df.reshape(log_dfs.shape), axis=2)
