"""Coverage of the intervals of every estimand, the truth drawn from the prior."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.analysis.diagnostics import BAD_K
from lift.analysis.effects import Effects
from lift.analysis.hierarchy import level_draws
from lift.analysis.moments import flat_draws
from lift.analysis.next_post import POST_FRACTION, predict_next
from lift.engines.base import SampleSettings
from lift.engines.exact import fit_exact
from lift.errors import EngineError
from lift.model.design import Design, build_design
from lift.model.posterior import Posterior
from lift.model.prior import MAX_MEAN_COUNT, PriorDraw, draw_prior, true_effects
from lift.model.response import kernel_days
from lift.rng import stream

PLATFORMS = ("Instagram", "TikTok")
PROBS = (0.95, 0.5)
CLOSE_DAYS = 7
LEAST_FLIPS = 0.15
"""Standard error of the number of intervals that hold the truth, at least: one may change sides."""
CONTRASTS = {
    "contrast_virtual_human": ("creator_type", "virtual", "human"),
    "contrast_tiktok_instagram": ("platform", "TikTok", "Instagram"),
}
MADE_OF_UNITS = ("campaigns", "bar", "overlap")
"""What of the configuration no campaign depends on."""
MADE_OF_UNITS = ("campaigns", "bar", "overlap")
"""What of the configuration no campaign depends on."""
ENDS = [(1 - PROBS[0]) / 2, (1 + PROBS[0]) / 2, (1 - PROBS[1]) / 2, (1 + PROBS[1]) / 2]


def model_of(index: int, config: dict[str, Any]) -> str:
    """Return the likelihood of a campaign: each in its turn."""
    turns = [name for name, model in config["models"].items() for _ in range(model["turns"])]
    return turns[index % len(turns)]


def log_even(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number that is even on the log scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def post_table(rng: np.random.Generator, n_days: int, config: dict[str, Any]) -> pd.DataFrame:
    """Return posts of influencers, two of whom at least post more than once."""
    own = config["posts"]
    n = round(log_even(rng, *own["number"]))
    room = n_days - own["first_day"] - own["days_after"]
    span = min(log_even(rng, *own["span_days"]), room)
    begin = own["first_day"] + rng.uniform(0, room - span)
    n_people = max(2, round(n / rng.uniform(*own["per_person"])))
    virtual = rng.random(n_people) < own["virtual_share"]
    virtual[:2] = False, True
    people = rng.permutation(np.append([0, 0, 1, 1], rng.integers(n_people, size=n - 4)))
    platform = rng.permutation(np.append([0, 1], rng.integers(2, size=n - 2)))
    days = pd.to_timedelta(np.sort(begin + span * rng.random(n)), unit="D")
    return pd.DataFrame(
        {
            "post_id": [f"post_{j:02d}" for j in range(n)],
            "posted_at": (pd.Timestamp("2025-01-01") + days).tz_localize("UTC"),
            "influencer": [f"@creator_{i:02d}" for i in people],
            "platform": np.array(PLATFORMS)[platform],
            "creator_type": np.where(virtual[people], "virtual", "human"),
            "views": np.exp(rng.normal(*own["log_views"], n)),
        }
    )


def simulated(
    name: str, config: dict[str, Any]
) -> tuple[lift.Campaign, lift.ModelSpec, Design, PriorDraw]:
    """Return a campaign whose downloads the prior of the model drew, and what it drew."""
    likelihood = model_of(int(name.split("_")[1]), config)
    rng = stream(config["seed"], name, "tables")
    low, high = config["series"]["days"]
    n_days = int(rng.integers(low, high + 1))
    posts = post_table(rng, n_days, config)
    low, high = config["series"]["controls"]
    n_controls = int(rng.integers(low, high + 1))
    start = log_even(rng, *config["models"][likelihood]["start"])
    dates = pd.date_range("2025-01-01", periods=n_days)
    walks = rng.normal(size=(n_days, n_controls)).cumsum(axis=0)
    controls = pd.DataFrame(walks, columns=[f"control_{k}" for k in range(n_controls)])
    controls.insert(0, "date", dates)
    wave = np.where(np.arange(n_days) % 2, start, start + 1.0)

    def campaign(downloads: np.ndarray) -> lift.Campaign:
        return lift.Campaign(
            downloads=pd.DataFrame({"date": dates, "downloads": downloads}),
            posts=posts,
            controls=controls if n_controls else None,
            timezone="UTC",
        )

    spec = lift.ModelSpec(likelihood=likelihood, horizon_days=config["horizon_days"])
    design = build_design(campaign(wave), spec)
    truth = stream(config["seed"], name, "truth")
    drawn = draw_prior(design, math.log(start), truth)
    noise_sd = drawn.values[design.position("noise_sd")]
    if likelihood == "lognormal":
        factor = np.exp(noise_sd * truth.standard_normal(n_days))
    else:
        factor = truth.gamma(noise_sd**-2, noise_sd**2, n_days)
    means = np.exp(drawn.log_mean) * factor
    if means.max() > MAX_MEAN_COUNT:
        raise EngineError(f"a mean count of {means.max():g} cannot be drawn; it is above 9e18")
    downloads = truth.poisson(means).astype(np.float64)
    made = campaign(downloads)
    return made, spec, build_design(made, spec), drawn


def amplitude_parts(design: Design, drawn: PriorDraw) -> tuple[np.ndarray, np.ndarray]:
    """Return the true deviations of groups and of influencers."""
    means = drawn.coefficients[design.fixed.shape[1] + len(design.posts.ids) :]
    n_groups = len(design.posts.groups)
    return means[:n_groups], means[n_groups:]


def next_truths(
    name: str, campaign: lift.Campaign, design: Design, drawn: PriorDraw, config: dict[str, Any]
) -> dict[str, tuple[pd.DataFrame, list[float]]]:
    """Return posts to come of known and of new influencers, and what they really bring."""
    rng = stream(config["seed"], name, "next posts")
    own = config["next_posts"]
    groups, influencers = amplitude_parts(design, drawn)
    labels, people = design.posts.groups, design.posts.influencers
    kinds = campaign.posts.drop_duplicates("influencer").set_index("influencer")["creator_type"]
    centre = float(np.log(campaign.posts["views"]).mean())
    hyper = {h.name: v for h, v in zip(design.hypers, drawn.values, strict=True)}
    first = design.position("first_day")
    out = {}
    for who in ("known", "new"):
        rows, truths = [], []
        chosen = rng.permutation(len(people))[: own["known"]]
        for k in range(len(chosen) if who == "known" else own["new"]):
            person = people[chosen[k]] if who == "known" else f"@new_{k}"
            kind = kinds[person] if who == "known" else ("human", "virtual")[k % 2]
            platform = str(rng.choice(PLATFORMS))
            views = float(np.exp(rng.normal(*config["posts"]["log_views"])))
            amplitude = groups[labels.index("all")] + groups[labels.index(f"platform={platform}")]
            amplitude += groups[labels.index(f"creator_type={kind}")]
            amplitude += hyper["amplitude_sd"] * rng.standard_normal()
            fresh = hyper["influencer_sd"] * rng.standard_normal()
            amplitude += influencers[chosen[k]] if who == "known" else fresh
            gain = np.exp(hyper["views_elasticity"] * (np.log(views) - centre))
            group = design.posts.kernel_groups.index(platform)
            scale, shape = np.exp(drawn.values[first + group]), np.exp(hyper["log_shape"])
            kernel = kernel_days(
                np.array(scale), np.array(shape), POST_FRACTION, design.window_days
            )
            daily = np.expm1(amplitude * gain * kernel[: config["horizon_days"] + 1])
            truths.append(float(own["baseline"] * daily.sum()))
            rows.append(
                {
                    "post_id": f"{who}_{k}",
                    "influencer": person,
                    "platform": platform,
                    "creator_type": kind,
                    "views": views,
                    "baseline": own["baseline"],
                }
            )
        out[f"next_post_{who}"] = (pd.DataFrame(rows), truths)
    return out


def items(truth: Any, draws: np.ndarray, scale: float, **labels: list[str]) -> dict[str, Any]:
    """Return truths beside their intervals; draws of shape (draw, item), all over a scale."""
    ends = np.quantile(draws, ENDS, axis=0) / scale
    own = np.asarray(truth, dtype=np.float64)
    names = ("lower_95", "upper_95", "lower_50", "upper_50")
    return {
        "truth": (own / scale).tolist(),
        "mean": (draws.mean(axis=0) / scale).tolist(),
        **dict(zip(names, ends.tolist(), strict=True)),
        "below": (draws < own).mean(axis=0).tolist(),
        "n_draws": len(draws),
        **labels,
    }


def posts_close(design: Design) -> float:
    """Return how many other posts lie within a week of a post, on average."""
    times = design.posts.day + design.posts.fraction
    close = np.abs(np.subtract.outer(times, times)) < CLOSE_DAYS
    return float(close.sum(axis=1).mean() - 1)


def baseline_scale(drawn: PriorDraw) -> float:
    """Return the median downloads per day that were expected without any post."""
    return float(np.exp(np.median(drawn.log_mean - drawn.log_lift.sum(axis=1))))


def one_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign's settings, and for every estimand truths beside intervals."""
    try:
        campaign, spec, design, drawn = simulated(name, config)
    except EngineError as error:
        return {"refused": str(error)}
    posts = campaign.posts
    fitted = fit(name, campaign, spec, config)
    stats = fitted.sample_stats
    effects, scale = Effects(fitted), baseline_scale(drawn)
    estimands = {}
    for by in ("post", "influencer", "campaign"):
        truth = [
            true_effects(design, drawn, design.downloads, own.members, config["horizon_days"])
            for own in effects.units(by)
        ]
        estimands[by] = items(truth, flat_draws(effects.draws(by)), scale)
    estimands["post"]["creator_type"] = posts["creator_type"].tolist()
    groups, _ = amplitude_parts(design, drawn)
    for key, (attribute, level, other) in CONTRASTS.items():
        draws = level_draws(fitted, attribute)
        difference = draws.sel({attribute: level}) - draws.sel({attribute: other})
        labels = [design.posts.groups.index(f"{attribute}={one}") for one in (level, other)]
        truth = [groups[labels[0]] - groups[labels[1]]]
        estimands[key] = items(truth, difference.to_numpy().reshape(-1, 1), 1.0)
    for key, (table, truth) in next_truths(name, campaign, design, drawn, config).items():
        predicted = predict_next(fitted, spec, table, seed=int(fitted.attrs["seed"])).draws
        estimands[key] = items(truth, flat_draws(predicted), config["next_posts"]["baseline"])
    return {
        "seed": int(fitted.attrs["seed"]),
        "likelihood": design.likelihood,
        "days": len(design.dates),
        "posts": len(posts),
        "people": int(posts["influencer"].nunique()),
        "controls": 0 if campaign.controls is None else campaign.controls.shape[1] - 2,
        "posts_close": posts_close(design),
        "median_downloads": float(np.median(design.downloads)),
        "pareto_k": float(stats["pareto_k"]),
        "ess": float(stats["ess"]),
        "estimands": estimands,
    }


