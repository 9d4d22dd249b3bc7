"""The engines by name; an engine's module is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lift.engines.base import Engine, MarketsEngine
from lift.engines.windows import WindowEngine
from lift.errors import EngineError

ENGINES = {
    "exact": ("lift.engines.exact", "fit_exact"),
    "gibbs": ("lift.engines.gibbs", "fit_gibbs"),
    "pymc": ("lift.engines.pymc", "fit_pymc"),
    "statsmodels": ("lift.engines.statsmodels", "fit_statsmodels"),
}
"""Those that return a posterior."""
WINDOW_ENGINES = {"causalimpact": ("lift.engines.causalimpact", "fit_windows")}
"""Those that look at one post at a time and return no posterior."""
MARKETS_ENGINES = {
    "exact": ("lift.engines.markets", "fit_markets"),
    "pymc": ("lift.engines.pymc_markets", "fit_markets_pymc"),
}
"""Those that fit several markets together."""
MADE_BY = {"markets": "exact", "markets_pymc": "pymc"}
"""The engine by the name that its joint posteriors bear."""
AUTOMATIC = "auto"
"""The name under which the engine is chosen by the model, see ``lift.engines.automatic``."""


def engine_named(name: str) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : str
        One of ``ENGINES``, or ``"auto"``.

    Raises
    ------
    EngineError
        If there is no engine of that name, or it returns no posterior.
    """
    if name in WINDOW_ENGINES:
        raise EngineError(
            f"the engine {name!r} looks at one post at a time and has no joint posterior to "
            f"analyse; set it beside another with lift compare RUN --engines exact,{name}"
        )
    known = {AUTOMATIC: ("lift.engines.automatic", "fit_automatic"), **ENGINES}
    found: Engine = _loaded(name, known, "the engine")
    return found


def markets_engine_named(name: str) -> MarketsEngine:
    """Return an engine that fits several markets together.

    Parameters
    ----------
    name : str
        One of ``MARKETS_ENGINES``.

    Raises
    ------
    EngineError
        If there is none of that name.
    """
    found: MarketsEngine = _loaded(name, MARKETS_ENGINES, "an engine of several markets")
    return found


def window_engine_named(name: str) -> WindowEngine:
    """Return an engine that looks at one post at a time.

    Parameters
    ----------
    name : str
        One of ``WINDOW_ENGINES``.

    Raises
    ------
    EngineError
        If there is none of that name.
    """
    found: WindowEngine = _loaded(name, WINDOW_ENGINES, "an engine of single posts")
    return found


def _loaded(name: str, known: Mapping[str, tuple[str, str]], what: str) -> Any:
    """Return the function that a table has under a name."""
    if name not in known:
        raise EngineError(f"{what} must be one of {', '.join(known)}, found {name!r}")
    module, function = known[name]
    return getattr(import_module(module), function)
