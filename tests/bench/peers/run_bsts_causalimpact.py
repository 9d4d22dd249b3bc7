"""bsts-causalimpact: R's algorithm in Rust, four chains, its defaults but for the season."""

from __future__ import annotations

from typing import Any

import numpy as np
from causal_impact import CausalImpact
from protocol import answer, draws, frame, interval, periods

CHAINS = 4


def fit(case: dict[str, Any]) -> dict[str, Any]:
    data = frame(case)
    settings = {"niter": case["draws"] // CHAINS, "nchains": CHAINS, "seed": case["seed"]}
    if case["season"] > 1:
        settings["nseasons"] = case["season"]
    found = CausalImpact(data, *periods(data, case["n_pre"]), model_args=settings)
    samples, prepared = found._samples, found._prepared
    predicted = np.asarray(samples.predictions) * prepared.y_sd + prepared.y_mean
    effect = data["y"].to_numpy()[case["n_pre"] :].sum() - predicted.sum(axis=1)
    hyper = {"sigma_obs": samples.sigma_obs, "sigma_level": samples.sigma_level}
    if case["season"] > 1:
        hyper["sigma_season"] = samples.sigma_seasonal
    return {
        **interval(effect),
        "effect": draws(effect, CHAINS),
        "hyper": {name: draws(values, CHAINS) for name, values in hyper.items()},
    }


if __name__ == "__main__":
    answer("bsts-causalimpact", fit)
