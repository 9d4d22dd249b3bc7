"""Prior variances of control coefficients: regularised horseshoe, spike and slab."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lift.model.design import Design

FloatArray = NDArray[np.float64]

CONTROL_PRIORS = ("ridge", "horseshoe", "spike_slab")
"""In the order of the numbers by which compiled code knows them."""
SLAB_SHAPE = 2.0
"""Shape of the inverse gamma prior of a slab's variance: coefficients are a t with 4 degrees."""


def control_columns(design: Design) -> tuple[int, int]:
    """Return the position of the first control among the coefficients, and how many there are."""
    first = 0
    for block in design.blocks:
        if block.name == "control":
            return first, len(block.labels)
        first += len(block.labels)
    return 0, 0


def expected_controls(design: Design) -> float:
    """Return how many controls are expected to matter: half of them at most."""
    return min(design.selection.expected, control_columns(design)[1] / 2.0)


def inclusion_probability(design: Design) -> float:
    """Return the prior probability of a control to be in the model."""
    return expected_controls(design) / control_columns(design)[1]


def global_ratio(design: Design) -> float:
    """Return the scale of a horseshoe's global sd over the noise sd.

    ``p0 / (p - p0) / sqrt(n)`` (Piironen & Vehtari 2017, doi:10.1214/17-EJS1337SI).
    """
    count = control_columns(design)[1]
    if not count:
        return 1.0
    expected = expected_controls(design)
    return float(expected / (count - expected) / np.sqrt(design.observed.sum()))


def slab_rate(design: Design) -> float:
    """Return the rate of the inverse gamma prior of a slab's variance."""
    return SLAB_SHAPE * design.selection.slab_sd**2


def draw_control_variances(design: Design, noise_sd: float, rng: np.random.Generator) -> FloatArray:
    """Return prior variances of the control coefficients drawn from their own prior.

    Parameters
    ----------
    design : Design
    noise_sd : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (K,)
        Empty, and nothing drawn, for a ridge, whose sd is a hyperparameter.
    """
    count = control_columns(design)[1]
    if design.selection.prior == "ridge" or not count:
        return np.empty(0)
    if design.selection.prior == "spike_slab":
        inside = rng.random(count) < inclusion_probability(design)
        return np.asarray(inside * slab_rate(design) / rng.standard_gamma(SLAB_SHAPE, count))
    slab = slab_rate(design) / rng.standard_gamma(SLAB_SHAPE)
    tau = global_ratio(design) * noise_sd * abs(rng.standard_cauchy())
    own = (tau * rng.standard_cauchy(count)) ** 2
    return np.asarray(slab * own / (slab + own))
