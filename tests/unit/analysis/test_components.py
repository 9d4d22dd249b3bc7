"""Components by day: they add up to the linear predictor, states have their posterior."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaln
from small_campaigns import points, post_table, rich_campaign

from lift.analysis.components import (
    N_DRAWS,
    components,
    hyperparameters,
    thinned,
)
from lift.analysis.prediction_errors import error_checks
from lift.analysis.state_draws import States, count_states
from lift.data.campaign import Campaign
from lift.errors import EngineError, InputError, RunError
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.posterior import Posterior, assemble
from lift.model.predictor import design_matrix
from lift.model.response import kernel_days
from lift.model.spec import ModelSpec
from lift.model.state_paths import state_covariances
from lift.pipeline import Analysis, analyse
from lift.rng import stream

FloatArray = NDArray[np.float64]

EVERY_STATE = {
    "trend": "damped",
    "week_evolves": True,
    "noise": "ar1",
    "evolving_controls": ["series_1"],
}
FIXED: dict[str, dict[str, Any]] = {
    "plain": {},
    "seasons, holidays and a year": {
        "baseline": {"year_harmonics": 2, "seasons": [{"period_days": 30.4375}]}
    },
    "displacement": {"response": {"displacement": True}},
    "free kernel": {"response": {"kernel": "free", "free_days": 9}},
    "counts": {"likelihood": "negative_binomial"},
    "linear scale": {"scale": "linear"},
}


def made(settings: dict[str, Any], *, seed: int = 5) -> tuple[Posterior, Design, FloatArray]:
    """Return a posterior of draws that are written down, its design and its predictors by day."""
    campaign = rich_campaign(country="IT", start="2024-12-20")
    spec = ModelSpec.model_validate(settings)
    design = build_design(campaign, spec)
    z = points(len(design.hypers), 6, seed=seed, spread=0.5)
    values = natural(z, design.hypers, design.mix)
    rng = stream(seed, "tests", "coefficients")
    matrices = [design_matrix(design, value) for value in values]
    coefficients = np.stack([0.3 * sd * rng.normal(size=len(sd)) for _, sd in matrices])
    predictors = np.stack(
        [columns @ own for (columns, _), own in zip(matrices, coefficients, strict=True)]
    )
    posterior = assemble(
        campaign,
        spec,
        design,
        coordinates=z.reshape(2, 3, -1),
        coefficients=coefficients.reshape(2, 3, -1),
        attrs={"engine": "exact", "seed": 3},
        stats={},
    )
    return posterior, design, predictors


@pytest.mark.parametrize("settings", list(FIXED.values()), ids=list(FIXED))
def test_components_add_up_to_the_linear_predictor(settings: dict[str, Any]) -> None:
    """All but the level are the columns of the model times the coefficients."""
    posterior, design, predictors = made(settings)
    found = components(posterior, design)
    draws = found.draws
    unit = design.unit if design.linear else 1.0
    total = sum(draws[name] for name in found.names)
    np.testing.assert_allclose(draws["sum"], total, rtol=1e-12)
    beside = (draws["sum"] - draws["level"]) / unit
    np.testing.assert_allclose(beside, predictors, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        draws["single_control"].sum("control_name"), draws["control"], rtol=1e-9, atol=1e-9
    )
    fitted = draws["sum"] if design.linear else np.exp(draws["sum"])
    np.testing.assert_allclose(draws["downloads"], fitted, rtol=1e-12)
    asked = {"level", "week", "holiday", "control", "posts"}
    asked |= {"year", "season"} if "baseline" in settings else set()
    assert set(found.names) == asked
    # the level lies where the rest leaves the outcome, on its own scale
    downloads = posterior.downloads.to_numpy()
    level = draws["level"] if design.linear else np.exp(draws["level"])
    rest = downloads / np.exp(0 if design.linear else beside) - (beside * unit) * design.linear
    ratio = np.nanmean(rest, axis=1) / level.mean("date")
    np.testing.assert_allclose(ratio, 1.0, atol=0.25)


def test_controls_and_weekdays_keep_their_names() -> None:
    posterior, design, _ = made({})
    found = components(posterior, design).draws
    effects = posterior.draws["control_effect"].to_numpy().reshape(6, -1)
    control = next(block for block in design.blocks if block.name == "control")
    for k, name in enumerate(("series_0", "series_1")):
        np.testing.assert_allclose(
            found["single_control"].sel(control_name=name),
            np.outer(effects[:, k], control.columns[:, k]),
        )
    sunday = posterior.draws["week"].sel(weekday="Sun").to_numpy().ravel()
    days = found["week"].sel(date=found["date"].dt.dayofweek == 6)
    np.testing.assert_array_equal(days, np.repeat(sunday[:, None], days.sizes["date"], axis=1))


def test_what_walks_is_in_the_component_that_it_belongs_to() -> None:
    """Without walks a week repeats; with them it moves from its first day's coefficients."""
    settings = {"baseline": EVERY_STATE | {"evolving_controls": ["series_1"]}}
    posterior, design, _ = made(settings)
    found = components(posterior, design).draws
    assert "autoregression" in found
    fixed = posterior.draws["control_effect"].to_numpy().reshape(6, -1)
    control = next(block for block in design.blocks if block.name == "control").columns
    singles = found["single_control"].to_numpy()
    still = singles[..., 0] - np.outer(fixed[:, 0], control[:, 0])
    walked = singles[..., 1] - np.outer(fixed[:, 1], control[:, 1])
    assert np.abs(still).max() < 1e-12
    assert np.abs(walked[:, 0]).max() < 1e-9
    assert (np.abs(walked[:, 10:]).max(axis=1) > 1e-4).all()
    week = posterior.draws["week"].to_numpy().reshape(6, 7)[:, design.dates.day_of_week]
    moved = found["week"].to_numpy() - week
    assert np.abs(moved[:, 0]).max() < 1e-9
    assert (np.abs(moved[:, 10:]).max(axis=1) > 1e-4).all()


