"""Cross-products of the filter that runs where columns are, against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lift.engines._products import filter_buffers, level_products
from lift.rng import stream

FloatArray = NDArray[np.float64]

CASES = {
    "posts apart, posts of one day, a post on the last day": (90, 9, (3, 20, 20, 24, 60, 89), ()),
    "a window longer than the data": (20, 40, (0, 7, 19), ()),
    "a window of a day": (30, 1, (0, 5, 5, 6, 29), (5,)),
    "days not observed, some windows whole": (80, 6, (10, 18, 30, 33, 70), (*range(16, 26), 79)),
    "no posts": (25, 5, (), (0, 7)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("noisy", [1e-6, 1.0, 1e4])
def test_they_are_those_of_the_covariance_of_all_days(case: str, noisy: float) -> None:
    n, window, days, missing = CASES[case]
    rng = stream(7, case)
    observed = ~np.isin(np.arange(n), missing)
    noise = noisy * rng.uniform(0.5, 2.0, n)
    level_var = rng.uniform(0.0, 0.2, n)
    y, fixed = rng.standard_normal(n), rng.standard_normal((n, 3))
    kernels = rng.uniform(0.0, 1.0, (len(days), window))
    columns = [y, *fixed.T]
    for day, kernel in zip(days, kernels, strict=True):
        column = np.zeros(n)
        column[day : day + window] = kernel[: n - day]
        columns.append(column)
    walk = np.append(0.0, np.cumsum(level_var)[:-1])
    seen = np.flatnonzero(observed)
    covariance = (2.0 + np.minimum.outer(walk, walk) + np.diag(noise))[np.ix_(seen, seen)]
    dense = np.stack(columns, axis=1)[seen]
    wanted = dense.T @ np.linalg.solve(covariance, dense)

    s = np.full((len(columns), len(columns)), np.nan)
    work = filter_buffers(n, 4, len(days), window)
    day = np.array(days, dtype=np.int64)
    for _ in range(2):  # buffers may hold what an earlier point left
        log_variance = level_products(
            y, noise, observed, fixed, kernels, day, level_var, 2.0, work, s
        )
    lower = np.tril_indices(len(columns))
    size = np.sqrt(np.diag(wanted))
    size[size == 0.0] = 1.0  # posts of days that were not observed
    scale = np.outer(size, size)
    np.testing.assert_allclose((s / scale)[lower], (wanted / scale)[lower], atol=1e-10)
    assert log_variance == pytest.approx(np.linalg.slogdet(covariance)[1], rel=1e-10)


def test_a_post_on_days_that_were_not_observed_says_nothing() -> None:
    observed = np.ones(20, dtype=bool)
    observed[8:12] = False
    s = np.zeros((4, 4))
    level_products(
        np.ones(20), np.ones(20), observed, np.ones((20, 1)), np.ones((2, 4)),
        np.array([3, 8]), np.full(20, 0.1), 1.0, filter_buffers(20, 2, 2, 4), s,
    )  # fmt: skip
    np.testing.assert_array_equal(s[3], 0.0)
    assert s[2, 2] > 0.0
