"""Simulation-based calibration: ranks of prior-drawn truths among the posterior draws."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.analysis.effects import Effects
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.model.design import Design, build_design
from lift.model.prior import PriorDraw, draw_downloads, draw_prior, true_effects
from lift.rng import stream

PLATFORMS = ("Instagram", "TikTok")
CREATORS = ("human", "virtual")
INFLUENCERS = tuple(f"@creator_{i}" for i in range(5))


def skeleton(name: str, config: dict[str, Any], start: float) -> dict[str, Any]:
    """Return the tables of a campaign whose downloads are still to be drawn."""
    rng = stream(config["seed"], name, "tables")
    n, n_posts = config["n_days"], config["n_posts"]
    dates = pd.date_range("2025-01-01", periods=n)
    days = rng.uniform(config["first_post_day"], config["last_post_day"], n_posts)
    posts = pd.DataFrame(
        {
            "post_id": [f"post_{j:02d}" for j in range(n_posts)],
            "posted_at": (dates[0] + pd.to_timedelta(days, unit="D")).tz_localize("UTC"),
            "influencer": rng.permutation(np.resize(INFLUENCERS, n_posts)),
            "platform": np.roll(np.resize(PLATFORMS, n_posts), rng.integers(2)),
            "creator_type": np.resize(np.repeat(CREATORS, [3, 1]), n_posts),
            "views": np.exp(rng.normal(12.0, 1.0, n_posts)),
        }
    )
    walks = rng.normal(size=(n, config["n_controls"])).cumsum(axis=0)
    controls = pd.DataFrame(walks, columns=[f"control_{k}" for k in range(config["n_controls"])])
    controls.insert(0, "date", dates)
    wave = np.where(np.arange(n) % 2, start, start + 1.0)
    downloads = pd.DataFrame({"date": dates, "downloads": wave})
    return {"downloads": downloads, "posts": posts, "controls": controls, "timezone": "UTC"}


def truths(
    design: Design, drawn: PriorDraw, downloads: np.ndarray, config: dict[str, Any]
) -> dict[str, float]:
    """Return the true value of everything that is ranked."""
    out = {}
    for name in ("noise_sd", "level_sd", "control_sd", "amplitude_sd", "influencer_sd"):
        out[name] = drawn.values[design.position(name)]
    out["views_elasticity"] = drawn.values[design.position("views_elasticity")]
    first = design.position("first_day")
    for g, group in enumerate(design.posts.kernel_groups):
        out[f"first_day_share[{group}]"] = -np.expm1(-np.exp(drawn.values[first + g]))
    out["kernel_shape"] = np.exp(drawn.values[design.position("log_shape")])
    horizon = config["horizon_days"]
    for j, post in enumerate(design.posts.ids):
        out[f"effect[{post}]"] = true_effects(design, drawn, downloads, np.array([j]), horizon)
    everyone = np.arange(len(design.posts.ids))
    out["effect[campaign]"] = true_effects(design, drawn, downloads, everyone, horizon)
    n_controls, n_fixed = config["n_controls"], design.fixed.shape[1]
    for k in range(n_controls):
        out[f"control[{k}]"] = drawn.coefficients[n_fixed - n_controls + k]
    return out


def one_campaign(name: str, likelihood: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the rank of every truth among the posterior draws of one prior-drawn campaign."""
    start = config["lognormal_start" if likelihood == "lognormal" else "count_start"]
    tables = skeleton(name, config, start)
    spec = lift.ModelSpec(likelihood=likelihood, horizon_days=config["horizon_days"])
    design = build_design(lift.Campaign(**tables), spec)
    rng = stream(config["seed"], name, "truth")
    drawn = draw_prior(design, float(np.log(start)), rng)
    downloads = draw_downloads(design, drawn, rng)
    tables["downloads"]["downloads"] = downloads
    campaign = lift.Campaign(**tables)
    design = build_design(campaign, spec)
    true = truths(design, drawn, downloads, config)
    seed = int(stream(config["seed"], name, "fit").integers(2**31))
    # not through analyse(), which refuses poor draws: here every campaign counts
    fitted = fit_exact(campaign, spec, SampleSettings(draws=config["draws"], seed=seed))
    effects, posterior = Effects(fitted), fitted.draws
    draws = {key: posterior[key.split("[")[0]] for key in true if not key.startswith("effect")}
    every = config["draws"] // config["ranked_draws"]
    ranks = {}
    posts, total = effects.draws("post"), effects.draws("campaign")
    for key, value in true.items():
        kind, _, label = key.removesuffix("]").partition("[")
        if kind == "effect":
            array = total if label == "campaign" else posts.sel(post=label)
        elif kind == "control":
            array = posterior["control_effect"].isel(control=int(label))
        else:
            array = draws[key].sel(kernel_group=label) if label else draws[key]
        thinned = array.to_numpy().reshape(-1)[::every]
        ranks[key] = int((thinned < value).sum())
    stats = fitted.sample_stats
    return {
        "ranks": ranks,
        "pareto_k": float(stats["pareto_k"]),
        "ess": float(stats["ess"]),
        "n_evaluations": int(stats["n_evaluations"]),
        "safety_net": int(stats["safety_net"]),
    }


