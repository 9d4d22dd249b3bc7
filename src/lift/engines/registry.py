"""The engines by name; an engine's module is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from lift.engines.base import Engine
from lift.errors import EngineError

ENGINES = {
    "exact": ("lift.engines.exact", "fit_exact"),
    "gibbs": ("lift.engines.gibbs", "fit_gibbs"),
}


def engine_named(name: str) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : str
        One of ``ENGINES``.

    Raises
    ------
    EngineError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise EngineError(f"the engine must be one of {', '.join(ENGINES)}, found {name!r}")
    module, function = ENGINES[name]
    found: Engine = getattr(import_module(module), function)
    return found
