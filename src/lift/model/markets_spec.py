"""The part of a specification that says what markets have in common beside their posts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from lift.data.closed import Closed
from lift.model.baseline_spec import PriorRate, PriorSd

MARKET_SCALARS = ("shared_level_sd", "shared_noise_sd", "spill_over")
"""Hyperparameters that belong to what markets have in common."""


class MarketsSpec(Closed):
    """What the markets of a joint fit share, and whether posts act where they do not reach.

    ``y_mt = lambda_t + mu_mt + (components of m) + sum_j b_jm g_jm K(t; tau_j) + noise`` with a
    path ``lambda_t`` that all markets have in common, at unit loading unless loadings are free: the
    sum of a random walk from 0 on the first day and of shocks of single days, each where it is
    asked for (the dynamic factor of Durbin & Koopman 2012, section 3.7).

    Attributes
    ----------
    shared_level : bool
        All markets follow one random walk beside their own: ``N(0, shared_level_sd^2)`` a day.
        Markets without posts then say what would have happened in the others.
    shared_level_rate : float
        Rate of the exponential prior on ``shared_level_sd`` (1/log unit).
    shared_noise : bool
        All markets have the same shock on a day, ``N(0, shared_noise_sd^2)``, beside their own
        noise.
    shared_noise_rate : float
        Rate of the exponential prior on ``shared_noise_sd`` (1/log unit).
    spill_over : bool
        Let posts act in the markets that they do not reach: by the share ``spill_over`` of what
        they have in common where they do, which can be negative, and what differs in each market.
    spill_over_sd : float
        Prior ``spill_over ~ N(0, spill_over_sd^2)``.
    free_loadings : bool
        The common path acts in market m by ``loading_m`` times itself, in place of once: some
        markets follow it more than others. For ``engine = "pymc"`` alone.
    loading_sd : float
        Prior ``log loading ~ N(0, loading_sd^2)``, given that the logs sum to zero over the
        markets. Loadings are positive and their geometric mean is 1: this says what the sign and
        the unit of the path are without picking a market. The default lets a market follow it by
        0.4 to 2.7 times what is usual.
    """

    shared_level: bool = False
    shared_level_rate: PriorRate = 60.0
    shared_noise: bool = False
    shared_noise_rate: PriorRate = 6.0
    spill_over: bool = False
    spill_over_sd: PriorSd = 0.2
    free_loadings: bool = False
    loading_sd: Annotated[float, Field(ge=1e-9, le=3.0)] = 0.5

    @model_validator(mode="after")
    def _there_is_something_to_load_on(self) -> Self:
        if self.free_loadings and not (self.shared_level or self.shared_noise):
            raise ValueError(
                "free_loadings needs a path that markets have in common; set shared_level = true "
                "or shared_noise = true, or leave it out"
            )
        return self

    def described(self) -> tuple[str, ...]:
        """Return the settings that are switched on."""
        switches = ("shared_level", "shared_noise", "spill_over", "free_loadings")
        return tuple(f"markets.{name} = true" for name in switches if getattr(self, name))
