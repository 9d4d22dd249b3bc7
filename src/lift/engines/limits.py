"""What each engine can fit: a specification beyond it is refused with the name of one that can."""

from __future__ import annotations

from lift.errors import EngineError
from lift.model.design import Design


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
    is_count = design.likelihood == "negative_binomial"
    counts = ["counts (likelihood negative_binomial)"] if is_count else []
    beside = {
        'baseline.noise = "student_t"': design.noise == "student_t",
        f'baseline.control_prior = "{design.selection.prior}"': design.selection.prior != "ridge",
    }
    of_counts = [f"{setting} of counts" for setting, on in beside.items() if on and is_count]
    states = [design.beyond_level] if design.beyond_level else []
    # a free kernel is among the states
    other_kernel = design.kernel not in ("weibull", "free")
    kernel = [f'kernel = "{design.kernel}"'] if other_kernel else []
    displacement = design.position("displacement") >= 0
    displaced = ["response.displacement = true"] if displacement else []
    lacks = {
        "exact": [*mixtures(design), *shapes(design)],
        "gibbs": [*of_counts, *shapes(design)],
        "pymc": [*mixtures(design), *states, *kernel],
        "statsmodels": [
            *counts, *mixtures(design), *states, *kernel, *displaced, *shapes(design),
        ],
    }  # fmt: skip
    return [*lacks[engine], *design.shared]


def shapes(design: Design) -> list[str]:
    """Return the settings of the specification that are not linear, or not normal."""
    asked = {
        "response.positive_only = true": design.positive_only,
        'response.views_curve = "hill"': design.position("log_half_views") >= 0,
    }
    return [setting for setting, on in asked.items() if on]


def mixtures(design: Design) -> list[str]:
    """Return the settings of the specification that ask for scale variables."""
    asked = {
        'baseline.noise = "student_t"': design.noise == "student_t",
        "baseline.level_shifts = true": design.level_shifts,
        "response.heavy_tails = true": design.heavy_tails,
        f'baseline.control_prior = "{design.selection.prior}"': design.selection.prior != "ridge",
    }
    return [setting for setting, on in asked.items() if on]


def require(engine: str, design: Design) -> None:
    """Check that an engine can fit a model.

    Parameters
    ----------
    engine : "exact", "gibbs", "pymc" or "statsmodels"
    design : Design

    Raises
    ------
    EngineError
        Naming all that it does not do, and the engine that does.
    """
    found = beyond(engine, design)
    if not found:
        return
    if design.shared:
        raise EngineError(
            f"the engine {engine!r} fits one market and does not do {', '.join(found)}; fit the "
            "markets together with `lift markets` (analyse_markets), or leave it out"
        )
    others = [name for name in ("exact", "gibbs", "pymc") if name != engine]
    able = [name for name in others if not beyond(name, design)]
    advice = (
        f'use engine = "{able[0]}", which does'
        if able
        else "no engine does all of this at once: leave out a part"
    )
    raise EngineError(f"the engine {engine!r} does not do {', '.join(found)}; {advice}")
