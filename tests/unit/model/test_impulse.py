"""Impulses of large campaigns: made where they are asked for, the same to the last digit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_campaigns import rich_campaign

from lift.analysis import acting
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model import impulse
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

SPECS = {
    "views": ModelSpec(),
    "size": ModelSpec.model_validate({"response": {"size_exponent": 0.6}}),
    "neither": ModelSpec.model_validate({"response": {"views": False}}),
}


def fitted(spec: ModelSpec) -> Posterior:
    return fit_exact(rich_campaign(), spec, SampleSettings(draws=50, chains=2, seed=1))


@pytest.fixture(params=SPECS)
def both(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Posterior, Posterior]:
    """Return a posterior that holds its impulses, and one that makes them."""
    held = fitted(SPECS[request.param])
    for module in (impulse, acting):
        monkeypatch.setattr(module, "LARGE", 0)
    return held, fitted(SPECS[request.param])


def test_those_that_are_made_are_those_that_are_held(both: tuple[Posterior, Posterior]) -> None:
    held, made = (posterior.draws["impulse"] for posterior in both)
    assert held.variable._in_memory
    assert not made.variable._in_memory
    xr.testing.assert_identical(made, held)
    for some in ({"post": 1}, {"chain": 1, "draw": 3, "post": 0}, {"post": [2, 0]}):
        xr.testing.assert_identical(made.isel(some), held.isel(some))
    some = {"draw": xr.DataArray([3, 1], dims="of"), "post": xr.DataArray([0, 2], dims="of")}
    xr.testing.assert_identical(made.isel(some), held.isel(some))
    xr.testing.assert_identical(made.transpose("post", ...), held.transpose("post", ...))


def test_effects_are_the_same(both: tuple[Posterior, Posterior]) -> None:
    for by in ("post", "influencer", "campaign"):
        held, made = (Effects(posterior).draws(by) for posterior in both)
        xr.testing.assert_identical(made, held)


def test_they_are_stored_copied_and_sent_to_workers(
    both: tuple[Posterior, Posterior], tmp_path: Path
) -> None:
    held, made = both
    made.to_netcdf(tmp_path / "posterior.nc")
    read = Posterior.from_netcdf(tmp_path / "posterior.nc")
    assert list(read.draws) == list(held.draws)
    for other in (read, pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        np.testing.assert_array_equal(other.draws["impulse"], held.draws["impulse"])
        np.testing.assert_array_equal(Effects(other).draws(), Effects(held).draws())
