"""Fits of series drawn from a model with further states find what they were drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest
from small_campaigns import campaign, post_table

from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.automatic import fit_automatic
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.design import Design, build_design
from lift.model.hyper import coordinates
from lift.model.posterior import Posterior
from lift.model.prior import PriorDraw, draw_downloads, draw_prior, true_effects
from lift.model.spec import ModelSpec
from lift.rng import stream

TIMES = (100.4, 140.8, 150.2, 200.5)
"""Posts in days since the first midnight."""
FIRST_LEVEL = 14.0
"""Log downloads; the draws leave out the Poisson part of the noise, which is nothing there."""


def drawn_campaign(
    spec: ModelSpec,
    values: dict[str, float],
    *names: str,
    n_days: int = 260,
    first_level: float = FIRST_LEVEL,
) -> tuple[Campaign, Design, PriorDraw]:
    """Return a campaign drawn from a model, some of whose hyperparameters are held."""
    controls = 2 if spec.baseline.evolving_controls else 0
    plain = campaign(n_days, TIMES, posts=post_table(TIMES), n_controls=controls)
    design = build_design(plain, spec)
    rng = stream(5, "tests", "states", *names)
    if values:
        held = _Held(rng, design, values)
        drawn = draw_prior(design, first_level, held)  # type: ignore[arg-type]
    else:
        drawn = draw_prior(design, first_level, rng)
    downloads = plain.downloads.assign(downloads=draw_downloads(design, drawn, rng))
    made = Campaign(
        downloads=downloads.drop(columns="market"),
        posts=post_table(TIMES),
        controls=_controls(plain),
    )
    return made, build_design(made, spec), drawn


def _controls(made: Campaign) -> Any:
    return None if made.controls is None else made.controls.drop(columns="market")


class _Held:
    """A generator whose first normal numbers are the coordinates of given hyperparameters."""

    def __init__(self, rng: np.random.Generator, design: Design, values: dict[str, float]) -> None:
        self._rng = rng
        self._design = design
        self._values = values
        self._first = True

    def standard_normal(self, size: Any) -> Any:
        z = self._rng.standard_normal(size)
        if self._first:
            self._first = False
            hypers = self._design.hypers
            wanted = np.array([[self._values.get(h.name, np.nan) for h in hypers]])
            given = np.isfinite(wanted)
            there = coordinates(np.where(given, wanted, 0.5), hypers, self._design.mix)
            z = np.where(given, there, z)
        return z

    def standard_gamma(self, shape: float, size: int) -> Any:
        return self._rng.standard_gamma(shape, size)


FEW = 3.0
"""Log downloads of a small app."""
SETTINGS = SampleSettings(draws=1000, chains=2, seed=1)
COMPONENTS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "damped trend": (
        {"trend": "damped", "slope_rate": 300.0},
        {"noise_sd": 0.03, "level_sd": 0.005, "slope_sd": 0.01, "slope_phi": 0.9},
    ),
    "linear trend": (
        {"trend": "linear", "slope_rate": 1000.0},
        {"noise_sd": 0.03, "level_sd": 0.005, "slope_sd": 0.002},
    ),
    "evolving week": (
        {"week_evolves": True},
        {"noise_sd": 0.03, "level_sd": 0.01, "week_step_sd": 0.015},
    ),
    "autoregressive noise": (
        {"noise": "ar1"},
        {"noise_sd": 0.15, "level_sd": 0.005, "noise_phi": 0.6},
    ),
    "walking coefficient": (
        {"evolving_controls": ["series_1"]},
        {"noise_sd": 0.03, "level_sd": 0.005, "control_step_sd": 0.03, "control_sd": 0.1},
    ),
}


def tail_probability(draws: np.ndarray, truth: float) -> float:
    """Return the posterior probability beyond the truth, on the side where there is less."""
    return float(min((draws <= truth).mean(), (draws >= truth).mean()))


@pytest.mark.parametrize(("settings", "values"), list(COMPONENTS.values()), ids=list(COMPONENTS))
def test_the_component_is_found(settings: dict[str, Any], values: dict[str, float]) -> None:
    spec = ModelSpec.model_validate({"baseline": settings})
    held = values | {"amplitude_sd": 0.3}
    made, design, drawn = drawn_campaign(spec, held, *settings)
    fitted = fit_exact(made, spec, SETTINGS)
    assert fitted.sample_stats["pareto_k"] < 0.7
    for name, truth in values.items():
        draws = fitted.draws[name].to_numpy().ravel()
        assert tail_probability(draws, truth) > 0.0005, name
        if name in {"slope_sd", "week_step_sd", "noise_phi", "control_step_sd"}:
            # the data speak: far from both zero and the prior's spread
            assert 0.4 * truth < np.median(draws) < 2.0 * truth, name
    downloads = made.downloads["downloads"].to_numpy(dtype=np.float64)
    truth = true_effects(design, drawn, downloads, np.arange(4), 28)
    total = Effects(fitted).draws("campaign").to_numpy().ravel()
    assert tail_probability(total, truth) > 0.0005


COUNTS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "damped trend": (
        {"trend": "damped", "slope_rate": 300.0},
        {"noise_sd": 0.2, "level_sd": 0.01, "slope_sd": 0.01, "slope_phi": 0.9},
    ),
    "evolving week": (
        {"week_evolves": True, "week_step_rate": 60.0},
        {"noise_sd": 0.1, "level_sd": 0.02, "week_step_sd": 0.03},
    ),
    "autoregressive noise": (
        {"noise": "ar1"},
        {"noise_sd": 0.4, "level_sd": 0.01, "noise_phi": 0.6},
    ),
    "walking coefficient": (
        {"evolving_controls": ["series_1"], "control_step_rate": 30.0},
        {"noise_sd": 0.1, "level_sd": 0.01, "control_step_sd": 0.06, "control_sd": 0.1},
    ),
}


@pytest.mark.parametrize(
    ("name", "first_level"),
    [
        pytest.param(name, level, id=f"{name}, {size}", marks=[] if quick else [pytest.mark.slow])
        for level, size in ((1.0, "zeros"), (3.0, "tens"))
        for name in COUNTS
        # the others take longer by the numbers that they draw, not by what they do
        for quick in [(name, size) in {("damped trend", "zeros"), ("evolving week", "tens")}]
    ],
)
def test_the_component_of_counts_is_found(name: str, first_level: float) -> None:
    settings, values = COUNTS[name]
    spec = ModelSpec.model_validate({"baseline": settings, "likelihood": "negative_binomial"})
    held = values | {"amplitude_sd": 0.3}
    made, design, drawn = drawn_campaign(
        spec, held, *settings, f"counts {first_level}", first_level=first_level
    )
    downloads = made.downloads["downloads"].to_numpy(dtype=np.float64)
    assert np.median(downloads) < 100
    fitted = fit_exact(made, spec, SETTINGS)
    assert fitted.sample_stats["pareto_k"] < 0.7
    for hyper, truth in values.items():
        draws = fitted.draws[hyper].to_numpy().ravel()
        assert tail_probability(draws, truth) > 0.0005, hyper
    truth = true_effects(design, drawn, downloads, np.arange(4), 28)
    effects = Effects(fitted).draws("campaign").to_numpy().ravel()
    assert tail_probability(effects, truth) > 0.0005
    # no more downloads than there were
    assert effects.max() <= downloads.sum()


def test_odd_days_are_told_from_a_slope() -> None:
    """Noise with heavy tails and a trend, which need the Gibbs engine together."""
    settings = {"trend": "damped", "slope_rate": 300.0, "noise": "student_t"}
    values = {"noise_sd": 0.1, "noise_df": 3.0, "level_sd": 0.005, "slope_sd": 0.01}
    spec = ModelSpec.model_validate({"baseline": settings})
    held = values | {"slope_phi": 0.9, "amplitude_sd": 0.3}
    made, design, drawn = drawn_campaign(spec, held, "odd days")
    fitted = fit_automatic(made, spec, SETTINGS)
    assert fitted.attrs["engine"] == "gibbs"
    for name, truth in values.items():
        draws = fitted.draws[name].to_numpy().ravel()
        assert tail_probability(draws, truth) > 0.0005, name
    assert np.median(fitted.draws["noise_df"]) < 8.0
    downloads = made.downloads["downloads"].to_numpy(dtype=np.float64)
    truth = true_effects(design, drawn, downloads, np.arange(4), 28)
    total = Effects(fitted).draws("campaign").to_numpy().ravel()
    assert tail_probability(total, truth) > 0.0005


RANKED = (
    "noise_sd",
    "level_sd",
    "amplitude_sd",
    "slope_sd",
    "slope_phi",
    "noise_phi",
    "week_step_sd",
    "control_sd",
    "control_step_sd",
)


def ranks(
    fitted: Posterior, design: Design, drawn: PriorDraw, downloads: np.ndarray
) -> dict[str, float]:
    """Return the share of draws below the truth, of hyperparameters and the campaign's effect."""
    out = {}
    for name in RANKED:
        if name in fitted.draws:
            truth = drawn.values[design.position(name)]
            out[name] = float((fitted.draws[name].to_numpy() < truth).mean())
    truth = true_effects(design, drawn, downloads, np.arange(4), 28)
    out["effect"] = float((Effects(fitted).draws("campaign").to_numpy() < truth).mean())
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "likelihood"),
    [
        *(
            (settings, likelihood)
            for likelihood in ("lognormal", "negative_binomial")
            for settings in ({"trend": "damped"}, {"trend": "linear"}, {"noise": "ar1"})
        ),
        ({"week_evolves": True}, "negative_binomial"),
        ({"evolving_controls": ["series_1"], "control_step_rate": 60.0}, "negative_binomial"),
        ({"trend": "damped", "noise": "student_t"}, "lognormal"),
    ],
    ids=str,
)
def test_ranks_of_prior_drawn_truths_are_uniform(settings: dict[str, Any], likelihood: str) -> None:
    """Simulation-based calibration (Talts et al. 2018) with 60 campaigns of each model."""
    n = 60
    spec = ModelSpec.model_validate({"baseline": settings, "likelihood": likelihood})
    found: dict[str, list[float]] = {}
    first_level = FIRST_LEVEL if likelihood == "lognormal" else FEW
    for i in range(n):
        made, design, drawn = drawn_campaign(
            spec, {}, str(settings), str(i), n_days=230, first_level=first_level
        )
        fitted = fit_automatic(made, spec, SampleSettings(draws=400, chains=1, seed=i))
        downloads = made.downloads["downloads"].to_numpy(dtype=np.float64)
        for name, rank in ranks(fitted, design, drawn, downloads).items():
            found.setdefault(name, []).append(rank)
    # one false alarm in a thousand runs over all quantities
    worst = {name: kstest(values, "uniform").pvalue for name, values in found.items()}
    assert min(worst.values()) > 1e-3 / len(worst), worst
