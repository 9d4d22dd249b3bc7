"""One simulated campaign through nutpie on lift's PyMC model, in a process of its own.

``python nuts_case.py '{"n_posts": 40, ...}'`` prints one line of JSON. The seconds are those of
sampling, without compiling, and without the effects of single posts.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import nutpie
from lift_case import HYPERPARAMETERS, SEED, campaign_of, ess, peak_megabytes

import lift
from lift.engines.pymc_model import build_model
from lift.model.design import build_design

TUNE, CHAINS = 400, 4


def sampled(case: dict[str, Any]) -> dict[str, Any]:
    """Return seconds and effective draws of the campaign's effect and of the worst sd."""
    spec = lift.ModelSpec()
    design = build_design(campaign_of(case), spec)
    compiled = nutpie.compile_pymc_model(build_model(design))
    begun = time.perf_counter()
    tree = nutpie.sample(
        compiled,
        draws=case["draws"] // CHAINS,
        tune=TUNE,
        chains=CHAINS,
        cores=2,
        seed=SEED,
        save_warmup=False,
        progress_bar=False,
    )
    seconds = time.perf_counter() - begun
    posterior = tree["posterior"].to_dataset()
    impulse, kernel = posterior["impulse"].to_numpy(), posterior["kernel"].to_numpy()
    days = len(design.downloads)
    lifts = np.zeros((*impulse.shape[:2], days))
    inside = np.zeros(days, dtype=bool)
    for j, day in enumerate(design.posts.day):
        length = min(kernel.shape[-1], days - day)
        lifts[..., day : day + length] += impulse[..., j, None] * kernel[..., j, :length]
        inside[day : day + spec.horizon_days + 1] = True
    gone = -np.expm1(-lifts[..., inside])
    total = gone @ np.nan_to_num(design.downloads[inside])
    sizes = {name: ess(posterior[name].to_numpy()) for name in HYPERPARAMETERS if name in posterior}
    worst = min(sizes, key=sizes.__getitem__)
    lower, upper = np.quantile(total, [0.025, 0.975])
    return {
        "seconds": seconds,
        "effect_ess": ess(total),
        "worst": worst,
        "worst_ess": sizes[worst],
        "answer": [float(total.mean()), float(lower), float(upper)],
    }


def main() -> None:
    found = sampled(json.loads(sys.argv[1]))
    found["peak_mb"] = peak_megabytes()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
