"""Ranks are counted draw by draw, and ties are shared."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import ArrayLike

from lift.analysis.ranking import rank_probabilities, ranking
from lift.errors import InputError
from lift.rng import stream


def draws(values: ArrayLike) -> xr.DataArray:
    table = np.asarray(values, dtype=np.float64)
    names = ["ann", "bob", "cia", "dan", "eve"][: table.shape[1]]
    return xr.DataArray(
        table.reshape(2, -1, table.shape[1]),
        dims=("chain", "draw", "influencer"),
        coords={"influencer": names},
    )


def test_probabilities_by_hand() -> None:
    found = rank_probabilities(draws([[3, 2, 1], [3, 1, 2], [1, 3, 2], [9, 8, 7]]))
    assert found.sel(influencer="ann").to_numpy() == pytest.approx([0.75, 0, 0.25])
    assert found.sel(influencer="bob").to_numpy() == pytest.approx([0.25, 0.5, 0.25])
    assert found.sel(influencer="cia").to_numpy() == pytest.approx([0, 0.5, 0.5])
    assert found["rank"].to_numpy().tolist() == [1, 2, 3]


def test_ties_share_their_ranks() -> None:
    found = rank_probabilities(draws([[1, 1, 0], [1, 1, 0]]))
    assert found.to_numpy() == pytest.approx(np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]))
    even = rank_probabilities(draws(np.zeros((4, 5))))
    assert even.to_numpy() == pytest.approx(np.full((5, 5), 0.2))


def test_rows_and_columns_sum_to_one() -> None:
    found = rank_probabilities(draws(stream(1, "tests", "ranks").normal(size=(500, 5)).round(1)))
    assert found.sum("rank").to_numpy() == pytest.approx(np.ones(5))
    assert found.sum("influencer").to_numpy() == pytest.approx(np.ones(5))


def test_what_units_have_in_common_cancels() -> None:
    """A shock that all share widens every interval and leaves the order certain."""
    shock = 100 * stream(2, "tests", "shock").normal(size=(200, 1))
    table = ranking(draws(shock + np.array([1.0, 3.0, 2.0])), top=2)
    assert table["unit"].tolist() == ["bob", "cia", "ann"]
    assert table["expected_rank"].tolist() == pytest.approx([1, 2, 3])
    assert table["prob_best"].tolist() == pytest.approx([1, 0, 0])
    assert table["prob_top"].tolist() == pytest.approx([1, 1, 0])


def test_expected_rank_and_top_follow_from_the_probabilities() -> None:
    middle = np.array([0.0, 1.0, 0.5, -1.0, 0.2])
    values = draws(stream(3, "tests", "ranks").normal(middle, size=(300, 5)))
    probabilities = rank_probabilities(values)
    table = ranking(values).set_index("unit")
    for name in ("ann", "dan"):
        mine = probabilities.sel(influencer=name).to_numpy()
        assert table.loc[name, "expected_rank"] == pytest.approx((mine * np.arange(1, 6)).sum())
        assert table.loc[name, "prob_top"] == pytest.approx(mine[:3].sum())
    assert table["expected_rank"].sum() == pytest.approx(15)
    assert (table["by"] == "influencer").all()


def test_one_unit_has_no_rank() -> None:
    with pytest.raises(InputError, match="two units or more"):
        rank_probabilities(draws(np.ones((4, 1))))


@pytest.mark.parametrize("top", [0, 4])
def test_an_impossible_top(top: int) -> None:
    with pytest.raises(InputError, match="between 1 and the number of units"):
        ranking(draws(np.ones((4, 3))), top=top)
