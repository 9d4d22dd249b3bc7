"""Priors of control coefficients that shrink or select: what a specification asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Selection:
    """How the coefficients of controls are shrunk or selected.

    Attributes
    ----------
    prior : "ridge", "horseshoe" or "spike_slab"
    expected : float
        Number of controls that are expected to matter.
    slab_sd : float
        Scale of the Student t of the coefficients of those that do.
    """

    prior: Literal["ridge", "horseshoe", "spike_slab"] = "ridge"
    expected: float = 3.0
    slab_sd: float = 0.5


RIDGE = Selection()
