"""Calibration of few counts a day: ranks of prior-drawn truths, in pairs of mirror images."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import lift
from lift import study
from lift.analysis.effects import Effects
from lift.engines.automatic import fit_automatic
from lift.engines.base import SampleSettings
from lift.engines.markets import fit_markets
from lift.model.design import Design, build_design
from lift.model.markets import build_markets
from lift.model.markets_prior import draw_markets_prior
from lift.model.posterior import Posterior
from lift.model.prior import PriorDraw, draw_downloads, draw_prior, true_effects
from lift.rng import stream

CALIBRATION = Path(__file__).parent.parent / "simulation_based_calibration" / "run.py"
ALONE = "alone"
"""What the one market of a campaign is called that has no others."""
OWN = ("noise_sd", "level_sd")
SHARED = ("amplitude_sd", "market_sd", "shared_level_sd", "shared_noise_sd")
LIKELIHOOD = "negative_binomial"
LEAST_UNIFORM = 1e-15
"""Uniform numbers are kept this far from 0 and 1, where quantiles are not finite."""


class Mirror(np.random.Generator):
    """Random numbers of a campaign, or of its mirror image.

    The first normal numbers, of which hyperparameters are made, are the same in both. All others,
    of coefficients and of steps of the level, have the opposite sign, and the noise is at the
    opposite quantile: each of the two has the law of the prior, and what was too much in one is too
    little in the other, so that the mean rank over both varies less.
    """

    def __init__(self, source: np.random.Generator, sign: int) -> None:
        super().__init__(source.bit_generator)
        self.sign = sign
        self.held = False

    def standard_normal(self, *args: Any, **named: Any) -> Any:
        """Return normal numbers, of either sign after the first time."""
        drawn = super().standard_normal(*args, **named)
        if not self.held:
            self.held = True
            return drawn
        return self.sign * drawn

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """Return gamma numbers at quantiles or the opposite ones."""
        return stats.gamma.ppf(self._quantile(size), shape, scale=scale)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Return Poisson numbers at quantiles or the opposite ones."""
        return stats.poisson.ppf(self._quantile(np.shape(lam) if size is None else size), lam)

    def _quantile(self, size: Any) -> Any:
        drawn = np.clip(self.random(size), LEAST_UNIFORM, 1.0 - LEAST_UNIFORM)
        return drawn if self.sign > 0 else 1.0 - drawn