def pointwise_p(ranks: np.ndarray, n_ranks: int) -> float:
    """Return the smallest two-sided binomial p-value of the ECDF of ranks over all its points."""
    from scipy.stats import binom

    n = len(ranks)
    points = np.arange(1, n_ranks) / n_ranks
    counts = np.searchsorted(np.sort(ranks), np.arange(n_ranks - 1), side="right")
    below = binom.cdf(counts, n, points)
    above = binom.sf(counts - 1, n, points)
    return float(np.minimum(1.0, 2.0 * np.minimum(below, above)).min())


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return, for each likelihood, how evenly the ranks lie."""
    n_ranks = config["ranked_draws"] + 1
    numbers: dict[str, float] = {}
    rows = []
    folder = Path(config["results"])
    for likelihood in config["likelihoods"]:
        n_campaigns = config["campaigns"][likelihood]
        rng = stream(config["seed"], "bands", likelihood)
        uniform = rng.integers(n_ranks, size=(config["band_simulations"], n_campaigns))
        null = np.sort([pointwise_p(row, n_ranks) for row in uniform])
        names = [f"{likelihood}_{i:04d}" for i in range(n_campaigns)]
        units = study.units(
            names,
            lambda name, likelihood=likelihood: one_campaign(name, likelihood, config),
            folder / "units",
            config,
        )
        table = pd.DataFrame([unit["ranks"] for unit in units])
        for quantity in table:
            own = table[quantity].to_numpy()
            least = pointwise_p(own, n_ranks)
            p_value = (np.searchsorted(null, least, side="right") + 1) / (len(null) + 1)
            tail = round(0.025 * n_ranks)
            covered = ((own >= tail) & (own < n_ranks - tail)).mean()
            rows.append((likelihood, quantity, len(own), p_value, covered))
        own_rows = [row for row in rows if row[0] == likelihood]
        p_values = np.array([row[3] for row in own_rows])
        numbers[f"{likelihood}_quantities"] = len(p_values)
        numbers[f"{likelihood}_outside_band"] = int((p_values < 1 - config["band_prob"]).sum())
        numbers[f"{likelihood}_smallest_p"] = float(p_values.min())
        numbers[f"{likelihood}_bonferroni_p"] = float(min(1.0, p_values.min() * len(p_values)))
        k = np.array([unit["pareto_k"] for unit in units])
        numbers[f"{likelihood}_share_k_above_0.5"] = float((k > 0.5).mean())
        numbers[f"{likelihood}_share_k_above_0.7"] = float((k > 0.7).mean())
        numbers[f"{likelihood}_largest_k"] = float(k.max())
        net = np.array([unit["safety_net"] for unit in units])
        numbers[f"{likelihood}_share_safety_net"] = float(net.mean())
    columns = ["likelihood", "quantity", "campaigns", "band_p_value", "coverage_95"]
    pd.DataFrame(rows, columns=columns).to_csv(
        folder / "ranks.csv", index=False, float_format="%.6g", lineterminator="\n"
    )
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
