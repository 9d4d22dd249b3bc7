"""What each engine can fit: a specification beyond it is refused with the name of one that can."""

from __future__ import annotations

from dataclasses import replace

from lift.errors import EngineError
from lift.model.design import Design
from lift.model.markets import MarketsDesign

INSTEAD = ("exact", "gibbs", "pymc")
"""Engines that a refusal may name, the one to be preferred first."""
HEAVY_COUNTS = (
    'baseline.noise = "student_t" of counts (a negative binomial count has a heavy tail already, '
    'its gamma mean: leave it at "normal")'
)
"""What no engine does with counts, and why."""


def beyond(engine: str, design: Design) -> list[str]:
    """Return what a model asks for that an engine does not do.

    Parameters
    ----------
    engine : "exact", "gibbs", "pymc" or "statsmodels"
    design : Design

    Returns
    -------
    list of str
        Keys of the specification with their values; empty where the engine does it all.
    """
    lacks = {
        "exact": [*mixtures(design), *shapes(design)],
        "gibbs": [*_of_counts(design), *shapes(design)],
        "pymc": [*mixtures(design), *_states(design)],
        "statsmodels": [
            *_counts(design),
            *mixtures(design),
            *_states(design),
            *_displacement(design),
            *shapes(design),
        ],
    }
    return [*lacks[engine], *design.shared]


def mixtures(design: Design) -> list[str]:
    """Return the settings of the specification that ask for scale variables."""
    asked = {
        'baseline.noise = "student_t"': design.noise == "student_t",
        "baseline.level_shifts = true": design.level_shifts,
        "response.heavy_tails = true": design.heavy_tails,
        f'baseline.control_prior = "{design.selection.prior}"': design.selection.prior != "ridge"
        and any(block.name == "control" for block in design.blocks),
    }
    return [setting for setting, on in asked.items() if on]


def shapes(design: Design) -> list[str]:
    """Return the settings after which coefficients are no longer normal given the rest."""
    asked = {
        "response.positive_only = true": design.typical_amplitude is not None,
        f'response.saturation = "{design.saturation}"': design.saturation != "none",
    }
    return [setting for setting, on in asked.items() if on]


def _counts(design: Design) -> list[str]:
    counts = design.likelihood == "negative_binomial"
    return ['counts (likelihood = "negative_binomial")'] if counts else []


def _of_counts(design: Design) -> list[str]:
    """Return the settings that go with a lognormal likelihood only."""
    counts = design.likelihood == "negative_binomial"
    return [HEAVY_COUNTS] if counts and design.noise == "student_t" else []


def _states(design: Design) -> list[str]:
    """Return what is beside a local level and a Weibull kernel; a free kernel is a state."""
    other = design.kernel not in ("weibull", "free")
    kernel = [f'kernel = "{design.kernel}"'] if other else []
    return [*([design.beyond_level] if design.beyond_level else []), *kernel]


def _displacement(design: Design) -> list[str]:
    return ["response.displacement = true"] if design.position("displacement") >= 0 else []


def require(engine: str, design: Design) -> None:
    """Check that an engine can fit a model.

    Parameters
    ----------
    engine : "exact", "gibbs", "pymc" or "statsmodels"
    design : Design

    Raises
    ------
    EngineError
        Naming all that it does not do, and an engine that does it.
    """
    found = beyond(engine, design)
    if not found:
        return
    if design.shared:
        raise EngineError(
            f"a fit of one market does not do {', '.join(design.shared)}; fit the markets together "
            "with `lift markets` (analyse_markets), or leave it out"
        )
    able = [name for name in INSTEAD if name != engine and not beyond(name, design)]
    advice = (
        f'use engine = "{able[0]}", which does'
        if able
        else "no engine does all of this at once: leave out a part"
    )
    raise EngineError(f"the engine {engine!r} does not do {', '.join(found)}; {advice}")


def beyond_together(engine: str, markets: MarketsDesign) -> list[str]:
    """Return what a model of several markets asks for that an engine does not do.

    Parameters
    ----------
    engine : "exact" or "pymc"
    markets : MarketsDesign

    Returns
    -------
    list of str
        As of :func:`beyond`.
    """
    found: dict[str, None] = {}
    for design in markets.designs:
        found |= dict.fromkeys([*mixtures(design), *shapes(design)])
        if engine == "pymc":
            found |= dict.fromkeys([*_counts(design), *_states(design)])
            found |= {'kernel = "free"': None} if design.kernel == "free" else {}
    if engine == "exact" and markets.loading_sd is not None:
        found["markets.free_loadings = true"] = None
    return list(found)


def require_together(engine: str, markets: MarketsDesign) -> None:
    """Check that an engine can fit a model of several markets.

    Parameters
    ----------
    engine : "exact" or "pymc"
    markets : MarketsDesign

    Raises
    ------
    EngineError
        Naming all that it does not do, and what does it: the other engine, or one of single
        markets.
    """
    found = beyond_together(engine, markets)
    if not found:
        return
    other = "pymc" if engine == "exact" else "exact"
    lacking = beyond_together(other, markets)
    alone = [replace(design, shared=()) for design in markets.designs]
    able = [name for name in INSTEAD if not any(beyond(name, design) for design in alone)]
    itself = (
        f'fit each market by itself with engine = "{able[0]}" (lift fit --market)' if able else ""
    )
    if not lacking:
        advice = f'use engine = "{other}" (lift markets --engine {other}), which does'
    else:
        joint = f"leave out {' or '.join(dict.fromkeys([*found, *lacking]))}"
        reason = f"the engine {other!r} does not do {', '.join(lacking)}"
        advice = f"{reason}; {f'{itself}, or {joint}' if itself else joint}"
    raise EngineError(
        f"of several markets together the engine {engine!r} does not do {', '.join(found)}; "
        f"{advice}"
    )
