"""Counts whose controls are selected: truths drawn from the prior are where the draws say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from first_levels import drawn_by_prior, even_levels, in_range
from scipy.stats import kstest, norm
from small_campaigns import post_table

from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.automatic import fit_automatic
from lift.engines.base import SampleSettings
from lift.model.control_scales import control_columns
from lift.model.design import Design, build_design
from lift.model.prior import PriorDraw, draw_downloads, draw_prior, true_effects
from lift.model.spec import ModelSpec
from lift.rng import stream

N_CAMPAIGNS, N_DAYS, N_CONTROLS = 120, 130, 6
FEW = (1.0, 15.0)
"""Mean downloads a day before the posts: with zeros in most campaigns."""
TIMES = (60.4, 90.8)
HYPERS = ("noise_sd", "level_sd", "amplitude_sd")


def table(values: np.ndarray, *names: str) -> pd.DataFrame:
    dates = pd.date_range("2025-01-01", periods=len(values))
    frame = pd.DataFrame(values, columns=list(names))
    frame.insert(0, "date", dates)
    return frame


def rank(draws: np.ndarray, truth: float, rng: np.random.Generator) -> float:
    """Return the rank of a truth among draws over their number, at random among equal ones."""
    below, same = (draws < truth).sum(), (draws == truth).sum()
    return float((below + rng.random() * (same + 1)) / (draws.size + 1))


def prior_drawn(
    spec: ModelSpec, rng: np.random.Generator
) -> tuple[Campaign, Design, PriorDraw, np.ndarray]:
    """Return a campaign of few downloads a day, its design, and what it was drawn from."""
    names = [f"series_{k}" for k in range(N_CONTROLS)]
    posts = post_table(TIMES)
    controls = table(rng.standard_normal((N_DAYS, N_CONTROLS)), *names)
    plain = table(np.full((N_DAYS, 1), FEW[0]), "downloads")
    before = build_design(Campaign(downloads=plain, posts=posts, controls=controls), spec)
    while True:
        levels = even_levels([FEW], rng)
        drawn = draw_prior(before, float(levels[0]), rng)
        counts = draw_downloads(before, drawn, rng)
        if not in_range([FEW], [counts]):
            continue
        downloads = table(counts[:, None], "downloads")
        made = Campaign(downloads=downloads, posts=posts, controls=controls)
        design = build_design(made, spec)
        if drawn_by_prior([design], levels, rng):
            return made, design, drawn, counts


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["spike_slab", "horseshoe"])
def test_ranks_of_prior_drawn_truths_are_uniform(prior: str) -> None:
    """Simulation-based calibration (Talts et al. 2018); inclusion is compared to what was drawn."""
    spec = ModelSpec.model_validate(
        {
            "likelihood": "negative_binomial",
            "baseline": {"control_prior": prior, "control_transform": "none", "week": False},
        }
    )
    ranks: dict[str, list[float]] = {}
    inside, believed, zeros = [], [], 0
    for i in range(N_CAMPAIGNS):
        rng = stream(7, "tests", "calibration of selection", prior, str(i))
        made, design, drawn, counts = prior_drawn(spec, rng)
        zeros += (counts == 0).any()
        fitted = fit_automatic(made, spec, SampleSettings(draws=400, chains=2, seed=i))
        assert fitted.attrs["engine"] == "gibbs"
        truths = {name: drawn.values[design.position(name)] for name in HYPERS}
        found = {name: fitted.draws[name].to_numpy() for name in HYPERS}
        first = control_columns(design)[0]
        effects = fitted.draws["control_effect"].to_numpy()
        for k in range(N_CONTROLS):
            truths[f"control {k}"] = drawn.coefficients[first + k]
            found[f"control {k}"] = effects[..., k]
        truths["effect"] = true_effects(design, drawn, counts, np.arange(len(TIMES)), 28)
        found["effect"] = Effects(fitted).draws("campaign").to_numpy()
        for name, truth in truths.items():
            ranks.setdefault(name, []).append(rank(found[name], float(truth), rng))
        if prior == "spike_slab":
            inside.append(drawn.scales.control > 0.0)
            believed.append(fitted.draws["inclusion"].mean(("chain", "draw")).to_numpy())
    assert zeros > N_CAMPAIGNS / 2
    # one false alarm in a thousand runs over all quantities
    worst = {name: kstest(values, "uniform").pvalue for name, values in ranks.items()}
    assert min(worst.values()) > 1e-3 / len(worst), worst
    if prior == "spike_slab":
        truth, chance = np.array(inside, dtype=float), np.array(believed)
        spread = np.sqrt((chance * (1 - chance)).sum())
        assert abs((truth - chance).sum() / spread) < norm.isf(0.5e-3)
        # those believed to be in are in as often as believed
        sure = chance > 0.9
        assert sure.sum() > 30
        spread = max(np.sqrt((chance * (1 - chance))[sure].sum()), 1.0)
        assert abs((truth - chance)[sure].sum() / spread) < norm.isf(0.5e-3)
