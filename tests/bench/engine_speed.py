"""Time the exact engine on simulated campaigns: `make bench`.

Each campaign is fitted once to warm the caches and then timed. Effective draws are those of the
campaign's effect. Absolute seconds belong to the machine; compare ratios within one run.
"""

from __future__ import annotations

import time

from arviz_stats.base import array_stats
from rich.console import Console
from rich.table import Table

import lift
from lift.data.simulate import SimulationConfig

SEED = 20261123
DRAWS = 4000

CASES = {
    "one post": {"n_days": 180, "n_posts": 1, "n_influencers": 1, "controls": ("a",)},
    "small": {"n_days": 365, "n_posts": 10, "controls": tuple("abcde")},
    "large": {"n_days": 730, "n_posts": 40, "controls": tuple("abcdefghij")},
}


def seconds_and_effective_draws(config: SimulationConfig) -> tuple[float, float]:
    """Return the seconds of a warm fit, and its effective draws of the campaign's effect."""
    campaign, _ = lift.simulate_campaign(config, seed=SEED)
    lift.analyse(campaign, draws=DRAWS, seed=SEED)
    begun = time.perf_counter()
    analysis = lift.analyse(campaign, draws=DRAWS, seed=SEED)
    draws = analysis.effects.draws(by="campaign").to_numpy()[..., 0]
    seconds = time.perf_counter() - begun
    return seconds, float(array_stats.ess(draws, method="bulk"))


def main() -> None:
    table = Table("campaign", "days", "posts", "controls", "seconds", "effective/s")
    for name, settings in CASES.items():
        config = SimulationConfig(name=name, **settings)
        seconds, effective = seconds_and_effective_draws(config)
        table.add_row(
            name,
            str(config.n_days),
            str(config.n_posts),
            str(len(config.controls)),
            f"{seconds:.2f}",
            f"{effective / seconds:,.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
