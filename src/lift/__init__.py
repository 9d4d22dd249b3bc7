"""Incremental app downloads of influencer posts, with credible intervals.

The public names are loaded when they are first used, so that ``import lift`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift.analysis.effects import Effects
    from lift.data import datasets
    from lift.data.campaign import Campaign, read_campaign, write_campaign
    from lift.data.simulate import simulate_campaign
    from lift.errors import DiagnosticsError, EngineError, InputError, LiftError, RunError
    from lift.fitted import Analysis
    from lift.impact.causal_impact import CausalImpact
    from lift.joint import analyse_markets
    from lift.model.posterior import Posterior
    from lift.model.spec import ModelSpec
    from lift.pipeline import analyse, load

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "Campaign",
    "CausalImpact",
    "DiagnosticsError",
    "Effects",
    "EngineError",
    "InputError",
    "LiftError",
    "ModelSpec",
    "Posterior",
    "RunError",
    "__version__",
    "analyse",
    "analyse_markets",
    "datasets",
    "load",
    "read_campaign",
    "simulate_campaign",
    "write_campaign",
]

# Where each public name lives; a name that equals the last part of its module is that module.
_HOME = {
    "Analysis": "lift.fitted",
    "Campaign": "lift.data.campaign",
    "CausalImpact": "lift.impact.causal_impact",
    "DiagnosticsError": "lift.errors",
    "Effects": "lift.analysis.effects",
    "EngineError": "lift.errors",
    "InputError": "lift.errors",
    "LiftError": "lift.errors",
    "ModelSpec": "lift.model.spec",
    "Posterior": "lift.model.posterior",
    "RunError": "lift.errors",
    "analyse": "lift.pipeline",
    "analyse_markets": "lift.joint",
    "datasets": "lift.data.datasets",
    "load": "lift.pipeline",
    "read_campaign": "lift.data.campaign",
    "simulate_campaign": "lift.data.simulate",
    "write_campaign": "lift.data.campaign",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_HOME[name])
    value = module if _HOME[name].rpartition(".")[2] == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(set(globals()) | set(__all__))
