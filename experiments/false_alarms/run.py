"""False alarms and coverage: one intervention in series with a drifting level, truth known."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lift
from lift import study
from lift.data.campaign import Campaign
from lift.impact.causal_impact import CausalImpact
from lift.rng import stream

WEEK = 7
SCALES = ("truth", "window_downloads")
FIRST_DAY = "2023-01-02"


def simulated(index: int, config: dict[str, Any]) -> dict[str, Any]:
    """Return one series without and with a lift, its controls, and the true effect.

    Log downloads are a random walk, a week, two controls and noise. The lift falls over the days
    after the post as a Weibull response does; its downloads sum to the given share of those there
    would have been in the window.
    """
    made = config["simulated"]
    n, window = made["n_days"], made["window_days"]
    rng = stream(config["seed"], "series", str(index))
    level = np.cumsum(made["level_sd"] * rng.standard_normal(n))
    week = made["week_sd"] * rng.standard_normal(WEEK)
    controls = np.empty((n, len(made["control_effects"])))
    for column in controls.T:
        walk = np.cumsum(rng.standard_normal(n))
        share = made["control_walk_share"]
        column[:] = share * walk / walk.std() + (1 - share) * rng.standard_normal(n)
    controls = (controls - controls.mean(axis=0)) / controls.std(axis=0)
    log_mean = np.log(made["daily_downloads"]) + level + (week - week.mean())[np.arange(n) % WEEK]
    log_mean += controls @ np.array(made["control_effects"])
    without = np.exp(log_mean + made["noise_sd"] * rng.standard_normal(n))
    response = np.zeros(n)
    response[n - window :] = kernel(made, window)
    size = lifted(without, response, made["lift"])
    with_lift = np.rint(without * np.exp(size * response))
    without = np.rint(without)
    return {
        "null": without,
        "lifted": with_lift,
        "controls": controls,
        "truth": float(with_lift.sum() - without.sum()),
        "window_downloads": float(without[n - window :].sum()),
    }


def kernel(made: dict[str, Any], window: int) -> np.ndarray:
    """Return the share of a Weibull response on each day, for a post at noon."""
    edges = np.maximum(np.arange(window + 1) - 0.5, 0.0)
    rate = -math.log1p(-made["first_day_share"])
    reached = -np.expm1(-rate * edges ** made["kernel_shape"])
    return np.diff(reached)


def lifted(without: np.ndarray, response: np.ndarray, share: float) -> float:
    """Return the factor of the log response that lifts the window's downloads by a share."""
    inside = response > 0
    base = without[inside]
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        gained = (base * np.expm1(middle * response[inside])).sum() / base.sum()
        low, high = (middle, high) if gained < share else (low, middle)
    return 0.5 * (low + high)


def single(
    outcome: np.ndarray, controls: np.ndarray, settings: dict[str, Any], config: dict[str, Any]
) -> tuple[float, float]:
    """Return the interval of lift.CausalImpact."""
    n, window = config["simulated"]["n_days"], config["simulated"]["window_days"]
    found = CausalImpact(
        np.column_stack([outcome, controls]),
        [0, n - window - 1],
        [n - window, n - 1],
        model_args={
            "nseasons": WEEK,
            "niter": config["draws"],
            "chains": config["chains"],
            **settings,
        },
        alpha=config["alpha"],
        seed=config["seed"],
    )
    row = found.summary_data.loc["Cumulative"]
    return float(row["AbsEffect.lower"]), float(row["AbsEffect.upper"])


def campaign(
    outcome: np.ndarray, controls: np.ndarray, config: dict[str, Any]
) -> tuple[float, float]:
    """Return the interval of the effect of a campaign of one post, lift's default model."""
    n, window = config["simulated"]["n_days"], config["simulated"]["window_days"]
    dates = pd.date_range(FIRST_DAY, periods=n)
    # controls are positive series, whose logs the model standardises
    columns = {f"x{i}": np.exp(column) for i, column in enumerate(controls.T)}
    posted = (dates[n - window] + pd.Timedelta(hours=12)).tz_localize("UTC")
    made = Campaign(
        downloads=pd.DataFrame({"date": dates, "downloads": outcome}),
        posts=pd.DataFrame({"post_id": ["post"], "posted_at": [posted]}),
        controls=pd.DataFrame({"date": dates, **columns}),
    )
    analysis = lift.analyse(
        made,
        lift.ModelSpec(horizon_days=window - 1),
        draws=config["draws"],
        chains=config["chains"],
        seed=config["seed"],
        workers=1,
    )
    row = analysis.effects.table("campaign", 1.0 - config["alpha"]).iloc[0]
    return float(row["lower"]), float(row["upper"])


