"""What each engine can fit: a specification beyond it is refused with the name of one that can."""

from __future__ import annotations

from lift.errors import EngineError
from lift.model.design import Design

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
        f'baseline.control_prior = "{design.selection.prior}"': design.selection.prior != "ridge",
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
