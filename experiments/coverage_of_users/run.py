"""Coverage of incremental users on a day after the install, cohorts drawn from the prior."""

from __future__ import annotations

import hashlib
import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from lift import study
from lift.analysis import cohort_rates
from lift.analysis.effects import Effects, Unit
from lift.analysis.moments import flat_draws
from lift.analysis.retention import assumed_retention, cohort_retention
from lift.analysis.users import incremental_users
from lift.data.cohorts import Cohorts
from lift.errors import EngineError
from lift.model.assumption import RetentionAssumption
from lift.model.baseline import weekday_contrasts
from lift.model.design import Design
from lift.model.prior import PriorDraw
from lift.rng import stream

CAMPAIGNS = "coverage_of_estimands"
KINDS = ("campaign", "influencer", "post")


def coverage_study(config: dict[str, Any]) -> types.ModuleType:
    """Return the run.py of the experiment that the campaigns are of."""
    file = Path(config["folder"]).parent / CAMPAIGNS / "run.py"
    module = types.ModuleType(CAMPAIGNS)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
    return module


def drawn_cohorts(
    name: str, design: Design, drawn: PriorDraw, config: dict[str, Any]
) -> tuple[Cohorts, np.ndarray, np.ndarray]:
    """Return cohorts from the prior of the retention model, and true retention by date.

    That of installs that came anyway, and that of post-driven ones. The log-odds drift over knots
    a fortnight or more apart, straight between them; cohorts younger than the day are not seen and
    keep the drift of the last that is.
    """
    rng = stream(config["seed"], name, "retention")
    day, n = config["day"], len(design.dates)
    n_seen = n - day
    drift = rng.choice(list(cohort_rates.DRIFT), p=list(cohort_rates.DRIFT.values()))
    n_steps = min(cohort_rates.MAX_KNOTS - 1, (n_seen - 1) // cohort_rates.KNOT_DAYS)
    width = (n_seen - 1) / n_steps
    steps = drift * math.sqrt(width / 30.0) * rng.standard_normal(n_steps)
    knots = width * np.arange(n_steps + 1)
    week = cohort_rates.WEEK_SD * rng.standard_normal(6)
    log_odds = cohort_rates.LEVEL_SD * rng.standard_normal()
    log_odds = log_odds + np.interp(np.arange(n), knots, np.append(0.0, steps.cumsum()))
    log_odds += weekday_contrasts()[design.dates.day_of_week] @ week
    organic = expit(log_odds)
    brought = expit(log_odds + cohort_rates.DELTA_SD * rng.standard_normal())
    kappa = math.exp(rng.normal(*cohort_rates.KAPPA))
    share = np.maximum(-np.expm1(-drawn.log_lift.sum(axis=1)), 0.0)
    rate = np.clip(
        (1 - share) * organic + share * brought, cohort_rates.EDGE, 1 - cohort_rates.EDGE
    )
    today = rng.beta(kappa * rate, kappa * (1 - rate))
    active = rng.binomial(design.downloads.astype(np.int64), today).astype(np.float64)
    active[n_seen:] = np.nan
    columns = {"install_date": design.dates, "installs": design.downloads, f"active_d{day}": active}
    return Cohorts(pd.DataFrame(columns)), organic, brought


def true_users(
    design: Design, drawn: PriorDraw, unit: Unit, organic: np.ndarray, brought: np.ndarray
) -> float:
    """Return a unit's true incremental users: leave-one-out, of the days of its window."""
    gone = -np.expm1(-drawn.log_lift[:, unit.members].sum(axis=1))
    worth = design.downloads * np.where(gone < 0, organic, brought)
    return float((worth * gone)[unit.window].sum())


def one_campaign(name: str, config: dict[str, Any], study_of: types.ModuleType) -> dict[str, Any]:
    """Return true incremental users of a campaign beside their intervals."""
    try:
        campaign, spec, design, drawn = study_of.simulated(name, config["coverage"])
    except EngineError as error:
        return {"refused": str(error)}
    fitted = study_of.fit(name, campaign, spec, config["coverage"])
    effects, scale, day = Effects(fitted), study_of.baseline_scale(drawn), config["day"]
    cohorts, organic, brought = drawn_cohorts(name, design, drawn, config)
    retention = cohort_retention(fitted, cohorts, n_draws=config["retention_draws"])
    scale_users = scale * float(brought.mean())
    estimands = {}
    for by in KINDS:
        found = incremental_users(effects, retention, by, (day,)).draws.isel(day=0)
        truth = [true_users(design, drawn, own, organic, brought) for own in effects.units(by)]
        estimands[f"users_{by}"] = study_of.items(truth, flat_draws(found), scale_users)
    rng = stream(config["seed"], name, "assumption")
    stated = RetentionAssumption.model_validate(config["assumption"])
    opened = stated.activation.quantile(rng.uniform(size=1))
    kept = stated.retention[day].quantile(rng.uniform(size=1))
    quality = stated.quality.median * np.exp(stated.quality.sd * rng.standard_normal(1))
    share = opened * np.minimum(kept * quality, 1.0) * np.ones(len(design.dates))
    found = incremental_users(effects, assumed_retention(fitted, stated), "campaign", (day,))
    (whole,) = effects.units("campaign")
    truth = [true_users(design, drawn, whole, share, share)]
    draws = flat_draws(found.draws.isel(day=0))
    estimands["users_campaign_assumed"] = study_of.items(truth, draws, scale * float(share.mean()))
    stats = fitted.sample_stats
    return {
        "seed": int(fitted.attrs["seed"]),
        "likelihood": design.likelihood,
        "posts": len(design.posts.ids),
        "posts_close": study_of.posts_close(design),
        "pareto_k": float(stats["pareto_k"]),
        "ess": float(stats["ess"]),
        "retention": float(organic.mean()),
        "estimands": estimands,
    }


def main(config: dict[str, Any]) -> dict[str, float]:
    """Return the coverage of the intervals of incremental users over all campaigns."""
    folder, home = Path(config["results"]), Path(config["folder"])
    study_of = coverage_study(config)
    code = (home.parent / CAMPAIGNS / "run.py").read_bytes()
    shared = study.read_config(home.parent / CAMPAIGNS)
    config = {
        **config,
        "coverage": {k: v for k, v in shared.items() if k not in study_of.MADE_OF_UNITS},
        "coverage_code": hashlib.sha256(code).hexdigest(),
    }
    first = config["first_campaign"]
    names = [f"campaign_{i:04d}" for i in range(first, first + config["campaigns"])]
    own = {key: v for key, v in config.items() if key not in ("campaigns", "first_campaign")}
    units = study.units(
        names, lambda name: one_campaign(name, own, study_of), folder / "units", own
    )
    names, units = study_of.fitted_of(names, units)
    table = study_of.long_table(names, units)
    rows, numbers = study_of.summarised(table, shared)
    study_of.write(folder, config["seed"], names, units, table, rows)
    return {"campaigns": len(units), **numbers}


if __name__ == "__main__":
    outcome = study.reproduce(Path(__file__).parent, smoke="--smoke" in sys.argv)
    print(outcome.text())
    sys.exit(not outcome.passed)
