"""Series that are the outcome bent by a function are found; honest ones, however close, are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from small_campaigns import daily_downloads

from lift.data.copies import copies, disguise, followers, is_copy, suspects
from lift.rng import stream

FloatArray = NDArray[np.float64]

BENT: dict[str, Callable[[FloatArray], FloatArray]] = {
    "itself": lambda y: y,
    "turned over": lambda y: 5.0 - 3.0 * y,
    "log": np.log,
    "log of them and one": np.log1p,
    "root": np.sqrt,
    "square": np.square,
    "one over": lambda y: 1.0 / y,
    "exponential": lambda y: np.exp(y / 500.0),
}
ORDERED: dict[str, Callable[[FloatArray], FloatArray]] = {
    "logistic": lambda y: 1.0 / (1.0 + np.exp(-(y - y.mean()) / y.std())),
    "rounded root": lambda y: np.round(np.sqrt(y), 2),
    "rank": lambda y: np.unique(y, return_inverse=True)[1].astype(float),
    "falling": lambda y: -np.arcsinh(y / 700.0),
}


@pytest.mark.parametrize("name", list(BENT))
@pytest.mark.parametrize("n_days", [8, 200])
def test_a_function_of_the_outcome_is_found(name: str, n_days: int) -> None:
    y = daily_downloads(n_days)
    x = BENT[name](y)
    assert disguise(x, y) is not None
    assert suspects(x[:, None], y).all()
    y[[2, 5]] = np.nan
    assert disguise(x, y) is not None
    assert suspects(x[:, None], y).all()


@pytest.mark.parametrize("name", list(ORDERED))
def test_any_monotone_function_is_found_in_a_long_series(name: str) -> None:
    y = daily_downloads(200)
    x = ORDERED[name](y)
    assert "in the same order" in str(disguise(x, y))
    assert suspects(x[:, None], y).all()


def test_a_root_of_counts_with_zeros_is_found() -> None:
    y = daily_downloads(50, level=3.0)
    assert (y == 0.0).any()
    assert disguise(np.sqrt(y), y) == "a power of them"
    assert suspects(np.sqrt(y)[:, None], y).all()


def test_what_is_in_the_outcomes_order_honestly_is_left_alone() -> None:
    days = np.arange(300.0)
    assert disguise(np.sqrt(days + 3.0), days**2 + 1.0) is None  # both only rise
    y = daily_downloads(300)
    assert disguise((y > np.quantile(y, 0.97)).astype(float), y) is None  # an event at each peak
    week = np.tile([1.0, 2.0, 4.0, 4.5, 5.0, 7.0, 6.0], 20)
    assert disguise(week, week**2 + 3.0 * week) is None  # a season, measured without noise


@pytest.mark.parametrize("n_days", [8, 40, 90, 365])
def test_no_control_that_leaves_a_ten_thousandth_open_is_refused(n_days: int) -> None:
    """Random walks, half of them with a trend, that explain all but 1e-4 of the log's variance."""
    rng = stream(1, "tests", "copies", str(n_days))
    for k in range(200):
        x = rng.normal(size=n_days).cumsum() + 0.5 * rng.normal(size=n_days)
        x += (k % 2) * 5.0 * np.arange(n_days) / n_days
        log_mean = 0.3 * (x - x.mean()) / x.std()
        y = 500.0 * np.exp(log_mean + 0.003 * rng.normal(size=n_days))
        assert disguise(x, y) is None


def test_series_that_go_their_own_ways_are_cleared_at_a_glance() -> None:
    rng = stream(1, "tests", "glance")
    y = daily_downloads(60, level=3.0)
    honest = rng.normal(size=(60, 40)).cumsum(axis=0)
    assert not suspects(honest, y).any()
    honest[7, 3] = np.nan
    assert np.flatnonzero(suspects(honest, y)).tolist() == [3]
    y[7] = np.nan  # a day without outcome says nothing
    assert not suspects(honest, y).any()


@pytest.mark.parametrize("name", ["itself", "log", "root", "one over"])
def test_a_copy_with_a_cell_changed_still_follows(name: str) -> None:
    y = daily_downloads(200)
    x = BENT[name](y).copy()
    x[40] *= 1.02
    assert disguise(x, y) is None
    far = BENT[name](y).copy()
    far[[3, 99, 150]] = [0.0, 1e4 * np.abs(far).max(), far[99]]
    assert disguise(far, y) is None
    honest = stream(1, "tests", "follows").normal(size=200).cumsum()
    y[7] = np.nan
    assert followers(np.column_stack([x, far, honest]), y).tolist() == [True, True, False]


def test_series_that_share_a_trend_or_half_of_their_steps_do_not_follow() -> None:
    rng = stream(1, "tests", "trend")
    trend, steps = 5.0 * np.arange(300.0), rng.normal(size=(300, 2))
    y = 4000.0 + trend + 20.0 * steps[:, 0]
    columns = np.column_stack([trend + 20.0 * steps[:, 1], y + 10.0 * steps[:, 1]])
    assert np.corrcoef(columns[:, 0], y)[0, 1] > 0.99
    assert not followers(columns, y).any()
    assert not followers(y[:10, None], y[:10]).any()  # too few days


def test_copies_among_many_are_those_of_every_two() -> None:
    rng = stream(4, "tests", "copies")
    x = rng.normal(size=(60, 12))
    x[:, 3] = 5.0 - 2.0 * x[:, 0]
    x[:, 4] = x[:, 0] + 1e-3 * x[:, 1]
    x[:, 5] = 1e9 + x[:, 2]
    x[:, 6] = x[:, 1]
    x[::7, 6] = np.nan
    x[:58, 7] = np.nan
    x[:, 8] = 3.0
    x[:, 9] = 1e200 * x[:, 2]
    x[:, 10] = 1e-200 * x[:, 2]
    x[:, 11] = 7.0 * x[:, 3]
    wanted = np.zeros((12, 12), dtype=bool)
    for i, j in zip(*np.triu_indices(12, 1), strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            wanted[i, j] = is_copy(x[:, i], x[:, j])
    with np.errstate(over="ignore", invalid="ignore"):
        found = copies(x)
    np.testing.assert_array_equal(found, wanted)
    assert [tuple(pair) for pair in np.argwhere(found)][:3] == [(0, 3), (0, 11), (1, 6)]
    assert not copies(x[:, :1]).any()
