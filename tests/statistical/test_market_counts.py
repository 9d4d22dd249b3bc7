"""Several markets of few downloads at once: what was put in is found as often as it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from first_levels import drawn_by_prior, even_levels, in_range
from scipy.stats import kstest
from small_campaigns import post_table

from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.base import SampleSettings
from lift.engines.importance import BAD_K
from lift.engines.markets import fit_markets
from lift.joint import analyse_markets
from lift.model.markets import MarketsDesign, build_markets
from lift.model.markets_prior import draw_markets_prior
from lift.model.posterior import Posterior
from lift.model.prior import PriorDraw, draw_downloads, true_effects
from lift.model.spec import ModelSpec
from lift.rng import stream

MARKETS = ("AT", "CH", "DE")
TIMES = (40.4, 55.8, 61.2, 80.5)
TARGETS = ("AT", None, "CH", None)
N_DAYS = 110
N_CAMPAIGNS = 100
SHARED = ("amplitude_sd", "market_sd", "shared_level_sd", "shared_noise_sd")
FEW = (1.0, 30.0)
"""Mean downloads a day of a small market before its posts."""
MANY = (3e6, 3e7)


def made(downloads: list[np.ndarray]) -> Campaign:
    """Return a campaign of three markets with given downloads."""
    dates = pd.date_range("2025-01-01", periods=N_DAYS)
    tables = [
        pd.DataFrame({"date": dates, "market": market, "downloads": values})
        for market, values in zip(MARKETS, downloads, strict=True)
    ]
    posts = post_table(TIMES).assign(market=TARGETS)
    return Campaign(downloads=pd.concat(tables), posts=posts)


@pytest.mark.slow
def test_effects_in_small_markets_are_found() -> None:
    """Levels from one to six a day; posts that double them for some days."""
    rng = stream(3, "tests", "small markets")
    days = np.arange(N_DAYS)
    shared = np.cumsum(0.03 * rng.standard_normal(N_DAYS))
    lift = np.zeros((3, N_DAYS))
    for time, target in zip(TIMES, TARGETS, strict=True):
        since = days - np.floor(time)
        shape = np.where(since >= 0, 2.0 * 0.5 ** (np.maximum(since, 0.0) + 1.0), 0.0)
        for m, market in enumerate(MARKETS):
            lift[m] += shape if target in (None, market) else 0.0
    log_level = np.log([1.0, 3.0, 6.0])[:, None]
    counts = [rng.poisson(np.exp(row)).astype(float) for row in log_level + shared + lift]
    assert (counts[0] == 0).sum() > 20
    spec = ModelSpec.model_validate({"markets": {"shared_level": True}})
    analysis = analyse_markets(made(counts), spec, draws=1000, chains=2, seed=4)
    total = analysis.effects("campaign").set_index("market")
    for m, market in enumerate(MARKETS):
        truth = float((counts[m] * -np.expm1(-lift[m])).sum())
        row = total.loc[market]
        assert row["lower"] < truth < row["upper"]
        assert row["prob_positive"] > 0.95
    draws = analysis.markets["AT"].posterior.draws["shared_level_sd"].to_numpy()
    assert min((draws <= 0.03).mean(), (draws >= 0.03).mean()) > 0.0005


SPECS: dict[str, dict[str, Any]] = {
    "nothing shared": {},
    "shared level and shocks": {"shared_level": True, "shared_noise": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("big", [False, True], ids=["counts", "one of them large"])
@pytest.mark.parametrize("shared", list(SPECS.values()), ids=list(SPECS))
def test_ranks_of_prior_drawn_truths_are_uniform(shared: dict[str, Any], big: bool) -> None:
    """Simulation-based calibration (Talts et al. 2018) of joint fits.

    A large market is drawn without the Poisson part of its noise, which is nothing there.
    """
    spec = ModelSpec.model_validate(
        {
            "likelihood": "auto" if big else "negative_binomial",
            "markets": shared,
            "baseline": {"week": False},
            "response": {"window_days": 30},
        }
    )
    sizes = [FEW, FEW, MANY if big else FEW]
    ranks: dict[str, list[float]] = {}
    zeros = 0
    for i in range(N_CAMPAIGNS):
        rng = stream(9, "tests", "calibration of small markets", str(shared), str(big), str(i))
        data, design, drawn, counts = prior_drawn(spec, sizes, rng)
        zeros += bool((np.array(counts) == 0).any())
        fits = fit_markets(data, spec, SampleSettings(draws=400, chains=1, seed=i))
        if fits["AT"].sample_stats["pareto_k"] >= BAD_K:
            # a fit that lift refuses: one chain has too few points for it
            fits = fit_markets(data, spec, SampleSettings(draws=2000, chains=4, seed=i))
        assert fits["AT"].sample_stats["pareto_k"] < BAD_K
        for name, (draws, truth) in compared(fits, design, drawn, counts).items():
            ranks.setdefault(name, []).append(float((draws < truth).mean()))
    assert zeros > N_CAMPAIGNS / 2
    # one false alarm in a thousand runs over all quantities
    worst = {name: kstest(values, "uniform").pvalue for name, values in ranks.items()}
    assert min(worst.values()) > 1e-3 / len(worst), worst


def prior_drawn(
    spec: ModelSpec, sizes: list[tuple[float, float]], rng: np.random.Generator
) -> tuple[Campaign, MarketsDesign, tuple[PriorDraw, ...], list[np.ndarray]]:
    """Return a campaign of markets of given sizes, its design, and what it was drawn from."""
    kinds = ["lognormal" if size == MANY else "negative_binomial" for size in sizes]
    plain = build_markets(made([np.full(N_DAYS, low) for low, _ in sizes]), spec)
    assert [part.likelihood for part in plain.designs] == kinds
    while True:
        levels = even_levels(sizes, rng)
        drawn = draw_markets_prior(plain, list(levels), rng)
        counts = [
            draw_downloads(part, mine, rng) for part, mine in zip(plain.designs, drawn, strict=True)
        ]
        if not in_range(sizes, counts):
            continue
        data = made(counts)
        design = build_markets(data, spec)
        as_asked = [part.likelihood for part in design.designs] == kinds
        if as_asked and drawn_by_prior(design.designs, levels, rng):
            return data, design, drawn, counts


def compared(
    fits: dict[str, Posterior],
    design: MarketsDesign,
    drawn: tuple[PriorDraw, ...],
    counts: list[np.ndarray],
) -> dict[str, tuple[np.ndarray, float]]:
    """Return draws and truth of hyperparameters, of effects in markets and of all together."""
    out = {}
    first = design.designs[0]
    for name in SHARED:
        if name in fits["AT"].draws:
            truth = float(drawn[0].values[first.position(name)])
            out[name] = (fits["AT"].draws[name].to_numpy(), truth)
    totals, truths = [], []
    for m, (market, part) in enumerate(zip(MARKETS, design.designs, strict=True)):
        for name in ("noise_sd", "level_sd"):
            truth = float(drawn[m].values[part.position(name)])
            out[f"{name} {market}"] = (fits[market].draws[name].to_numpy(), truth)
        members = np.arange(len(part.posts.ids))
        truths.append(true_effects(part, drawn[m], counts[m], members, 28))
        totals.append(Effects(fits[market]).draws("campaign").to_numpy())
        out[f"effect {market}"] = (totals[-1], truths[-1])
    out["effect"] = (np.sum(totals, axis=0), sum(truths))
    return out