@pytest.mark.parametrize("baseline", [{}, EVERY_STATE], ids=["level alone", "every state"])
def test_states_are_drawn_from_their_posterior(baseline: dict[str, Any]) -> None:
    """Mean and covariance against the normal conditional written as one matrix."""
    times = 2500
    design = build_design(
        rich_campaign(40, (20.4, 31.9), missing=(3, 20)),
        ModelSpec.model_validate({"baseline": baseline}),
    )
    z = points(len(design.hypers), 1, seed=8, spread=0.3)
    values = natural(z, design.hypers, design.mix)
    states = States(design, values)
    rest, noise = design.outcome[None], states.noise_var
    seen = design.observed
    spread = state_covariances(design, values[0])
    total = sum(spread.values())[np.ix_(seen, seen)] + np.diag(noise[0, seen])
    found = states.drawn(rest, noise, stream(1, "tests", "states"), times)
    means = states.smoothed(rest, noise)
    assert set(found) == set(means) == set(spread)
    assert len(spread) == (4 if baseline else 1)
    for part, cov in spread.items():
        gain = np.linalg.solve(total, cov[seen]).T
        mean, left = gain @ rest[0, seen], cov - gain @ cov[seen]
        sd = np.sqrt(np.maximum(np.diag(left), 0.0))
        np.testing.assert_allclose(means[part][0], mean, atol=1e-9)
        error = found[part].mean(axis=0) - mean
        assert (np.abs(error) <= 5 * sd / np.sqrt(times) + 1e-9).all()
        some = sd > 1e-9
        ratio = found[part].std(axis=0)[some] / sd[some]
        np.testing.assert_allclose(ratio, 1.0, atol=5 / np.sqrt(2 * times), err_msg=str(part))
        scale = np.outer(sd, sd).max()
        assert np.abs(np.cov(found[part].T) - left).max() < 0.15 * scale
    whole = np.sum(list(found.values()), axis=0)
    cov = sum(spread.values())
    left = cov - cov[:, seen] @ np.linalg.solve(total, cov[seen])
    assert np.abs(np.cov(whole.T) - left).max() < 0.15 * np.diag(left).max()
    ratio = whole.std(axis=0) / np.sqrt(np.diag(left))
    np.testing.assert_allclose(ratio, 1.0, atol=5 / np.sqrt(2 * times))


