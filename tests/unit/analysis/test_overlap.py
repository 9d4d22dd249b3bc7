"""The part of their responses that posts have on observed days, and in common."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_posteriors import hand_made

from lift.analysis.overlap import observed_kernels, overlap
from lift.model.posterior import Posterior


def three_posts(downloads: NDArray[np.float64]) -> Posterior:
    return hand_made(
        np.ones((4, 3)),
        [5, 5, 7],
        downloads,
        shares=0.5,
        shape=1.0,
        fractions=[0.0, 0.0, 0.0],
        window_days=20,
    )


def test_overlap_by_hand() -> None:
    downloads = np.full(40, 10.0)
    made = three_posts(downloads)
    # kernel of half-lives: 1/2, 1/4, ...; two days later the smaller one is the older one's tail
    found = overlap(made)
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == pytest.approx(0.25, abs=1e-5)
    downloads[5] = np.nan
    unseen = three_posts(downloads)
    assert overlap(unseen)[0, 1] == pytest.approx(0.5, abs=1e-5)
    np.testing.assert_allclose(observed_kernels(unseen).sum(axis=1), [0.5, 0.5, 1.0], atol=1e-5)


def test_overlap_is_the_sum_over_all_days_of_the_smaller_kernel() -> None:
    rng = np.random.default_rng(3)
    days = np.sort(rng.integers(0, 60, size=12)).tolist()
    downloads = np.where(rng.uniform(size=60) < 0.2, np.nan, 10.0)
    made = hand_made(
        np.ones((4, 12)),
        days,
        downloads,
        shares=0.3,
        shape=0.8,
        fractions=rng.uniform(size=12).tolist(),
        window_days=9,
    )
    kernels = observed_kernels(made)
    assert (kernels[:, np.isnan(downloads)] == 0.0).all()
    wanted = np.minimum(kernels[:, None], kernels).sum(axis=2)
    assert 0.0 < (wanted == 0.0).mean() < 1.0
    np.testing.assert_allclose(overlap(made), wanted, rtol=1e-12, atol=0.0)
