"""Figures of a run: matplotlib figures made of plain tables, and their text as SVG.

Every figure is drawn from data frames alone, with the object interface of matplotlib. Colours are
taken from :data:`PALETTE` only, so that a page may replace them by its own (see :func:`inline`).
"""

from lift.output.figures.agreement import engine_forest
from lift.output.figures.components import MAX_COMPONENTS, component_panels
from lift.output.figures.curves import LEAD_DAYS, MAX_PANELS, campaign_curve, post_panels
from lift.output.figures.effects import post_forest, post_windows
from lift.output.figures.style import PALETTE, inline, to_svg
from lift.output.figures.users import monthly_users

__all__ = [
    "LEAD_DAYS",
    "MAX_COMPONENTS",
    "MAX_PANELS",
    "PALETTE",
    "campaign_curve",
    "component_panels",
    "engine_forest",
    "inline",
    "monthly_users",
    "post_forest",
    "post_panels",
    "post_windows",
    "to_svg",
]
