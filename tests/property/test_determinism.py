"""The same seed gives the same bits, whatever the number of workers, the process or the order."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_campaigns import campaign, rich_campaign

from lift.analysis.diagnostics import mcse_mean
from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from test_determinism import DATA, digest, fitted
print(digest(fitted(DATA[sys.argv[2]], workers=2)))
"""
DATA = {
    "lognormal": rich_campaign(),
    "counts": campaign(60, (30.4, 40.2), level=4.0),
}


def fitted(data: Campaign, *, seed: int = 1, workers: int = 1) -> Posterior:
    return fit_exact(data, ModelSpec(), SampleSettings(400, 2, seed, workers))


def digest(posterior: Posterior) -> str:
    """Return the sha256 of the bits of every draw."""
    total = hashlib.sha256()
    for name in sorted(map(str, posterior.draws.data_vars)):
        total.update(name.encode())
        total.update(np.ascontiguousarray(posterior.draws[name]).tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("name", sorted(DATA))
def test_workers_change_no_bit(name: str) -> None:
    one = fitted(DATA[name])
    for workers in (2, 3):
        many = fitted(DATA[name], workers=workers)
        xr.testing.assert_identical(one.draws, many.draws)
        assert one.sample_stats == many.sample_stats


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_fresh_process_changes_no_bit(name: str) -> None:
    here = str(Path(__file__).parent)
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})\n{CODE}", here, name],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest(fitted(DATA[name]))


def test_another_seed_gives_other_draws_and_the_same_answer() -> None:
    effects = [Effects(fitted(DATA["lognormal"], seed=seed)).draws("post") for seed in (1, 2)]
    assert not np.isclose(effects[0], effects[1]).any()
    for post in effects[0]["post"].to_numpy():
        a, b = (draws.sel(post=post).to_numpy() for draws in effects)
        assert abs(a.mean() - b.mean()) <= 5 * np.hypot(mcse_mean(a), mcse_mean(b)), post


def test_progress_is_told_and_changes_nothing() -> None:
    seen: list[float] = []
    settings = SampleSettings(400, 2, 1, 1)
    told = fit_exact(DATA["lognormal"], ModelSpec(), settings, lambda share, _: seen.append(share))
    assert seen
    assert seen[-1] == 1.0
    assert digest(told) == digest(fitted(DATA["lognormal"]))