def calibration() -> ModuleType:
    """Return the study of one market: how ranks are taken and bands drawn."""
    spec = importlib.util.spec_from_file_location("calibration", CALIBRATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def campaign(
    model: dict[str, Any], downloads: list[np.ndarray], name: str, seed: int
) -> lift.Campaign:
    """Return a campaign with the given downloads of each market."""
    dates = pd.date_range("2025-01-01", periods=model["n_days"])
    posts = pd.DataFrame(
        {
            "post_id": [f"post_{j}" for j in range(len(model["post_days"]))],
            "posted_at": [
                dates[0].tz_localize("UTC") + pd.Timedelta(minutes=round(day * 1440))
                for day in model["post_days"]
            ],
        }
    )
    controls = None
    if model["n_controls"]:
        values = stream(seed, name, "controls").normal(size=(len(dates), model["n_controls"]))
        controls = pd.DataFrame(values, columns=[f"control_{k}" for k in range(values.shape[1])])
        controls.insert(0, "date", dates)
    if model["targets"]:
        posts["market"] = [target or None for target in model["targets"]]
    tables = [pd.DataFrame({"date": dates, "downloads": values}) for values in downloads]
    for market, table in zip(model["markets"], tables, strict=False):
        table["market"] = market
    table = pd.concat(tables, ignore_index=True)
    return lift.Campaign(downloads=table, posts=posts, controls=controls, timezone="UTC")


def designs(
    data: lift.Campaign, spec: lift.ModelSpec, *, joint: bool
) -> tuple[Any, tuple[Design, ...]]:
    """Return the design of a campaign, and that of each of its markets."""
    if joint:
        together = build_markets(data, spec)
        return together, together.designs
    alone = build_design(data, spec)
    return alone, (alone,)


def truths(
    parts: tuple[Design, ...],
    markets: list[str],
    drawn: tuple[PriorDraw, ...],
    downloads: list[np.ndarray],
    horizon: int,
) -> dict[str, float]:
    """Return the true value of everything that is ranked."""
    out: dict[str, float] = {}
    total = 0.0
    for part, market, mine, counts in zip(parts, markets, drawn, downloads, strict=True):
        for name in OWN:
            out[f"{name}[{market}]"] = float(mine.values[part.position(name)])
        everyone = np.arange(len(part.posts.ids))
        for j, post in enumerate(part.posts.ids):
            out[f"effect[{post}, {market}]"] = true_effects(
                part, mine, counts, everyone[j : j + 1], horizon
            )
        effect = true_effects(part, mine, counts, everyone, horizon)
        if len(parts) > 1:
            out[f"effect[campaign, {market}]"] = effect
        total += effect
    out["effect[campaign, all]"] = total
    for name in SHARED:
        if (at := parts[0].position(name)) >= 0:
            out[name] = float(drawn[0].values[at])
    return out


def posterior_values(fits: dict[str, Posterior], names: list[str]) -> dict[str, np.ndarray]:
    """Return the posterior draws of ranked quantities, each of shape (chain * draw,)."""
    effects = {
        market: {by: Effects(fitted).draws(by) for by in ("post", "campaign")}
        for market, fitted in fits.items()
    }
    first = next(iter(fits.values())).draws
    out = {}
    for name in names:
        kind, _, label = name.removesuffix("]").partition("[")
        unit, _, market = label.partition(", ")
        if kind != "effect":
            array = fits[unit].draws[kind] if unit else first[kind]
        elif market == "all":
            array = sum(parts["campaign"] for parts in effects.values())
        elif unit == "campaign":
            array = effects[market]["campaign"]
        else:
            array = effects[market]["post"].sel(post=unit)
        out[name] = np.asarray(array.to_numpy()).reshape(-1)
    return out


def is_kept(
    downloads: list[np.ndarray],
    starts: np.ndarray,
    parts: tuple[Design, ...],
    config: dict[str, Any],
    uniform: float,
) -> bool:
    """Return whether a campaign is one of few downloads a day, drawn with the model's first level.

    The model's prior of it is normal about the median log downloads, so that it depends on the
    data: of campaigns at evenly drawn levels as many are kept as its density says.
    """
    early = np.array([counts[: config["early_days"]].mean() for counts in downloads])
    low, high = config["early_mean"]
    if not ((early >= low) & (early <= high)).all():
        return False
    apart = [(s - part.center) / part.level_start_sd for s, part in zip(starts, parts, strict=True)]
    return bool(uniform < np.exp(-0.5 * np.square(apart).sum()))


def one_pair(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the ranks of a prior-drawn campaign and of its mirror image, where they are kept."""
    model = config["models"][name.rpartition("_")[0]]
    markets = model["markets"] or [ALONE]
    spec = lift.ModelSpec.model_validate(
        {"horizon_days": config["horizon_days"], "likelihood": LIKELIHOOD, **model["spec"]}
    )
    joint = len(markets) > 1
    plain = campaign(model, [np.ones(model["n_days"])] * len(markets), name, config["seed"])
    whole, parts = designs(plain, spec, joint=joint)
    low, high = np.log(config["early_mean"]) + np.array([-1.0, 1.0]) * config["beyond"]
    kept: dict[str, Any] = {}
    attempt = 0
    while not kept:
        attempt += 1
        at = (config["seed"], name, f"attempt {attempt}")
        starts = stream(*at, "start").uniform(low, high, len(markets))
        for sign in (1, -1):
            rng = Mirror(stream(*at, "truth"), sign)
            drawn = (
                draw_markets_prior(whole, list(starts), rng)
                if joint
                else (draw_prior(whole, float(starts[0]), rng),)
            )
            downloads = [
                draw_downloads(part, mine, rng) for part, mine in zip(parts, drawn, strict=True)
            ]
            data = campaign(model, downloads, name, config["seed"])
            fitted_parts = designs(data, spec, joint=joint)[1]
            uniform = float(stream(*at, "kept", str(sign)).random())
            if is_kept(downloads, starts, fitted_parts, config, uniform):
                true = truths(fitted_parts, markets, drawn, downloads, config["horizon_days"])
                own = f"{name}, attempt {attempt}, {sign}"
                kept["campaign" if sign > 0 else "mirror"] = {
                    **fitted(data, spec, true, model, own, config),
                    "mean_downloads": float(np.mean(downloads)),
                }
    return kept


def fitted(
    data: lift.Campaign,
    spec: lift.ModelSpec,
    true: dict[str, float],
    model: dict[str, Any],
    name: str,
    config: dict[str, Any],
) -> dict[str, Any]:
    """Return the ranks of the truth and of each draw among them all, and diagnostics."""
    seed = int(stream(config["seed"], name, "fit").integers(2**31))
    settings = SampleSettings(draws=model["draws"], chains=model["chains"], seed=seed)
    # not through analyse(), which refuses poor draws: here every campaign counts
    fits = (
        fit_markets(data, spec, settings)
        if model["markets"]
        else {ALONE: fit_automatic(data, spec, settings)}
    )
    values = posterior_values(fits, list(true))
    every = model["draws"] // config["ranked_draws"]
    ties = stream(config["seed"], name, "ties")
    ranked = calibration().ranked
    ranks = {key: ranked(np.append(true[key], values[key][::every]), ties).tolist() for key in true}
    given = next(iter(fits.values())).sample_stats
    stats_kept = {key: float(given[key]) for key in ("pareto_k", "safety_net") if key in given}
    return {"ranks": ranks, **stats_kept}


def mean_rank(
    pairs: list[dict[str, Any]], quantities: list[str], n_ranks: int
) -> tuple[float, float]:
    """Return the mean rank (0.5 where right) over quantities and campaigns, and its error.

    The standard error is that of a ratio: of the sum of a pair's ranks over how many it has.
    """
    sums, sizes = [], []
    for pair in pairs:
        own = [
            (member["ranks"][key][0] + 0.5) / n_ranks
            for member in pair.values()
            for key in quantities
        ]
        sums.append(sum(own))
        sizes.append(len(own))
    total = float(sum(sizes))
    mean = sum(sums) / total
    off = np.array(sums) - mean * np.array(sizes)
    return mean, float(np.sqrt((off**2).sum()) / total)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return, for each model, how evenly the ranks lie."""
    numbers: dict[str, float] = {}
    rows: list[list[Any]] = []
    means: list[tuple[float, float, int]] = []
    style: dict[str, Any] = {"index": False, "float_format": "%.6g", "lineterminator": "\n"}
    folder = Path(config["results"])
    apart = ("pairs", "models", "band_prob", "band_simulations")
    shared = {key: value for key, value in config.items() if key not in apart}
    for label, model in config["models"].items():
        if not (n_pairs := config["pairs"][label]):
            continue
        own_config = {**shared, "models": {label: model}}
        pairs = study.units(
            [f"{label}_{i:04d}" for i in range(n_pairs)],
            lambda name, own=own_config: one_pair(name, own),
            folder / "units",
            own_config,
        )
        members = [member for pair in pairs for member in pair.values()]
        quantities = list(members[0]["ranks"])
        # bands take campaigns that have nothing to do with each other
        alone = [pair["campaign"] for pair in pairs if "campaign" in pair]
        ranks = np.array([[one["ranks"][key] for key in quantities] for one in alone])
        rng = stream(config["seed"], "bands", label)
        p_values, joint = calibration().bands(
            ranks.transpose(0, 2, 1), config["band_simulations"], rng
        )
        n_ranks = ranks.shape[2]
        posts = [key for key in quantities if key.startswith("effect[post")]
        total = mean_rank(pairs, ["effect[campaign, all]"], n_ranks)
        each = mean_rank(pairs, posts, n_ranks)
        means.append((*total, len(members)))
        true = np.array([[one["ranks"][key][0] for key in quantities] for one in members])
        tail = round(0.025 * n_ranks)
        covered = ((true >= tail) & (true < n_ranks - tail)).mean(axis=0)
        for key, p_value, share in zip(quantities, p_values, covered, strict=True):
            rows.append([label, key, p_value, share, *mean_rank(pairs, [key], n_ranks)])
        least, count = float(p_values.min()), len(quantities)
        numbers |= {
            f"{label}_campaigns": len(members),
            f"{label}_pairs": sum(len(pair) == 2 for pair in pairs),
            f"{label}_in_bands": len(alone),
            f"{label}_quantities": count,
            f"{label}_outside_own_band": int((p_values <= 1 - config["band_prob"]).sum()),
            f"{label}_smallest_p": least,
            f"{label}_bonferroni_p": min(1.0, least * count),
            f"{label}_joint_p": joint,
            f"{label}_inside_joint_band": int(joint > 1 - config["band_prob"]),
            f"{label}_mean_rank_of_campaign": total[0],
            f"{label}_mean_rank_of_campaign_se": total[1],
            f"{label}_mean_rank_of_posts": each[0],
            f"{label}_mean_rank_of_posts_se": each[1],
            f"{label}_mean_coverage_95": float(covered.mean()),
            f"{label}_median_downloads": float(
                np.median([one["mean_downloads"] for one in members])
            ),
        }
        if all("pareto_k" in one for one in members):
            numbers[f"{label}_largest_k"] = max(one["pareto_k"] for one in members)
            net = np.mean([one["safety_net"] for one in members])
            numbers[f"{label}_share_safety_net"] = float(net)
        frame = pd.DataFrame(true, columns=quantities)
        which = [f"{i:04d}_{member}" for i, pair in enumerate(pairs) for member in pair]
        frame.insert(0, "member", which)
        frame.to_csv(folder / f"ranks_{label}.csv", **style)
    found, errors, sizes = np.array(means).T
    shares = sizes / sizes.sum()
    numbers["mean_rank_of_campaign"] = float(shares @ found)
    numbers["mean_rank_of_campaign_se"] = float(np.sqrt(((shares * errors) ** 2).sum()))
    columns = ["model", "quantity", "band_p_value", "coverage_95", "mean_rank", "mean_rank_se"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "quantities.csv", **style)
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
