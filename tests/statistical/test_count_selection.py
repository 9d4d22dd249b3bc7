"""Counts whose controls are selected: truths drawn from the prior are where the draws say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm
from small_campaigns import post_table

from lift.analysis.effects import Effects
from lift.data.campaign import Campaign
from lift.engines.automatic import fit_automatic
from lift.engines.base import SampleSettings
from lift.model.control_scales import control_columns
from lift.model.design import build_design
from lift.model.prior import draw_downloads, draw_prior, true_effects
from lift.model.spec import ModelSpec
from lift.rng import stream

N_CAMPAIGNS, N_DAYS, N_CONTROLS = 120, 130, 6
FIRST_LEVEL = 1.5
"""Log downloads of the first day: a few a day, with zeros."""
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
        names = [f"series_{k}" for k in range(N_CONTROLS)]
        controls = table(rng.standard_normal((N_DAYS, N_CONTROLS)), *names)
        posts = post_table(TIMES)
        plain = table(np.full((N_DAYS, 1), round(np.exp(FIRST_LEVEL))), "downloads")
        made = Campaign(downloads=plain, posts=posts, controls=controls)
        design = build_design(made, spec)
        drawn = draw_prior(design, FIRST_LEVEL, rng)
        counts = draw_downloads(design, drawn, rng)
        made = Campaign(
            downloads=table(counts[:, None], "downloads"), posts=posts, controls=controls
        )
        zeros += (counts == 0).any()
        design = build_design(made, spec)
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
