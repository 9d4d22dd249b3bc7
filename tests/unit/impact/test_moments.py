"""Moments of many points at once, and between the points at which they were computed."""

from __future__ import annotations

import numpy as np
import pytest

from lift._lanes import LANES
from lift.impact._interpolant import between, between_four, polynomials_of, term_weights
from lift.impact._moments import fill_moments, n_packed
from lift.impact.interpolant import interpolant_on
from lift.impact.model import ImpactModel, pack_model
from lift.impact.prior import prior_from_data


def make(period: int, duration: int) -> ImpactModel:
    rng = np.random.default_rng(8)
    controls = rng.standard_normal((40, 3))
    outcome = rng.standard_normal(40) + controls.sum(axis=1)
    outcome[[5, 6, 20]] = np.nan
    prior = prior_from_data(outcome, controls, level_sd=0.1, season=period > 1)
    return pack_model(outcome, controls, prior, period=period, duration=duration)


@pytest.mark.parametrize("period", [1, 4])
@pytest.mark.parametrize("cuts", [1, 3])
def test_every_piece_of_a_box_has_the_moments(period: int, cuts: int) -> None:
    model = make(period, 1)
    dim = min(period, 2)
    low, high = np.full(dim, -3.0), np.full(dim, 0.5)
    rng = np.random.default_rng(5)
    grid = interpolant_on(model, low, high, rng, 10_000, cuts=cuts)
    at = low + (high - low) * rng.random((300, dim))
    truth = np.empty((300, grid.table.shape[2]))
    fill_moments(at, model.columns, model.observed, 1, model.n_states, truth)

    assert grid.table.shape[0] == cuts**dim
    weights = np.empty((300, grid.table.shape[1]))
    held = [
        term_weights(*args)
        for args in zip(
            at, *([x] * 300 for x in (grid, polynomials_of(grid))), weights, strict=True
        )
    ]
    assert set(held) == set(range(cuts**dim))
    made = np.stack([row @ grid.table[piece] for piece, row in zip(held, weights, strict=True)])
    # what is left out is a share of the largest moment in the box
    assert np.abs(made - truth).max() < 1e-7 * np.abs(truth).max()
    for outside in (low - 1e-6, high + 1e-6):
        assert term_weights(outside, grid, polynomials_of(grid), weights[0]) == -1


@pytest.mark.parametrize("n", [1, 7, 8, 13, 32, 39, 64, 70])
def test_entries_between_the_nodes_are_the_sum_of_all_terms(n: int) -> None:
    rng = np.random.default_rng(n)
    table, weights = rng.standard_normal((5, 75)), rng.standard_normal((6, 5))
    wanted = weights @ table
    out = np.full((6, 75), np.nan)
    between(table, weights[2], n, out[2])
    assert np.allclose(out[2, :n], wanted[2, :n], rtol=0, atol=1e-13)
    assert np.isnan(out[2, n:]).all()
    if n >= LANES:
        four = np.array([5, 0, 3, 1])
        between_four(table, weights, four, n, out)
        assert np.allclose(out[four, :n], wanted[four, :n], rtol=0, atol=1e-13)
        assert np.isnan(out[four, n:]).all()
        assert np.isnan(out[4]).all()


@pytest.mark.parametrize("period", [1, 4])
def test_moments_of_a_point_do_not_depend_on_those_beside_it(period: int) -> None:
    model = make(period, 2)
    at = np.random.default_rng(6).uniform(-3.0, 0.0, (11, min(period, 2)))
    together = np.empty((11, n_packed(model.columns.shape[1], model.n_states)))
    alone = np.empty_like(together)
    fill_moments(at, model.columns, model.observed, 2, model.n_states, together)
    for i in range(11):
        own = alone[i : i + 1]
        fill_moments(at[i : i + 1], model.columns, model.observed, 2, model.n_states, own)
    assert np.array_equal(together, alone)
