"""What a caller of R's CausalImpact may set, under R's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real

from lift.data.calendar import check_country
from lift.errors import InputError, Problem
from lift.impact.prior import LEVEL_DF
from lift.impact.scale import SCALES

WHERE = "model_args"
DEFAULT_CHAINS = 4
MIN_DRAWS_PER_CHAIN = 25
YES_OR_NO = (
    "standardize_data",
    "dynamic_regression",
    "post_period_covariates_in_prior",
)
LEVEL_RANGES = {"prior_level_sd": (1e-6, 1.0), "prior_level_df": (1e-6, 1e9)}
"""The sd is at most 1: R's prior holds the level's sd below that of the outcome."""
SEASONS_FAULT = (
    "seasons must be pairs of a period in rows and a number of waves, each wave of two rows or "
    "more, such as [(365.25, 2)], found {!r}"
)


@dataclass(frozen=True)
class ImpactSettings:
    """The model and how much of it to draw.

    Attributes
    ----------
    niter : int
        Posterior draws to keep, over all chains; none is burnt of these.
    standardize_data : bool
        Fit on columns with pre-period mean 0 and sd 1.
    prior_level_sd : float
        Guess of the level's sd from row to row, in sds of the outcome; 1 at most.
    prior_level_df : float
        Weight of that guess, in rows. R's 32 holds the level to its guess even against hundreds of
        rows; with 1 the data decide, and intervals are honest where the level drifts.
    nseasons : int
        Seasons in a cycle; 1 for none.
    season_duration : int
        Rows in a season.
    dynamic_regression : bool
        Coefficients of the controls that change from row to row, each with an sd of its own, in
        place of coefficients that are chosen and stay the same.
    max_flips : int
        Taken for R's sake and not used: every control is tried in every sweep.
    post_period_covariates_in_prior : bool
        Let the scale of the coefficients' prior look at the controls after the intervention too,
        as R does.
    chains : int
    scale : "linear", "log" or "counts"
        See :mod:`lift.impact.scale`; R has the first.
    seasons : tuple of pairs of float and int
        Further seasons: their period in rows, and how many waves (sine and cosine pairs) describe
        each.
    holidays : str, optional
        Country whose public holidays have an effect of their own, such as "IT" or "US-CA"; rows
        must be days.
    """

    niter: int = 4000
    standardize_data: bool = True
    prior_level_sd: float = 0.01
    prior_level_df: float = LEVEL_DF
    nseasons: int = 1
    season_duration: int = 1
    dynamic_regression: bool = False
    max_flips: int = -1
    post_period_covariates_in_prior: bool = False
    chains: int = DEFAULT_CHAINS
    scale: str = "linear"
    seasons: tuple[tuple[float, int], ...] = ()
    holidays: str | None = None

    @property
    def n_draws(self) -> int:
        """Draws over all chains: ``niter`` rounded up to a multiple of the chains."""
        return -(-self.niter // self.chains) * self.chains


def _fault(name: str, value: object) -> str | None:
    """Return what is wrong with one value, None where nothing is."""
    if name in YES_OR_NO:
        if not isinstance(value, bool):
            return f"{name} must be True or False, found {value!r}"
        return None
    if name == "scale":
        return None if value in SCALES else f"scale must be of {', '.join(SCALES)}, found {value!r}"
    if name == "holidays":
        if value is None:
            return None
        if not isinstance(value, str):
            return f"holidays must be a country code such as 'IT', found {value!r}"
        found: list[Problem] = []
        check_country(value, WHERE, found)
        return found[0].what if found else None
    if name == "seasons":
        return None if _are_seasons(value) else SEASONS_FAULT.format(value)
    if name in ("prior_level_sd", "prior_level_df"):
        low, high = LEVEL_RANGES[name]
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not (number and low <= float(str(value)) <= high):
            return f"{name} must be a positive number, from {low:g} to {high:g}, found {value!r}"
        return None
    if not isinstance(value, Integral) or isinstance(value, bool):
        return f"{name} must be a whole number, found {value!r}"
    least = {"niter": 100, "max_flips": -1}.get(name, 1)
    if int(value) < least:
        return f"{name} must be at least {least}, found {value}"
    return None


def _are_seasons(value: object) -> bool:
    """Return whether a value is a sequence of periods and numbers of waves that can be seen."""
    if not isinstance(value, list | tuple):
        return False
    for season in value:
        if not isinstance(season, list | tuple) or len(season) != 2:
            return False
        period, pairs = season
        if not isinstance(period, Real) or isinstance(period, bool):
            return False
        if not isinstance(pairs, Integral) or isinstance(pairs, bool) or pairs < 1:
            return False
        if not 2.0 * int(pairs) <= float(period) < float("inf"):
            return False
    return True


def settings_from(model_args: Mapping[str, object] | None) -> ImpactSettings:
    """Return the settings that ``model_args`` describes.

    Parameters
    ----------
    model_args : mapping, optional
        Names as in ``ImpactSettings``; R's dots in place of underscores are taken too.

    Returns
    -------
    ImpactSettings

    Raises
    ------
    InputError
        Naming every unknown name and every value that cannot be.
    """
    if model_args is None:
        return ImpactSettings()
    if not isinstance(model_args, Mapping):
        raise InputError(
            [
                Problem(
                    WHERE, f"must be a dict of names and values, found {type(model_args).__name__}"
                )
            ]
        )
    known = [field.name for field in fields(ImpactSettings)]
    problems = []
    values: dict[str, object] = {}
    for given, value in model_args.items():
        name = str(given).replace(".", "_")
        if name not in known:
            problems.append(f"unknown name {given!r}; known are {', '.join(known)}")
        elif name in values:
            problems.append(f"{name} is given twice")
        elif fault := _fault(name, value):
            problems.append(fault)
        else:
            values[name] = value
    if not problems:
        if isinstance(seasons := values.get("seasons"), list | tuple):
            values["seasons"] = tuple((float(period), int(pairs)) for period, pairs in seasons)
        made = ImpactSettings(**values)  # type: ignore[arg-type]
        if made.n_draws < MIN_DRAWS_PER_CHAIN * made.chains:
            problems.append(
                f"niter must be at least {MIN_DRAWS_PER_CHAIN} for each of the {made.chains} "
                f"chains, found {made.niter}"
            )
        else:
            return made
    raise InputError([Problem(WHERE, what) for what in problems])
