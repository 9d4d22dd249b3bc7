"""Sets of posts whose effects are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BY = ("post", "influencer", "platform", "creator_type", "content", "campaign")
NOT_GIVEN = "(not given)"


@dataclass(frozen=True)
class Unit:
    """A set of posts that is taken away together.

    Attributes
    ----------
    by : str
        Kind of set: one of ``BY``.
    name : str
    members : ndarray of int
        Positions of its posts.
    window : ndarray of bool, shape (n_dates,)
        Days from each of its posts to the horizon after it, both included.
    """

    by: str
    name: str
    members: NDArray[np.int64]
    window: NDArray[np.bool_]