def fit(
    name: str, campaign: lift.Campaign, spec: lift.ModelSpec, config: dict[str, Any]
) -> Posterior:
    """Return the posterior; not through analyse(), which refuses poor draws: all count here."""
    seed = int(stream(config["seed"], name, "fit").integers(2**31))
    return fit_exact(campaign, spec, SampleSettings(draws=config["draws"], seed=seed))


def fitted_of(
    names: list[str], units: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the campaigns that were fitted: not with lognormal days of none, or counts of 9e18."""
    # That depends on the data alone, and given the data a posterior is right or not.
    kept = [i for i, unit in enumerate(units) if "refused" not in unit]
    return [names[i] for i in kept], [units[i] for i in kept]


def long_table(names: list[str], units: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per truth, with whether each interval holds it."""
    parts = []
    for name, unit in zip(names, units, strict=True):
        for kind, own in unit["estimands"].items():
            part = pd.DataFrame(own).assign(campaign=name, estimand=kind)
            for key in ("likelihood", "posts", "posts_close"):
                part[key] = unit[key]
            parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    for prob in PROBS:
        label = round(100 * prob)
        truth, tail = table["truth"], (1 - prob) / 2
        lower, upper = table[f"lower_{label}"], table[f"upper_{label}"]
        table[f"in_{label}"] = (lower <= truth) & (truth <= upper)
        # the chance that another run of the sampler puts an end on the other side of the truth
        error = np.sqrt(tail * (1 - tail) / table["n_draws"])
        flips = pd.Series(0.0, index=table.index)
        for end in (tail, 1 - tail):
            z = ((table["below"] - end) / error).abs()
            chance = np.array([0.5 * math.erfc(value / math.sqrt(2)) for value in z])
            flips += chance * (1 - chance)
        table[f"flips_{label}"] = flips
    return table


def coverage(table: pd.DataFrame, prob: float) -> tuple[float, float, float]:
    """Return the share of intervals that hold the truth, its standard error, and its MCSE.

    The standard error is over campaigns, whose truths go together: that of a ratio of sums. The
    MCSE is that of another run of the sampler on the same campaigns.
    """
    label = round(100 * prob)
    by = table.groupby("campaign")[f"in_{label}"].agg(["sum", "size"])
    share = float(by["sum"].sum() / by["size"].sum())
    rest = by["sum"] - share * by["size"]
    error = math.sqrt(float((rest**2).sum()) * len(by) / max(len(by) - 1, 1)) / len(table)
    flips = math.sqrt(float(table[f"flips_{label}"].sum()))
    return share, error, max(flips, LEAST_FLIPS) / len(table)


def row_of(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, Any]:
    """Return coverage and precision of the intervals in a table."""
    row: dict[str, Any] = {"campaigns": table["campaign"].nunique(), "truths": len(table)}
    for prob in PROBS:
        label = round(100 * prob)
        share, error, mcse = coverage(table, prob)
        row |= {f"coverage_{label}": share, f"se_{label}": error, f"mcse_{label}": mcse}
        row[f"within_bar_{label}"] = abs(share - prob) <= config["bar"]
    row["share_above"] = float((table["below"] < 0.5).mean())
    row["median_width_95"] = float((table["upper_95"] - table["lower_95"]).median())
    row["median_abs_error"] = float((table["mean"] - table["truth"]).abs().median())
    row["median_abs_truth"] = float(table["truth"].abs().median())
    return row


def strata(table: pd.DataFrame, config: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return parts of a table that are worth a row of their own."""
    out = {
        f"overlap {label}": table[table["posts_close"].between(low, high, inclusive="left")]
        for label, (low, high) in config["overlap"].items()
    }
    out |= {f"{name}": table[table["likelihood"] == name] for name in config["models"]}
    bounds = ((4, 10), (11, 25), (26, 60))
    out |= {f"{a} to {b} posts": table[table["posts"].between(a, b)] for a, b in bounds}
    if "creator_type" in table and table["creator_type"].notna().all():
        out |= {f"{k} creators": own for k, own in table.groupby("creator_type")}
    return {label: own for label, own in out.items() if len(own)}


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return the coverage of the intervals of every estimand over all campaigns."""
    names = [f"campaign_{i:04d}" for i in range(config["campaigns"])]
    folder = Path(config["results"])
    own = {key: value for key, value in config.items() if key not in MADE_OF_UNITS}
    every = study.units(names, lambda name: one_campaign(name, own), folder / "units", own)
    names, units = fitted_of(names, every)
    table = long_table(names, units)
    rows, numbers = summarised(table, config)
    write(folder, config["seed"], names, units, table, rows)
    return {
        "campaigns": len(units),
        "refused": len(every) - len(units),
        "share_k_above_0.7": float(np.mean([unit["pareto_k"] > BAD_K for unit in units])),
        "largest_k": max(unit["pareto_k"] for unit in units),
        "posts_within_a_week": float(np.mean([unit["posts_close"] for unit in units])),
        **numbers,
    }


def summarised(
    table: pd.DataFrame, config: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return a row per estimand and part of the campaigns, and the headline numbers."""
    rows, numbers = [], {}
    for kind, mine in table.groupby("estimand", sort=False):
        found = {"all": mine, **strata(mine, config)}
        own = [{"estimand": kind, "part": p, **row_of(t, config)} for p, t in found.items()]
        rows += own
        numbers[f"{kind}_truths"] = own[0]["truths"]
        for label in (round(100 * prob) for prob in PROBS):
            for what in ("coverage", "se"):
                numbers[f"{kind}_{what}_{label}"] = own[0][f"{what}_{label}"]
                numbers[f"{kind}_{what}_{label}_mcse"] = own[0][f"mcse_{label}"]
    whole = pd.DataFrame(rows).query("part == 'all'")
    within = whole[[f"within_bar_{round(100 * prob)}" for prob in PROBS]]
    numbers["outside_bar"] = int((~within.astype(bool)).to_numpy().sum())
    return rows, numbers


def write(
    folder: Path,
    seed: int,
    names: list[str],
    units: list[dict[str, Any]],
    table: pd.DataFrame,
    rows: list[dict[str, Any]],
) -> None:
    """Write the tables: summary with seed and versions, and campaigns with their counts."""
    style: dict[str, Any] = {"index": False, "lineterminator": "\n", "float_format": "%.5g"}
    summary = pd.DataFrame(rows).assign(seed=seed, **study.versions())
    summary.to_csv(folder / "summary.csv", **style)
    wide = table.assign(n=1).pivot_table(
        index="campaign", columns="estimand", values=["n", "in_95", "in_50"], aggfunc="sum"
    )
    wide.columns = [f"{kind}_{what}" for what, kind in wide.columns]
    flat = wide[sorted(wide.columns)].reindex(names).astype("Int64")
    keys = ("seed", "likelihood", "days", "posts", "people", "controls", "posts_close",
            "median_downloads", "pareto_k", "ess")  # fmt: skip
    settings = pd.DataFrame([{key: unit.get(key) for key in keys} for unit in units], index=names)
    both = pd.concat([settings, flat], axis=1).rename_axis("campaign").reset_index()
    both.to_csv(folder / "campaigns.csv", **style)


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
