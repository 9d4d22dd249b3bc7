"""What each engine can fit: a specification beyond it is refused with the name of one that can."""

from __future__ import annotations

from lift.errors import EngineError
from lift.model.design import Design


def beyond(engine: str, design: Design) -> list[str]:
    """Return what a model asks for that an engine does not do.

    Parameters
    ----------
    engine : "exact" or "gibbs"
    design : Design

    Returns
    -------
    list of str
        Keys of the specification with their values; empty where the engine does it all.
    """
    if engine == "exact":
        return [*mixtures(design), *design.shared]
    if design.likelihood != "negative_binomial":
        return list(design.shared)
    beside = {
        'baseline.noise = "student_t"': design.noise == "student_t",
        f'baseline.control_prior = "{design.selection.prior}"': design.selection.prior != "ridge",
    }
    asked = [f"{setting} of counts" for setting, on in beside.items() if on]
    return [*asked, *design.shared]


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
    engine : "exact" or "gibbs"
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
            f"a fit of one market does not do {', '.join(design.shared)}; fit the markets together "
            "with `lift markets` (analyse_markets), or leave it out"
        )
    able = [name for name in ("exact", "gibbs") if name != engine and not beyond(name, design)]
    advice = (
        f'use engine = "{able[0]}", which does'
        if able
        else "no engine does all of this at once: leave out a part"
    )
    raise EngineError(f"the engine {engine!r} does not do {', '.join(found)}; {advice}")