def test_the_level_of_counts_has_its_posterior() -> None:
    """Two observed days of few downloads: against a sum over a grid of both levels."""
    spec = ModelSpec.model_validate({"likelihood": "negative_binomial"})
    design = build_design(rich_campaign(40, (20.4, 31.9), level=3.0, missing=()), spec)
    downloads = np.full(40, np.nan)
    downloads[[4, 30]] = 0.0, 7.0
    outcome = np.where(np.isfinite(downloads), downloads, 0.0)
    design = replace(design, downloads=downloads, outcome=outcome, level_start_sd=1.0)
    values = np.full((1, len(design.hypers)), np.nan)
    noise_sd = values[0, design.position("noise_sd")] = 0.6
    values[0, design.position("level_sd")] = 0.25
    n_draws = 6000
    linear = np.full((n_draws, 40), 0.2)
    rng = stream(2, "tests", "counts")
    parts, acceptance = count_states(States(design, np.repeat(values, n_draws, 0)), linear, rng)
    assert 0.6 < acceptance < 1.0
    grid = np.linspace(-7.0, 6.0, 400)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    cov = state_covariances(design, values[0])["level", ""][np.ix_([4, 30], [4, 30])]
    both = np.stack([first, second], axis=-1)
    log_density = -0.5 * np.einsum("...i,ij,...j", both, np.linalg.inv(cov), both)
    size = noise_sd**-2
    for levels, count in ((first, 0.0), (second, 7.0)):
        mean = np.exp(design.center + 0.2 + levels)
        log_density += gammaln(count + size) - gammaln(count + 1) - gammaln(size)
        log_density += count * np.log(mean / (mean + size)) - size * np.log1p(mean / size)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    level = parts["level", ""]
    for day, levels in ((4, first), (30, second)):
        mean = (weight * levels).sum()
        sd = np.sqrt((weight * (levels - mean) ** 2).sum())
        assert abs(level[:, day].mean() - mean) < 5 * sd / np.sqrt(n_draws)
        assert level[:, day].std() == pytest.approx(sd, rel=5 / np.sqrt(2 * n_draws))
        skew = (weight * ((levels - mean) / sd) ** 3).sum()
        mine = (((level[:, day] - mean) / sd) ** 3).mean()
        # what tells the posterior from the normal about its mode; sd of the estimate below 0.05
        assert mine == pytest.approx(skew, abs=0.2)


def planted() -> tuple[Campaign, dict[str, FloatArray]]:
    """Return downloads made of known components."""
    n = 240
    rng = stream(6, "tests", "planted")
    dates = pd.date_range("2025-01-01", periods=n)
    score = rng.normal(size=(n, 2))
    score = (score - score.mean(axis=0)) / score.std(axis=0)
    times = (60.4, 90.5, 91.2, 130.3, 170.7, 200.1)
    posts = np.zeros(n)
    for time in times:
        shares = kernel_days(np.array(0.43), np.array(0.8), time % 1, 60)
        posts[int(time) :][:60] += 0.6 * shares[: n - int(time)]
    week = np.array([0.15, 0.05, 0.0, -0.05, -0.1, -0.1, 0.05])
    parts = {
        "level": np.log(2000.0) + 0.015 * rng.normal(size=n).cumsum(),
        "week": week[dates.day_of_week],
        "lead": 0.12 * score[:, 0],
        "idle": 0.0 * score[:, 1],
        "posts": posts,
    }
    log_mean = np.sum(list(parts.values()), axis=0)
    downloads = np.rint(np.exp(log_mean + 0.06 * rng.normal(size=n)))
    downloads[[30, 31, 150]] = np.nan
    controls = pd.DataFrame(
        {"date": dates, "lead": np.exp(score[:, 0]), "idle": np.exp(score[:, 1])}
    )
    campaign = Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": downloads}),
        posts=post_table(times),
        controls=controls,
    )
    return campaign, parts