def by_single(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the intervals of lift.CausalImpact on one series."""
    made = simulated(int(name.split("_")[1]), config)
    out: dict[str, Any] = {key: made[key] for key in SCALES}
    for what in ("null", "lifted"):
        out[what] = {
            path: single(made[what], made["controls"], settings, config)
            for path, settings in config["single"].items()
        }
    return out


def by_campaign(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the intervals of a campaign of one post on one series."""
    made = simulated(int(name.split("_")[1]), config)
    return {
        what: {"campaign": campaign(made[what], made["controls"], config)}
        for what in ("null", "lifted")
    }


def by_peer(peer: str, indices: Sequence[int], config: dict[str, Any]) -> dict[str, Any]:
    """Return a peer's intervals on some series without effect."""
    root = Path(config["folder"]).parents[1]
    sys.path.insert(0, str(root / "tests" / "bench"))
    from peers.calling import ask

    window = config["simulated"]["window_days"]
    cases = []
    for index in indices:
        made = simulated(index, config)
        cases.append(
            {
                "name": f"null_{index}",
                "outcome": made["null"].tolist(),
                "controls": made["controls"].tolist(),
                "n_pre": config["simulated"]["n_days"] - window,
                "season": WEEK,
                "draws": config["draws"],
                "seed": index + 1,
            }
        )
    answers = ask(peer, cases)
    return {
        "version": answers["version"],
        "intervals": {case["name"]: (case["lower"], case["upper"]) for case in answers["cases"]},
        "processor_seconds": [case["processor_seconds"] for case in answers["cases"]],
    }


def collected(config: dict[str, Any], folder: Path) -> pd.DataFrame:
    """Return one row per method, series and kind: interval, truth and downloads of the window."""
    n_series = config["series"]
    shared = {key: config[key] for key in ("seed", "alpha", "simulated", "folder", "executor")}
    lift_config = {**shared, "draws": config["draws"], "chains": config["chains"]}

    def asked(kind: str, compute: Any, own: dict[str, Any]) -> list[dict[str, Any]]:
        names = [f"{kind}_{index:03d}" for index in range(n_series)]
        return study.units(names, lambda name: compute(name, own), folder / "units", own)

    singles = asked("single", by_single, {**lift_config, "single": config["single"]})
    campaigns = asked("campaign", by_campaign, lift_config)
    rows = []
    for units in (singles, campaigns):
        for index, unit in enumerate(units):
            for what in ("null", "lifted"):
                for method, (lower, upper) in unit[what].items():
                    rows.append((method, index, what, lower, upper))
    step = config["peers"]["per_process"]
    peer_config = {**shared, "draws": config["peers"]["draws"]}
    for peer in ("bsts_causalimpact", "tfp_causalimpact", "pycausalimpact", "causalpy"):
        n = config["peers"][peer]
        parts = {f"{peer}_{a:03d}": range(a, min(a + step, n)) for a in range(0, n, step)}
        answers = study.units(
            list(parts),
            lambda name, peer=peer, parts=parts: by_peer(peer, parts[name], peer_config),
            folder / "units",
            peer_config,
        )
        for answer in answers:
            for name, (lower, upper) in answer["intervals"].items():
                what, index = name.split("_")
                rows.append((peer, int(index), what, lower, upper))
    table = pd.DataFrame(rows, columns=["method", "series", "kind", "lower", "upper"])
    scales = pd.DataFrame(singles)[list(SCALES)].rename_axis("series").reset_index()
    table = table.merge(scales, on="series", validate="many_to_one")
    table.loc[table["kind"] == "null", "truth"] = 0.0
    return table


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return false alarms, coverage and width of every method, each with its standard error."""
    table = table.assign(
        covered=(table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"]),
        width=(table["upper"] - table["lower"]) / table["window_downloads"],
    )
    rows = []
    for method, mine in table.groupby("method", sort=False):
        null, some = (mine[mine["kind"] == kind] for kind in ("null", "lifted"))
        n = len(null)
        alarms = 1.0 - null["covered"].mean()
        coverage = some["covered"].mean() if len(some) else math.nan
        median = null["width"].median()
        quartiles = null["width"].quantile([0.25, 0.75])
        rows.append(
            {
                "method": method,
                "series": n,
                "false_alarms": alarms,
                "false_alarms_se": math.sqrt(max(alarms * (1 - alarms), 0.25 / n) / n),
                "lift_covered": coverage,
                "lift_covered_se": math.sqrt(max(coverage * (1 - coverage), 0.25 / n) / n),
                "median_width": median,
                # of a normal sample's median: 1.25 sd / sqrt(n), the sd from the quartiles
                "median_width_se": 1.25 * (quartiles.iloc[1] - quartiles.iloc[0]) / 1.35 / n**0.5,
            }
        )
    return pd.DataFrame(rows)


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return false alarms, coverage and widths of lift's paths and of the peers."""
    folder = Path(config["results"])
    table = collected(config, folder)
    means = summary(table)
    for file, part in (("intervals.csv", table), ("summary.csv", means)):
        part.to_csv(folder / file, index=False, float_format="%.6g", lineterminator="\n")
    numbers: dict[str, float] = {}
    for row in means.to_dict("records"):
        name = row["method"]
        numbers[f"{name}_series"] = row["series"]
        for what in ("false_alarms", "lift_covered", "median_width"):
            if math.isnan(row[what]):
                continue
            numbers[f"{name}_{what}"] = row[what]
            # the same series again: what differs is Monte Carlo error of the draws alone, which
            # moves a count by a few; a tenth of the error over series allows for it
            numbers[f"{name}_{what}_mcse"] = 0.1 * row[f"{what}_se"]
    return numbers


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
