"""Coordinates of the log sds: quantiles of the season's prior, and weights that can be believed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from lift.impact.causal_impact import CausalImpact
from lift.impact.coordinates import SEASON_REACH, Coordinates, coordinates_of
from lift.impact.density import density_of
from lift.impact.model import ImpactModel, evaluate, pack_model
from lift.impact.prior import prior_from_data
from lift.rng import stream


@pytest.fixture
def model() -> ImpactModel:
    outcome = stream(2, "outcome").standard_normal(60)
    prior = prior_from_data(outcome, np.empty((60, 0)), level_sd=0.01, season=True)
    return pack_model(outcome, np.empty((60, 0)), prior, period=7, duration=1)


@pytest.mark.parametrize("workers", [2, 3])
def test_points_do_not_depend_on_who_computes_them(
    model: ImpactModel, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    density = density_of(model)
    z = 0.3 * stream(4, "many").standard_normal((9000, 3))
    log_sds = density.scale.log_sds(z)
    grid = density.focused(z[:10], stream(6, "probes"), 9000).grid
    assert grid.table.size
    for moments in (None, grid):
        results = []
        for n in (1, workers):
            monkeypatch.setattr("os.cpu_count", lambda n=n: n)
            results.append(evaluate(model, log_sds, stream(5, "draws"), moments))
        for one, other in zip(*results, strict=True):
            assert np.array_equal(one, other)


def points(dim: int) -> np.ndarray:
    return 1.5 * stream(3, "points").standard_normal((200, dim))


def test_the_derivative_is_that_of_the_log_sds(model: ImpactModel) -> None:
    scale = coordinates_of(model)
    z, step = points(3), 1e-5
    ahead, behind = z.copy(), z.copy()
    ahead[:, 2] += step
    behind[:, 2] -= step
    slopes = (scale.log_sds(ahead) - scale.log_sds(behind))[:, 2] / (2 * step)
    assert np.allclose(scale.log_jacobian(z), np.log(slopes), atol=1e-6)


def test_the_season_is_its_priors_quantile(model: ImpactModel) -> None:
    scale = coordinates_of(model)
    shape, rate = model.shapes[2], model.rates[2]
    top = np.log(model.prior.limits[2])

    def density(log_sd: float) -> float:
        return float(np.exp(-2 * shape * log_sd - rate * np.exp(-2 * log_sd)))

    # shares of the truncated prior below a few coordinates are the normal's
    whole = integrate.quad(density, -12, top, points=[-7.3, -6.5], limit=400)[0]
    for z, share in ((-1.0, 0.158655), (0.0, 0.5), (1.5, 0.933193)):
        log_sd = float(scale.log_sds(np.array([[0.0, 0.0, z]]))[0, 2])
        below = integrate.quad(density, -12, log_sd, points=[-7.3, -6.5], limit=400)[0]
        assert below / whole == pytest.approx(share, abs=2e-4)


def test_beyond_the_table_there_is_nothing(model: ImpactModel) -> None:
    scale = coordinates_of(model)
    z = np.array([[0.0, 0.0, SEASON_REACH + 0.1], [0.0, 0.0, -SEASON_REACH - 0.1]])
    assert (scale.log_jacobian(z) == -np.inf).all()
    assert np.isfinite(scale.log_sds(z)).all()


def test_without_a_season_coordinates_are_scaled_log_sds() -> None:
    scale = Coordinates(np.array([-1.0, -4.0]), None)
    z = points(2)
    assert np.allclose(scale.log_sds(z), [-1.0, -4.0] + z * [0.2, 0.15])
    assert (scale.log_jacobian(z) == 0.0).all()


@pytest.mark.parametrize("seed", [1, 5])
def test_a_week_that_hardly_evolves_has_weights_that_can_be_believed(seed: int) -> None:
    rng = stream(seed, "static week")
    n = 700
    y = np.cumsum(0.1 * rng.standard_normal(n)) + np.tile(rng.standard_normal(7), 100)
    data = pd.DataFrame({"y": y + rng.standard_normal(n)})
    found = CausalImpact(data, [0, 669], [670, n - 1], {"nseasons": 7, "niter": 1000})
    assert found.fitted.draws.k < 0.5
    assert found.fitted.draws.n_effective < 6000