@cache
def fitted() -> Analysis:
    return analyse(planted()[0], draws=2000, chains=2, seed=2, workers=1)


def test_planted_components_are_recovered() -> None:
    _, truth = planted()
    table = fitted().components().table()
    assert set(table["n_draws"]) == {N_DRAWS}
    for name, true in truth.items():
        component, control = ("control", name) if name in ("lead", "idle") else (name, "")
        rows = table[(table["component"] == component) & (table["control"] == control)]
        assert len(rows) == len(true)
        inside = (rows["lower"] <= true) & (true <= rows["upper"])
        # days are not independent: one coefficient off its interval is off on every day
        assert inside.mean() > 0.8, name
        width = (rows["upper"] - rows["lower"]).mean()
        assert np.sqrt(((rows["mean"] - true) ** 2).mean()) < 0.5 * width, name
        assert width < 0.2, name
    lead = table[(table["component"] == "control") & (table["control"] == "lead")]
    assert np.corrcoef(lead["mean"], truth["lead"])[0, 1] > 0.999
    week = table[table["component"] == "week"]
    assert np.corrcoef(week["mean"], truth["week"])[0, 1] > 0.97


def test_the_sum_is_told_in_downloads() -> None:
    analysis = fitted()
    table = analysis.components().table(0.8)
    total = table[table["component"] == "sum"]
    downloads = table[table["component"] == "downloads"]
    np.testing.assert_allclose(downloads["median"], np.exp(total["median"]), rtol=1e-4)
    np.testing.assert_allclose(downloads["lower"], np.exp(total["lower"]), rtol=1e-2)
    assert set(total["unit"]) == {"log downloads/day"}
    assert set(downloads["unit"]) == {"downloads/day"}
    assert set(table["prob"]) == {0.8}
    with pytest.raises(InputError, match="between 0 and 1"):
        analysis.components(10).table(1.0)


def test_a_summary_has_the_range_of_every_component() -> None:
    found = fitted().components()
    table, summary = found.table(0.9), found.summary(0.9)
    assert not summary.duplicated(["component", "control"]).any()
    for row in summary.to_dict("records"):
        mine = table[
            (table["component"] == row["component"]) & (table["control"] == row["control"])
        ]
        assert row["lowest"] == mine["median"].min()
        assert row["highest"] == mine["median"].max()
        assert row["sd"] == pytest.approx(mine["mean"].std())
        assert row["interval_width"] == pytest.approx((mine["upper"] - mine["lower"]).mean())
    assert len(table) == len(summary) * 240


def test_prediction_errors_of_the_right_model_are_standard_normal() -> None:
    errors = fitted().components().errors
    assert errors is not None
    downloads = planted()[0].downloads["downloads"].to_numpy()
    there = np.isfinite(downloads)
    there[0] = False
    np.testing.assert_array_equal(np.isfinite(errors), there)
    checks = error_checks(errors.to_numpy()).set_index("check")
    assert (checks["p"] > 0.01).all()
    assert checks.loc["sd", "value"] == pytest.approx(1.0, abs=0.15)


def test_prediction_errors_see_what_the_model_lacks() -> None:
    """A weekly season in the data, none in the model."""
    campaign = planted()[0]
    spec = ModelSpec.model_validate({"baseline": {"week": False}})
    found = analyse(campaign, spec, draws=800, chains=2, seed=2, workers=1)
    errors = found.components(100).errors
    assert errors is not None
    checks = error_checks(errors.to_numpy()).set_index("check")
    assert checks.loc["autocorrelation at 7 days", "value"] > 0.3
    assert checks.loc["autocorrelation at 7 days", "p"] < 1e-4
    assert checks.loc["Ljung-Box to 14 days", "p"] < 1e-4


