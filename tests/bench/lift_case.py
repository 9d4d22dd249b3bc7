"""One simulated campaign through lift in a process of its own: time, effective draws, memory.

``python lift_case.py '{"n_posts": 40, ...}'`` prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

import lift
from lift.analysis.effects import Effects
from lift.data.simulate import SimulationConfig
from lift.engines.base import SampleSettings
from lift.engines.exact import pack
from lift.engines.registry import engine_named
from lift.model.design import build_design
from lift.rng import stream

SEED = 20261123
HYPERPARAMETERS = ("noise_sd", "level_sd", "control_sd", "amplitude_sd", "influencer_sd")


def campaign_of(case: dict[str, Any]) -> lift.Campaign:
    """Return the simulated campaign of a case."""
    config = SimulationConfig(
        name=case["name"],
        n_days=case["n_days"],
        n_posts=case["n_posts"],
        controls=tuple(f"control_{i}" for i in range(case["n_controls"])),
    )
    return lift.simulate_campaign(config, seed=SEED)[0]


def ess(draws: np.ndarray) -> float:
    """Return the bulk ESS of draws (chain, draw)."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def sampled(campaign: lift.Campaign, draws: int) -> float:
    """Return the seconds of draws of the posterior and of the campaign's effect, nothing else."""
    begun = time.perf_counter()
    settings = SampleSettings(draws=draws, seed=1, workers=os.cpu_count() or 1)
    posterior = engine_named("auto")(campaign, lift.ModelSpec(), settings)
    Effects(posterior).draws("campaign")
    return time.perf_counter() - begun


def fitted(case: dict[str, Any]) -> dict[str, Any]:
    """Return seconds from a campaign to all leave-one-out effects, and what they are worth.

    ``sampling_seconds`` are those of the draws alone, without checks and single posts, which is
    what other samplers are timed for.
    """
    campaign = campaign_of(case)
    seconds = []
    alone = [sampled(campaign, case["draws"]) for _ in range(case.get("alone", 0))]
    for _ in range(case["repeats"] + case["warm"]):
        analysis = None  # one at a time: memory is that of a single analysis
        begun = time.perf_counter()
        analysis = lift.analyse(campaign, draws=case["draws"], seed=1)
        total = analysis.effects.draws("campaign").to_numpy()[..., 0]
        analysis.effects.draws("post")
        seconds.append(time.perf_counter() - begun)
    draws = analysis.posterior.draws
    sizes = {name: ess(draws[name].to_numpy()) for name in HYPERPARAMETERS if name in draws}
    worst = min(sizes, key=sizes.__getitem__)
    lower, upper = np.quantile(total, [0.025, 0.975])
    stats = analysis.posterior.sample_stats
    return {
        "seconds": float(np.median(seconds[case["warm"] :])),
        "sampling_seconds": float(np.median(alone[1:])) if alone else None,
        "effect_ess": ess(total),
        "worst": worst,
        "worst_ess": sizes[worst],
        "answer": [float(total.mean()), float(lower), float(upper)],
        "evaluations": int(stats["n_evaluations"]),
        "pareto_k": float(stats["pareto_k"]),
    }


def evaluated(case: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds of one evaluation of the likelihood, the best of several batches."""
    design = build_design(campaign_of(case), lift.ModelSpec())
    model = pack(design)
    z = 0.3 * stream(SEED, "points").standard_normal((64, len(design.hypers)))
    model.evaluate(z, np.empty((0, 0)))
    seconds = []
    for _ in range(case["repeats"]):
        begun = time.process_time()
        model.evaluate(z, np.empty((0, 0)))
        seconds.append(time.process_time() - begun)
    return {"seconds": min(seconds) / len(z)}


def mapped_megabytes() -> float | None:
    """Return how much of the memory are files of libraries, None where it is not told.

    They depend on how the kernel came by the files; see ``settle.py``.
    """
    return _of_status("RssFile")


def _of_status(name: str) -> float | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1e3


def peak_megabytes() -> float:
    """Return the largest memory that this process held.

    What getrusage says of a child on Linux is not below what its parent held when it was started.
    """
    if (held := _of_status("VmHWM")) is not None:
        return held
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    case = json.loads(sys.argv[1])
    found = evaluated(case) if case["what"] == "evaluation" else fitted(case)
    found |= {"peak_mb": peak_megabytes(), "mapped_mb": mapped_megabytes()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
