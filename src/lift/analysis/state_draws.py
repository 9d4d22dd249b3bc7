"""Draws of what moves in time, given hyperparameters, coefficients and the outcome.

Given these, the states are Gaussian where the outcome is. A level that moves alone is drawn by
forward filtering and backward sampling (Carter & Kohn 1994, doi:10.1093/biomet/81.3.541). Several
states are drawn apart from one another with the covariance matrix of the days: paths from the
prior are moved by what the data say of their error (Matheron's rule: Journel & Huijbregts 1978,
*Mining Geostatistics*, section VII.A; the idea of Durbin & Koopman 2002,
doi:10.1093/biomet/89.3.603).

Of counts the states are proposed from the Gaussian about their mode and taken by Metropolis steps
with the weights of Shephard & Pitt (1997, Biometrika 84:653).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lift.analysis.baseline_draws import draw_level
from lift.errors import EngineError
from lift.model.design import Design
from lift.model.state_paths import StatePart, draw_state_parts, state_covariances

FloatArray = NDArray[np.float64]
Parts = dict[StatePart, FloatArray]

NEWTON_PASSES = 100
NEWTON_TOLERANCE = 1e-8
NEWTON_MAX_STEP = 2.0
FLATTEST = 1e8
"""Least information of a count, as the square of its slope over this: keeps far steps finite."""
N_PROPOSALS = 10
"""Proposals of the states for each draw of counts."""


@dataclass(frozen=True, eq=False)
class States:
    """What moves in time, under draws of the hyperparameters.

    Attributes
    ----------
    design : Design
        With steps of the level and noise that are normal.
    values : ndarray, shape (draw, d)
        Hyperparameters on their own scale; NaN for those that no state depends on.
    """

    design: Design
    values: FloatArray

    @property
    def noise_var(self) -> FloatArray:
        """Variance of the noise of each day beside the states, shape (draw, n); not of counts."""
        own = self.values[:, [self.design.position("noise_sd")]] ** 2
        beside = np.zeros_like(own) if self.design.states.ar1 else own
        return np.asarray(beside + self.design.poisson_variance)

    def smoothed(self, rest: FloatArray, noise_var: FloatArray) -> Parts:
        """Return the posterior means of the states.

        Parameters
        ----------
        rest : ndarray, shape (draw, n)
            What is left of the outcome beside the states; not read on days not observed.
        noise_var : ndarray, shape (draw, n)

        Returns
        -------
        dict of (component, label) to ndarray, shape (draw, n)
        """
        if self.design.states.n_states == 1:
            return {("level", ""): self._level(rest, noise_var, np.zeros(rest.shape[::-1]))}
        return self._apart(rest, noise_var, None, 1)

    def drawn(
        self, rest: FloatArray, noise_var: FloatArray, rng: np.random.Generator, times: int = 1
    ) -> Parts:
        """Return draws of the states.

        Parameters
        ----------
        rest, noise_var
            As for :meth:`smoothed`.
        rng : numpy.random.Generator
        times : int
            Draws for each draw of the hyperparameters.

        Returns
        -------
        dict of (component, label) to ndarray, shape (times * draw, n)
            All of the first time, then all of the second.
        """
        if self.design.states.n_states > 1:
            return self._apart(rest, noise_var, rng, times)
        shape = rest.shape[::-1]
        paths = [self._level(rest, noise_var, rng.standard_normal(shape)) for _ in range(times)]
        return {("level", ""): np.concatenate(paths)}

    def _level(self, rest: FloatArray, noise_var: FloatArray, normals: FloatArray) -> FloatArray:
        design = self.design
        step_var = self.values[:, design.position("level_sd")] ** 2
        start_var = design.level_start_sd**2
        return draw_level(rest, noise_var, step_var, start_var, design.observed, normals)

    def _apart(
        self,
        rest: FloatArray,
        noise_var: FloatArray,
        rng: np.random.Generator | None,
        times: int,
    ) -> Parts:
        """Return draws of several states, or their means where there is no generator."""
        seen = self.design.observed
        found: dict[StatePart, list[FloatArray]] = {}
        for values, left, noise in zip(self.values, rest[:, seen], noise_var[:, seen], strict=True):
            spread = state_covariances(self.design, values)
            total = np.sum(list(spread.values()), axis=0)[np.ix_(seen, seen)] + np.diag(noise)
            root = cho_factor(total, lower=True)
            for _ in range(times):
                if rng is None:
                    paths = {part: np.zeros(len(seen)) for part in spread}
                    error = left
                else:
                    paths = draw_state_parts(self.design, values, rng)
                    shock = np.sqrt(noise) * rng.standard_normal(len(noise))
                    error = left - np.sum(list(paths.values()), axis=0)[seen] - shock
                weight = cho_solve(root, error)
                for part, path in paths.items():
                    found.setdefault(part, []).append(path + spread[part][:, seen] @ weight)
        shape = (len(self.values), times, -1)
        return {
            part: np.reshape(paths, shape).swapaxes(0, 1).reshape(times * len(self.values), -1)
            for part, paths in found.items()
        }


def count_states(
    states: States, linear: FloatArray, rng: np.random.Generator
) -> tuple[Parts, float]:
    """Return draws of the states of counts, and the share of proposals that were taken.

    Parameters
    ----------
    states : States
    linear : ndarray, shape (draw, n)
        What coefficients add to the log mean.
    rng : numpy.random.Generator

    Returns
    -------
    parts : dict of (component, label) to ndarray, shape (draw, n)
    acceptance : float
        In [0, 1].

    Raises
    ------
    EngineError
        If Newton's method finds no mode under some draw.
    """
    design = states.design
    seen = design.observed
    beside = design.center + linear
    pseudo, noise_var = _mode(states, beside)
    proposals = states.drawn(pseudo - beside, noise_var, rng, N_PROPOSALS)
    n_draws = len(linear)
    etas = np.sum(list(proposals.values()), axis=0).reshape(N_PROPOSALS, n_draws, -1) + beside
    misfit = 0.5 * (pseudo - etas) ** 2 / noise_var
    log_weights = (log_masses(design.outcome, etas, _sizes(states)) + misfit)[..., seen].sum(axis=2)
    at = np.zeros(n_draws, dtype=np.int64)
    draws = np.arange(n_draws)
    n_taken = 0
    for k in range(1, N_PROPOSALS):
        chances = np.log(rng.random(n_draws))
        taken = chances < log_weights[k] - log_weights[at, draws]
        at[taken] = k
        n_taken += int(taken.sum())
    parts = {part: paths[at * n_draws + draws] for part, paths in proposals.items()}
    return parts, n_taken / ((N_PROPOSALS - 1) * n_draws)


def log_masses(counts: FloatArray, eta: FloatArray, size: FloatArray) -> FloatArray:
    """Return the log masses of counts with means ``exp(eta)``, but for a constant.

    Parameters
    ----------
    counts : ndarray, shape (n,)
    eta : ndarray, shape (..., draw, n)
    size : ndarray, shape (draw, 1)
        Of the negative binomial distribution; beyond all counts where it is Poisson.

    Returns
    -------
    ndarray, shape (..., draw, n)
    """
    return np.asarray(counts * eta - (counts + size) * np.log1p(np.exp(eta) / size))


def _sizes(states: States) -> FloatArray:
    noise_sd = states.values[:, [states.design.position("noise_sd")]]
    if states.design.states.ar1:
        noise_sd = np.zeros_like(noise_sd)
    return np.asarray(1.0 / np.maximum(noise_sd**2, 1e-300))


def _mode(states: States, beside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the pseudo-data at the mode, on the scale of the log mean, and their variances."""
    y, seen, size = states.design.outcome, states.design.observed, _sizes(states)
    eta = np.where(seen, np.log(y + 0.5), beside)
    for _ in range(NEWTON_PASSES):
        share = np.exp(eta) / size
        slope = (y - np.exp(eta)) / (1.0 + share)
        information = (y / size + 1.0) * np.exp(eta) / (1.0 + share) ** 2
        noise_var = 1.0 / np.maximum(information, slope**2 / FLATTEST)
        pseudo = eta + slope * noise_var
        means = states.smoothed(pseudo - beside, noise_var)
        move = beside + np.sum(list(means.values()), axis=0) - eta
        largest = np.abs(move[:, seen]).max(axis=1, keepdims=True)
        if (largest < NEWTON_TOLERANCE).all():
            return pseudo, noise_var
        eta = eta + np.minimum(1.0, NEWTON_MAX_STEP / np.maximum(largest, 1e-300)) * move
    raise EngineError(
        f"the mode of the states of counts must be found in {NEWTON_PASSES} steps under every "
        f"draw, {int((largest >= NEWTON_TOLERANCE).sum())} of {len(beside)} are not; fit the "
        "model again with more draws"
    )
