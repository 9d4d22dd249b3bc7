"""CausalPy: interrupted time series by a linear regression in PyMC, as its manual begins."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import causalpy
from protocol import answer, draws, frame, interval

CHAINS = 4


def fit(case: dict[str, Any]) -> dict[str, Any]:
    data = frame(case)
    data["t"] = range(len(data))
    terms = ["1", "t", *(name for name in data.columns if name.startswith("x"))]
    if case["season"] > 1:
        data["season"] = data["t"] % case["season"]
        terms.append("C(season)")
    logging.getLogger("pymc").setLevel(logging.ERROR)
    model = causalpy.pymc_models.LinearRegression(
        sample_kwargs={
            "draws": case["draws"] // CHAINS,
            "chains": CHAINS,
            "cores": 1,
            "random_seed": case["seed"],
            "progressbar": False,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = causalpy.InterruptedTimeSeries(
            data, data.index[case["n_pre"]], formula=f"y ~ {' + '.join(terms)}", model=model
        )
    effect = found.post_impact_cumulative.isel(obs_ind=-1).transpose("chain", "draw").to_numpy()
    sigma = found.model.idata.posterior["y_hat_sigma"]
    sigma = sigma.squeeze().transpose("chain", "draw").to_numpy()
    return {
        **interval(effect),
        "effect": draws(effect, CHAINS),
        "hyper": {"sigma_obs": draws(sigma, CHAINS)},
    }


if __name__ == "__main__":
    answer("CausalPy", fit)
