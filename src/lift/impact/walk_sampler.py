"""Draws of the model whose coefficients walk: hyperparameters and the state after the rows.

Few hyperparameters are integrated by importance sampling; where there are many, or where its
weights must not be believed, chains move over them.
"""

from __future__ import annotations

from lift.engines.importance import BAD_K, integrate
from lift.engines.threads import one_blas_thread
from lift.impact.sampler import ImpactDraws, resampled
from lift.impact.walk_chain import sample_walks
from lift.impact.walks import WalkModel, density_of, evaluate
from lift.rng import stream

# More hyperparameters than these are left to chains.
MAX_INTEGRATED = 60


def sample(
    model: WalkModel,
    *,
    n_draws: int,
    n_chains: int,
    seed: int,
    max_integrated: int = MAX_INTEGRATED,
) -> ImpactDraws:
    """Return ``n_draws`` posterior draws in ``n_chains`` chains.

    Parameters
    ----------
    model : WalkModel
    n_draws : int
        Over all chains.
    n_chains : int
    seed : int
        Root seed.
    max_integrated : int
        Most hyperparameters that are integrated by importance sampling; 0 for chains.

    Returns
    -------
    ImpactDraws
        ``log_sds`` runs over noise, level, season and walks; ``coefficients`` and ``states`` are
        those on the row after the pre-period.
    """
    density = density_of(model)
    n_each, base = n_draws // n_chains, model.base
    with one_blas_thread():
        if density.dim <= max_integrated:
            found = integrate(
                density.log,
                density.draw,
                density.dim,
                n_draws=n_draws,
                n_chains=n_chains,
                seed=seed,
            )
            if found.k < BAD_K:
                points, states, again = resampled(found, n_each, seed)
                if again.any():
                    rng = stream(seed, "impact", "repeats")
                    states[again] = density.draw(points[again], rng)[1]
                return ImpactDraws(
                    log_sds=density.log_sds(points),
                    coefficients=states[..., base:],
                    states=states,
                    method="importance",
                    k=found.k,
                    n_effective=found.ess,
                    acceptance=float("nan"),
                )
        log_sds, acceptance = sample_walks(density, n_each, n_chains, seed)
        rng = stream(seed, "impact", "states")
        flat = log_sds.reshape(-1, density.dim)
        states = evaluate(model, flat, rng)[1].reshape(n_chains, n_each, -1)
        return ImpactDraws(
            log_sds=log_sds,
            coefficients=states[..., base:],
            states=states,
            method="chain",
            k=float("nan"),
            n_effective=float("nan"),
            acceptance=acceptance,
        )
