"""A hand-made result: numbers written down, nothing fitted."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lift.analysis.diagnostics import Finding
from lift.analysis.effects import Effects
from lift.analysis.outcomes import Outcomes
from lift.model.posterior import Posterior
from lift.output import manifest
from lift.output.facts import Facts, Singles

HOSTILE = '<b>"Ann" & $x_1$</b>'


@pytest.fixture(scope="session")
def posts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "post": ["p01", "p02", "p03", "p04"],
            "date": pd.to_datetime(["2026-03-02", "2026-03-05", "2026-03-20", "2026-04-10"]),
            "influencer": ["@mira", HOSTILE, "@mira", "無印 🎧"],
            "platform": ["tiktok", "instagram", "tiktok", "instagram"],
            "creator_type": ["human", "virtual", "human", "human"],
            "content": ["", "", "", ""],
        }
    )


@pytest.fixture(scope="session")
def curve() -> pd.DataFrame:
    days = pd.date_range("2026-02-01", "2026-04-30", freq="D")
    index = np.arange(len(days), dtype=float)
    without = 50_000 + 3_000 * np.sin(index / 3.5) + 40 * index
    lift = sum(
        np.where(index >= start, size * np.exp(-(index - start) / 5.0), 0.0)
        for start, size in ((29, 24_000.0), (32, 9_000.0), (47, 15_000.0), (68, 2_000.0))
    )
    observed = np.round(without + lift)
    observed[40] = np.nan
    return pd.DataFrame(
        {
            "date": days,
            "observed": observed,
            "mean": without,
            "lower": without - 0.15 * lift - 1.0,
            "upper": without + 0.15 * lift + 1.0,
        }
    )


@pytest.fixture(scope="session")
def cumulative(curve: pd.DataFrame) -> pd.DataFrame:
    gap = (curve["observed"] - curve["mean"]).fillna(0.0).cumsum()
    return pd.DataFrame(
        {"date": curve["date"], "mean": gap, "lower": 0.8 * gap, "upper": 1.2 * gap}
    )


def effect_rows(by: str, units: list[str], means: list[float], notes: list[str]) -> pd.DataFrame:
    n = len(units)
    mean = np.array(means)
    sd = np.abs(mean) * 0.1 + 500.0
    starts = pd.to_datetime(["2026-03-02", "2026-03-05", "2026-03-20", "2026-04-10"])[:n]
    return pd.DataFrame(
        {
            "by": by,
            "unit": units,
            "outcome": "downloads",
            "n_posts": 1,
            "start": starts,
            "end": starts + pd.Timedelta(days=28),
            "n_days": 29,
            "observed": 1_500_000.0,
            "mean": mean,
            "median": mean - 10.0,
            "sd": sd,
            "lower": mean - 1.96 * sd,
            "upper": mean + 1.96 * sd,
            "prob": 0.95,
            "prob_positive": np.where(mean > 10_000, 1.0, 0.871),
            "mcse_mean": sd / 63.0,
            "relative_mean": mean / 1_500_000.0,
            "relative_lower": (mean - 1.96 * sd) / 1_500_000.0,
            "relative_upper": (mean + 1.96 * sd) / 1_500_000.0,
            "interaction_index": 0.0256,
            "coupling": "shared",
            "note": notes,
        }
    )


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    prior = "only prior: no day of its window was observed"
    return {
        "post": effect_rows(
            "post",
            ["p01", "p02", "p03", "p04"],
            [130_000, 48_000, 76_500, 640],
            ["", "", "", prior],
        ),
        "influencer": effect_rows(
            "influencer", ["@mira", HOSTILE, "無印 🎧"], [205_000, 48_000, 640], ["", "", ""]
        ),
        "platform": effect_rows("platform", ["tiktok", "instagram"], [205_000, 48_600], ["", ""]),
        "creator_type": effect_rows(
            "creator_type", ["human", "virtual"], [206_000, 48_000], ["", ""]
        ),
        "content": effect_rows("content", ["not given"], [248_765], [""]),
        "campaign": effect_rows("campaign", ["campaign"], [248_765.4], [""]),
    }


@pytest.fixture(scope="session")
def beside() -> Outcomes:
    """Tables of users and money, written down."""
    stated = "assumption-driven: activation 0.8, retention D30 0.07"
    users = pd.DataFrame(
        {
            "by": ["campaign", "campaign", "post"],
            "unit": ["campaign", "campaign", "p04"],
            "outcome": [
                "users active on day 30",
                "users active on day 90",
                "users active on day 30",
            ],
            "day": [30, 90, 30],
            "mean": [14_000.0, 9_000.0, 31.0],
            "lower": [9_000.0, 4_000.0, -20.0],
            "upper": [21_000.0, 17_000.0, 90.0],
            "prob_positive": [1.0, 1.0, 0.8],
            "n_draws": [400, 400, 400],
            "mcse_mean": [151.0, 160.0, 1.4],
            "mcse_prob": [0.0025, 0.0025, 0.021],
            "per_quality": [13_500.0, 8_700.0, 30.0],
            "basis": [stated, stated, stated],
            "extrapolated": [False, True, False],
            "note": ["", "day 90 from the retention curve", "only prior: no day observed"],
        }
    )
    monthly = pd.DataFrame(
        {
            "date": pd.date_range("2026-03-01", periods=60),
            "mean": np.linspace(0, 15_000, 60),
            "lower": np.linspace(0, 10_000, 60),
            "upper": np.linspace(0, 22_000, 60),
            "prob": 0.95,
            "extrapolated": np.arange(60) > 40,
        }
    )
    money = pd.DataFrame(
        {
            "by": ["post", "campaign"],
            "unit": ["p04", "campaign"],
            "outcome": "downloads",
            "cost": [500.0, 90_000.0],
            "cost_median": [0.81, 0.362],
            "cost_lower": [0.2, 0.3],
            "cost_upper": [np.inf, 0.45],
            "prob_positive": [0.871, 1.0],
            "basis": "downloads",
            "n_draws": [4000, 4000],
            "mcse_cost_median": [0.0123, 0.001],
            "mcse_prob": [0.0053, 0.00025],
            "views": [np.nan, 9e6],
            "per_1000_mean": [np.nan, 27.6],
            "per_1000_lower": [np.nan, 21.0],
            "per_1000_upper": [np.nan, 34.2],
            "note": ["cost unbounded: the effect may be nil (P(> 0) is 0.87)", ""],
        }
    )
    return Outcomes(users=users, monthly=monthly, money=money)


@pytest.fixture(scope="session")
def truth() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "by": ["post"] * 4 + ["campaign"],
            "unit": ["p01", "p02", "p03", "p04", "campaign"],
            "truth": [126_000.0, 51_000.0, 120_000.0, 0.0, 251_000.0],
        }
    )


@pytest.fixture(scope="session")
def findings() -> list[Finding]:
    return [
        Finding("PASS", "effective draws", "4,120 of 4,000 asked for"),
        Finding("REVIEW", "Pareto k", "0.74 is above 0.7 for <script>alert(1)</script>"),
    ]


@pytest.fixture(scope="session")
def run_manifest() -> dict[str, object]:
    return manifest.build(
        name="Spring & <i>friends</i>",
        market="all",
        inputs={"posts": "b" * 64, "downloads": "a" * 64},
        spec_toml="horizon_days = 28\n",
        seed=7,
        draws=4000,
        chains=4,
        engine="exact",
        settings={"points": 4096},
        streams={"order", "hyper/chain 0"},
        diagnostics={"pareto_k": np.float64(0.31), "ess": float("nan")},
        seconds={"fit": 1.23456, "effects": 0.5},
        notices=["1 day is not observed (2026-03-13)"],
        created=datetime(2026, 5, 1, 12, 0, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def hand_made(
    curve: pd.DataFrame,
    cumulative: pd.DataFrame,
    posts: pd.DataFrame,
    tables: dict[str, pd.DataFrame],
    findings: list[Finding],
    run_manifest: dict[str, object],
) -> Facts:
    summary = pd.DataFrame(
        {
            "parameter": ["noise_sd", "level_sd", "amplitude[p01]"],
            "mean": [0.041, 0.012, 1.93],
            "sd": [0.003, 0.002, 0.21],
            "ess_bulk": [4012.0, 3999.5, 4100.0],
            "ess_tail": [3800.0, 3900.0, 4000.0],
            "r_hat": [1.0, 1.001, 1.0],
            "mcse_mean": [0.00005, 0.00003, 0.003],
        }
    )
    window = curve[(curve["date"] >= "2026-02-24") & (curve["date"] <= "2026-03-30")]
    return Facts(
        name="Spring & <i>friends</i>",
        market="all",
        timezone="Europe/Rome",
        horizon_days=28,
        prob=0.95,
        tables=tables,
        curve=curve,
        cumulative=cumulative,
        windows={str(post): window for post in posts["post"]},
        posts=posts,
        controls=("rival_a", "rival_b"),
        displacement=False,
        singles=Singles(mean=255_140.0, lower=201_000.0, upper=309_000.0, index=0.0256),
        findings=findings,
        summary=summary,
        manifest=run_manifest,
    )


@pytest.fixture(scope="session")
def posterior(curve: pd.DataFrame, posts: pd.DataFrame) -> Posterior:
    """Draws written down with the shapes that an engine gives; nothing was fitted to the data."""
    rng = np.random.default_rng(20260301)
    chains, draws, n = 4, 60, len(posts)
    coords = {
        "chain": np.arange(chains),
        "draw": np.arange(draws),
        "post": posts["post"].to_numpy(dtype=str),
        "kernel_group": ["all"],
        "control": ["rival_a", "rival_b"],
    }
    dims = ("chain", "draw")
    impulse = np.array([2.0, 0.8, 1.2, 0.05]) + 0.1 * rng.standard_normal((chains, draws, n))
    variables = {
        "noise_sd": (dims, 0.05 + 0.002 * rng.standard_normal((chains, draws))),
        "level_sd": (dims, 0.01 + 0.001 * rng.standard_normal((chains, draws))),
        "first_day_share": (
            (*dims, "kernel_group"),
            0.35 + 0.02 * rng.standard_normal((chains, draws, 1)),
        ),
        "kernel_shape": (dims, 0.9 + 0.02 * rng.standard_normal((chains, draws))),
        "amplitude": ((*dims, "post"), impulse),
        "impulse": ((*dims, "post"), impulse),
        "control_effect": ((*dims, "control"), rng.standard_normal((chains, draws, 2))),
    }
    days = [int((curve["date"] == date).argmax()) for date in posts["date"]]
    constant = {
        "post_day": (("post",), np.array(days)),
        "post_fraction": (("post",), np.array([0.5, 0.25, 0.75, 0.0])),
        "kernel_group_index": (("post",), np.zeros(n, dtype=int)),
        **{
            name: (("post",), posts[name].to_numpy(dtype=str))
            for name in ("influencer", "platform", "creator_type", "content")
        },
    }
    attrs = {
        "campaign": "Spring & <i>friends</i>",
        "market": "all",
        "timezone": "Europe/Rome",
        "horizon_days": 28,
        "window_days": 60,
        "engine": "exact",
        "seed": 7,
    }
    stats = {"pareto_k": 0.31, "ess": 3900.0}
    return Posterior(
        xr.DataTree.from_dict(
            {
                "/": xr.Dataset(attrs=attrs),
                "/posterior": xr.Dataset(variables, coords=coords),
                "/sample_stats": xr.Dataset(attrs=stats),
                "/observed_data": xr.Dataset(
                    {"downloads": (("date",), curve["observed"].to_numpy())},
                    coords={"date": curve["date"].to_numpy()},
                ),
                "/constant_data": xr.Dataset(constant, coords={"post": coords["post"]}),
            }
        )
    )


@pytest.fixture(scope="session")
def effects(posterior: Posterior) -> Effects:
    return Effects(posterior)
