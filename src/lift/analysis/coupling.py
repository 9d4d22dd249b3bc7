"""What the days without some posts have in common with the days that were observed.

Observed are the downloads with the posts; no data tell their joint law with those that there would
have been without. Three couplings, named in every table:

- ``"shared"``: the noise of a day is the same in both worlds, ``Y_t(without) = Y_t exp(-f_t)``. The
  interval is that of the lift alone.
- ``"independent"``: the days without the posts have noise of their own,
  ``Y_t(without) = Y_t exp(-f_t + e*_t - e_t)`` with a draw of the noise ``e_t`` of the observed day
  given the data and a fresh ``e*_t``: the convention of prediction intervals (Brodersen, Gallusser,
  Koehler, Remy & Scott 2015, doi:10.1214/14-AOAS788). Wider.
- ``"superposition"``, of counts: downloads that posts brought and others are two streams of one
  another independent; given the day's count, those brought are ``Binomial(Y_t, 1 - exp(-f_t))``.
  Where posts keep people away, ``Y_t`` is the thinned count, and those lost are
  ``NegativeBinomial(Y_t, exp(f_t))``. Their means are the effects of ``"shared"``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lift.analysis.baseline_draws import baseline_effects, draw_level
from lift.analysis.counterfactual import log_lift
from lift.errors import EngineError, InputError, Problem
from lift.model.design import Design
from lift.model.posterior import Posterior
from lift.rng import stream

FloatArray = NDArray[np.float64]

type Coupling = Literal["shared", "independent", "superposition"]

COUPLINGS = ("shared", "independent", "superposition")


def check_coupling(posterior: Posterior, coupling: str, noise: FloatArray | None) -> None:
    """Check that a coupling is known and goes with a posterior.

    Parameters
    ----------
    posterior : Posterior
    coupling : str
    noise : ndarray or None

    Raises
    ------
    InputError
        If it is not known, is of counts where there are none, or lacks the noise it needs.
    """
    likelihood = str(posterior.attrs.get("likelihood", "lognormal"))
    what = ""
    if coupling not in COUPLINGS:
        what = f"must be one of {', '.join(COUPLINGS)}, found {coupling!r}"
    elif coupling == "superposition" and likelihood != "negative_binomial":
        what = f'"superposition" is of counts, found a {likelihood} likelihood; use "shared"'
    elif (coupling == "independent") != (noise is not None):
        what = (
            '"independent" goes with draws of the noise; get both from Analysis.effects_under, or '
            "redrawn_noise"
        )
    if what:
        raise InputError([Problem("coupling", what)])


def superposed(
    downloads: FloatArray, log_lifts: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return draws of how many of the counted downloads posts brought, or kept away (negative).

    Parameters
    ----------
    downloads : ndarray, shape (n_days,)
        Counts; a smoothed one is rounded.
    log_lifts : ndarray, shape (n_draws, n_days)
    rng : Generator

    Returns
    -------
    ndarray, shape (n_draws, n_days)
    """
    counts = np.broadcast_to(np.rint(downloads).astype(np.int64), log_lifts.shape)
    brought = rng.binomial(counts, -np.expm1(-np.maximum(log_lifts, 0.0)))
    kept = np.exp(np.minimum(log_lifts, 0.0))
    away = rng.negative_binomial(np.maximum(counts, 1), kept)
    return np.where(log_lifts >= 0.0, brought, -np.where(counts > 0, away, 0)).astype(np.float64)


def redrawn_noise(posterior: Posterior, design: Design) -> FloatArray:
    """Return draws of the noise of days without posts less that of the observed days.

    Given the hyperparameters and coefficients of a draw, what is left of the outcome is a local
    level and noise: the level is drawn by forward filtering and backward sampling (Carter & Kohn
    1994, doi:10.1093/biomet/81.3.541), the noise is the rest.

    Parameters
    ----------
    posterior : Posterior
    design : Design
        Of the campaign and the specification that it was fitted to.

    Returns
    -------
    ndarray, shape (chain * draw, n_dates), log units
        NaN on days that were not observed.

    Raises
    ------
    EngineError
        If the model has counts, or more than a level that moves.
    """
    more = [*([design.beyond_level] if design.beyond_level else []), *design.shared]
    if design.likelihood != "lognormal":
        more.append(f"the likelihood {design.likelihood}")
    if design.noise != "normal":
        more.append(f'noise = "{design.noise}"')
    if design.level_shifts:
        more.append("level_shifts = true")
    if more:
        raise EngineError(
            'the coupling "independent" must have a local level and normal noise on log downloads, '
            f'found {", ".join(more)}; use "shared", or "superposition" for counts'
        )
    rng = stream(int(posterior.attrs.get("seed", 0)), "coupling", "independent")
    rest = design.outcome - baseline_effects(posterior, design)
    lift = log_lift(posterior, np.arange(len(posterior.posts)))
    rest[:, lift.first_day : lift.first_day + lift.values.shape[1]] -= lift.values
    draws = posterior.draws
    noise_var = draws["noise_sd"].to_numpy().reshape(-1, 1) ** 2 + design.poisson_variance
    step_var = draws["level_sd"].to_numpy().ravel() ** 2
    normals = rng.normal(size=rest.shape[::-1])
    level = draw_level(
        rest, noise_var, step_var, design.level_start_sd**2, design.observed, normals
    )
    fresh = np.sqrt(noise_var) * rng.normal(size=rest.shape)
    return np.where(design.observed, fresh - (rest - level), np.nan)
