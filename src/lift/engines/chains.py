"""Chains of the Gibbs engine: a design packed for the compiled sweeps, and what moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri
from scipy.special import logit

from lift.engines._count_modes import Counts, count_buffers
from lift.engines._count_sweeps import run_count_sweeps
from lift.engines._proposals import Jumps, Tuning
from lift.engines._scaled import (
    BETA,
    BETA_BOTH,
    EXPONENTIAL,
    NORMAL,
    Prior,
    Problem,
    Scaled,
    Work,
    buffers,
)
from lift.engines._selection import Controls, ControlState, fill_variances
from lift.engines._sweeps import Flags, Paths, State, paths, run_sweeps
from lift.engines.exact import pack, state_arguments
from lift.engines.mixture import Mixture
from lift.model.control_scales import (
    CONTROL_PRIORS,
    control_columns,
    global_ratio,
    inclusion_probability,
    slab_rate,
)
from lift.model.design import Design
from lift.model.scales import AMPLITUDE_DF, SHIFT_DF

FloatArray = NDArray[np.float64]

KINDS = {"exponential": EXPONENTIAL, "normal": NORMAL, "beta": BETA}
"""Numbers that the compiled code knows prior families by; a beta of two free shapes has its own."""
COUNT_CENTRE = 3
"""Place of the centre of counts among the arguments of the exact engine."""
N_WALKS, N_JUMPS = 2, 3
"""Random-walk and independent proposals of the hyperparameters in a sweep."""


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
    centre, start : float and ndarray, shape (n,)
        What log means of counts are measured from, and where Newton's method starts; None
        where the outcome is no count.
    """

    design: Design
    problem: Problem
    prior: Prior
    flags: Flags
    centre: float = 0.0
    start: FloatArray | None = None


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
    counts : Counts or None
        Log means where the chain is, and more buffers.
    """

    rng: np.random.Generator
    state: State
    tuning: Tuning
    work: Work
    scratch: Paths
    counts: Counts | None = None


def pack_gibbs(design: Design) -> GibbsModel:
    """Return a design packed for the compiled sweeps.

    Parameters
    ----------
    design : Design

    Returns
    -------
    GibbsModel
    """
    hypers = [hyper for hyper in design.hypers if hyper.kind != "degrees"]
    k = len(hypers)
    controls = pack_controls(design)
    model = pack(with_known_spread(design, 1.0))
    arguments = list(model.arguments)
    counts = design.likelihood == "negative_binomial"
    if counts:
        # in the place of the variances that other outcomes have
        arguments[COUNT_CENTRE] = design.poisson_variance
    problem = Problem(*arguments, *state_arguments(design))  # type: ignore[arg-type]
    prior = Prior(
        kinds=np.array(
            [
                BETA_BOTH if hyper.kind == "beta" and hyper.second != 1.0 else KINDS[hyper.kind]
                for hyper in hypers
            ],
            dtype=np.int64,
        ),
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
        controls=controls,
    )
    start = model.start if counts else None
    return GibbsModel(design, problem, prior, flags, design.center, start)


def pack_controls(design: Design) -> Controls:
    """Return how the controls of a design are shrunk or selected."""
    first, count = control_columns(design)
    kind = CONTROL_PRIORS.index(design.selection.prior) if count else 0
    return Controls(
        kind=kind,
        first=first,
        n_controls=count if kind else 0,
        ratio=global_ratio(design),
        log_odds=float(logit(inclusion_probability(design))) if count else 0.0,
        slab=slab_rate(design),
    )


def with_known_spread(design: Design, sd: float) -> Design:
    """Return a design in which controls have a given prior sd, if they have no common one."""
    if design.selection.prior == "ridge":
        return design
    known = {"control": sd}
    blocks = tuple(
        replace(block, prior_sd=np.full(len(block.labels), known[block.name]))
        if block.name in known
        else block
        for block in design.blocks
    )
    return replace(design, blocks=blocks)


def new_state(model: GibbsModel, z: FloatArray) -> State:
    """Return the state in which a chain starts: all scales one, the degrees of freedom at 10."""
    n, q = len(model.problem.y), len(model.problem.fixed_sd)
    q += len(model.problem.day) + len(model.problem.mean_sd)
    count = model.flags.controls.n_controls
    return State(
        z=z.copy(),
        log_df=np.log(np.array([8.0])),
        scaled=Scaled(noise=np.ones(n), level=np.ones(n), coefficient=np.ones(q)),
        controls=ControlState(
            log_local=np.zeros(count),
            inside=np.ones(count),
            log_global=np.log(np.array([0.1, 1.0])),
        ),
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
    work, state = buffers(model.problem, dim), new_state(model, z)
    counts = None
    if model.start is not None:
        controls = model.flags.controls
        counts = count_buffers(model.centre, model.start, len(work.b), controls.n_controls)
        # the first move of counts needs a weight of where the chain is
        mine = state.scaled.coefficient[controls.first : controls.first + controls.n_controls]
        fill_variances(controls, state.controls, mine)
    return Chain(
        rng=rng,
        state=state,
        tuning=Tuning(
            factor=np.ascontiguousarray(factor),
            log_steps=np.log(np.array([0.2, 0.5, 0.2, 0.2])),
            age=np.zeros(5),
            counts=np.zeros(4, dtype=np.int64),
        ),
        work=work,
        scratch=paths(work, model.flags.controls),
        counts=counts,
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
) -> tuple[FloatArray, ...]:
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
    inside : ndarray, shape (n, K)
        1 for a control that is in the model, 0 for one that is not; K is 0 for a ridge.
    log_global : ndarray, shape (n,)
        Log of the global sd of a horseshoe.
    """
    zs = np.empty((n, len(chain.state.z)))
    log_dfs = np.zeros(n)
    gammas = np.empty((n, len(chain.state.gamma)))
    insides = np.empty((n, model.flags.controls.n_controls))
    log_globals = np.zeros(n)
    if chain.counts is not None:
        run_count_sweeps(
            chain.rng, chain.state, model.flags, model.problem, model.prior, jumps, chain.tuning,
            chain.counts, chain.work, chain.scratch, N_WALKS, N_JUMPS, thin, adapt, zs,
            log_dfs, gammas, insides, log_globals,
        )  # fmt: skip
        return zs, log_dfs, gammas, insides, log_globals
    run_sweeps(
        chain.rng, chain.state, model.flags, model.problem, model.prior, jumps, chain.tuning,
        chain.work, chain.scratch, N_WALKS, N_JUMPS, thin, adapt, zs, log_dfs, gammas,
        insides, log_globals,
    )  # fmt: skip
    return zs, log_dfs, gammas, insides, log_globals
