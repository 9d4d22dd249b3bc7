"""tfp-causalimpact: Gibbs sampling in TensorFlow Probability, one chain."""

from __future__ import annotations

from typing import Any

import causalimpact
import numpy as np
from protocol import answer, draws, frame, periods


def fit(case: dict[str, Any]) -> dict[str, Any]:
    data = frame(case)
    before, after = periods(data, case["n_pre"])
    seasons = [causalimpact.Seasons(num_seasons=case["season"])] if case["season"] > 1 else []
    found = causalimpact.fit_causalimpact(
        data,
        pre_period=tuple(before),
        post_period=tuple(after),
        seed=(case["seed"], 0),
        data_options=causalimpact.DataOptions(outcome_column="y"),
        model_options=causalimpact.ModelOptions(seasons=seasons),
        inference_options=causalimpact.InferenceOptions(num_results=case["draws"]),
    )
    row = found.summary.loc["cumulative"]
    samples = found.posterior_samples
    hyper = {
        "sigma_obs": np.asarray(samples.observation_noise_scale),
        "sigma_level": np.asarray(samples.level_scale),
    }
    return {
        "mean": float(row["abs_effect"]),
        "lower": float(row["abs_effect_lower"]),
        "upper": float(row["abs_effect_upper"]),
        "hyper": {name: draws(values) for name, values in hyper.items()},
    }


if __name__ == "__main__":
    answer("tfp-causalimpact", fit)
