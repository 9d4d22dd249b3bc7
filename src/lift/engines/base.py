"""What an engine is: a campaign and a specification in, a posterior out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lift.data.campaign import Campaign
from lift.errors import EngineError
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class SampleSettings:
    """How to compute, apart from what is believed.

    Attributes
    ----------
    draws : int
        Posterior draws over all chains.
    chains : int
        Independent chains; divides ``draws``.
    seed : int
        Root seed.
    workers : int
        Threads; the result does not depend on it.
    """

    draws: int = 4000
    chains: int = 4
    seed: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        """Check the settings.

        Raises
        ------
        EngineError
            Naming every setting that cannot be.
        """
        given = {name: getattr(self, name) for name in ("draws", "chains", "seed", "workers")}
        problems = [
            f"{name} must be a whole number, found {value!r}"
            for name, value in given.items()
            if not isinstance(value, int | np.integer) or isinstance(value, bool)
        ]
        if problems:
            raise EngineError("; ".join(problems))
        if self.chains < 1:
            problems.append(f"chains must be at least 1, found {self.chains}")
        elif self.draws < 25 * self.chains or self.draws % self.chains:
            problems.append(
                f"draws must be a multiple of the {self.chains} chain(s) and at least "
                f"{25 * self.chains}, found {self.draws}"
            )
        if self.seed < 0:
            problems.append(f"seed must be 0 or larger, found {self.seed}")
        if self.workers < 1:
            problems.append(f"workers must be at least 1, found {self.workers}")
        if problems:
            raise EngineError("; ".join(problems))


class Engine(Protocol):
    """A way to sample the posterior."""

    def __call__(
        self,
        campaign: Campaign,
        spec: ModelSpec,
        settings: SampleSettings,
        progress: Progress | None = None,
    ) -> Posterior:
        """Return the posterior of one market's campaign."""
        ...


class MarketsEngine(Protocol):
    """A way to sample the posterior of several markets at once."""

    def __call__(
        self,
        campaign: Campaign,
        spec: ModelSpec,
        settings: SampleSettings,
        progress: Progress | None = None,
    ) -> dict[str, Posterior]:
        """Return the posteriors of the markets that have posts; their draws belong together."""
        ...
