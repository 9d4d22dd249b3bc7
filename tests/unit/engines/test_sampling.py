"""Draws of a collapsed model do not depend on how many normal numbers are made at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from lift.engines import sampling
from lift.engines.base import SampleSettings
from lift.engines.sampling import sample

FloatArray = NDArray[np.float64]


@dataclass
class Bell:
    """A normal density; its coefficients are the point and some normal numbers."""

    n_normals: int = 5
    n_hypers: int = 2
    weighs_draws: bool = False
    sizes: list[int] = field(default_factory=list)

    def evaluate(self, z: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        if len(normals):
            self.sizes.append(len(z))
        values = -0.5 * ((z - 0.3) ** 2).sum(axis=1)
        return values, np.column_stack([z, normals]) if len(normals) else normals


@pytest.mark.parametrize("at_a_time", [1, 777, 10**9])
def test_draws_made_afterwards_are_those_made_at_once(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SampleSettings(draws=1000, chains=2, seed=3, workers=1)
    one = sample(Bell(), settings)
    monkeypatch.setattr(sampling, "MAX_KEPT_NORMALS", 4)
    monkeypatch.setattr(sampling, "NORMALS_AT_A_TIME", at_a_time)
    late = Bell()
    other = sample(late, settings)

    assert sum(late.sizes) < 1100  # picked points alone
    assert np.array_equal(one.coordinates, other.coordinates)
    assert np.array_equal(one.coefficients, other.coefficients)


def test_draws_do_not_depend_on_the_size_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SampleSettings(draws=1000, chains=2, seed=3, workers=1)
    whole, parts = Bell(), Bell()
    one = sample(whole, settings)
    monkeypatch.setattr(sampling, "NORMALS_AT_A_TIME", 1)
    monkeypatch.setattr(sampling, "MIN_POINTS", 100)
    other = sample(parts, settings)

    assert max(parts.sizes) == 100 < max(whole.sizes)
    assert np.array_equal(one.coordinates, other.coordinates)
    assert np.array_equal(one.coefficients, other.coefficients)
    assert one.stats == other.stats
    # every draw keeps the normal numbers of its own point
    assert np.array_equal(one.coefficients[..., :2], one.coordinates)
    assert len(np.unique(one.coefficients[..., 2:])) == 1000 * 5