def test_checks_of_errors_are_those_of_their_laws() -> None:
    rng = stream(4, "tests", "errors")
    n = 600
    white = rng.normal(size=n)
    white[::50] = np.nan
    checks = error_checks(white).set_index("check")
    assert (checks["p"] > 0.01).all()
    known = white[np.isfinite(white)]
    assert checks.loc["mean", "value"] == pytest.approx(known.mean())
    wide = error_checks(1.4 * white).set_index("check")["p"]
    assert wide["sd"] < 1e-6
    assert wide["share beyond 1.96"] < 1e-6
    # a lag is a number of days, not of errors: the days between were not observed
    gaps = np.full(2 * n, np.nan)
    gaps[::2] = rng.normal(size=n)
    assert error_checks(gaps).set_index("check").loc["autocorrelation at 1 day", "value"] == 0.0
    lasting = np.array(white)
    lasting[1:] = 0.5 * np.nan_to_num(white[:-1]) + np.sqrt(0.75) * white[1:]
    p = error_checks(lasting).set_index("check")
    assert p.loc["autocorrelation at 1 day", "value"] > 0.3
    assert p.loc["autocorrelation at 1 day", "p"] < 1e-6
    tails = rng.standard_t(3, size=n) / np.sqrt(3)
    assert error_checks(tails).set_index("check").loc["Jarque-Bera", "p"] < 1e-6
    with pytest.raises(InputError, match="30 errors or more, found 29"):
        error_checks(white[1:30])


def test_counts_have_no_normal_errors() -> None:
    posterior, design, _ = made(FIXED["counts"])
    assert components(posterior, design).errors is None


def test_draws_are_spaced_evenly_and_the_same_every_time() -> None:
    analysis = fitted()
    some = thinned(analysis.posterior, 10)
    assert some.draws["draw"].to_numpy().tolist() == [0, 200, 400, 600, 800]
    assert thinned(analysis.posterior, 1).draws.sizes["draw"] == 1
    assert thinned(analysis.posterior, 10**6).draws.sizes["draw"] == 1000
    first, again = analysis.components(10), analysis.components(10)
    xr.testing.assert_identical(first.draws, again.draws)
    assert first.draws.attrs["n_draws"] == 10
    assert first.draws.attrs["n_stored"] == 2000
    with pytest.raises(InputError, match="draws must be 1 or more, found 0"):
        analysis.components(0)


def test_hyperparameters_are_those_of_the_states() -> None:
    posterior, design, _ = made({"baseline": EVERY_STATE})
    values = hyperparameters(posterior, design)
    z = points(len(design.hypers), 6, seed=5, spread=0.5)
    known = np.isfinite(values)
    assert known.all(axis=0).sum() == 7
    np.testing.assert_allclose(values[known], natural(z, design.hypers, design.mix)[known])


def test_a_run_without_its_campaign_needs_it() -> None:
    analysis = fitted()
    back = replace(analysis, campaign=None)
    with pytest.raises(RunError, match=r"components need the tables.*give the campaign"):
        back.components()
    found = back.components(20, planted()[0])
    xr.testing.assert_identical(found.draws, analysis.components(20).draws)
    with pytest.raises(RunError, match="downloads are not those of the run"):
        back.components(20, rich_campaign())


def test_what_the_posterior_does_not_hold_is_refused_by_name() -> None:
    posterior, design, _ = made({})
    refused = {
        "student_t": replace(design, noise="student_t"),
        "level_shifts": replace(design, level_shifts=True),
        'saturation = "hill"': replace(design, saturation="hill"),
        "several markets": replace(design, shared=("markets.shared_level = true",)),
    }
    for what, other in refused.items():
        with pytest.raises(EngineError, match=what):
            components(posterior, other)
    for attrs, what in (
        ({"markets": "IT, FR"}, "several markets"),
        ({"interval": "confidence", "engine": "statsmodels"}, "'statsmodels'"),
    ):
        tree = posterior.tree.copy()
        tree.attrs.update(attrs)
        with pytest.raises(EngineError, match=what):
            components(Posterior(tree), design)
