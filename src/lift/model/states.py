"""What moves in time beside the local level: slope, week, noise, coefficients of controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lift.errors import EngineError
from lift.model.baseline import Block
from lift.model.hyper import Hyper
from lift.model.spec import BaselineSpec

FloatArray = NDArray[np.float64]

STATE_SCALARS = ("slope_sd", "slope_phi", "week_step_sd", "noise_phi")


@dataclass(frozen=True, eq=False)
class StateDesign:
    """The states of the baseline beside the local level.

    Attributes
    ----------
    trend : "none", "damped" or "linear"
    slope_start_sd : float
        Prior sd of the first slope of a linear trend; a damped one starts stationary.
    ar1 : bool
        Whether the noise of a day depends on that of the day before.
    columns : ndarray, shape (n, r)
        What the coefficients that walk multiply. A walk starts at 0 on the first day: the value
        there is the coefficient of the same column among the baseline components.
    week : bool
        Whether the first six columns are the weekday contrasts.
    controls : tuple of str
        The controls that the other columns are.
    """

    trend: Literal["none", "damped", "linear"] = "none"
    slope_start_sd: float = 0.0
    ar1: bool = False
    columns: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    week: bool = False
    controls: tuple[str, ...] = ()

    @property
    def n_states(self) -> int:
        """Numbers that move in time, the level among them."""
        n_walks = self.columns.shape[1] if self.columns.size else 0
        return 1 + (self.trend != "none") + self.ar1 + n_walks

    def described(self) -> list[str]:
        """Return the settings of the specification that ask for further states."""
        parts = []
        if self.trend != "none":
            parts.append(f'trend = "{self.trend}"')
        if self.week:
            parts.append("week_evolves = true")
        if self.controls:
            parts.append("evolving_controls")
        if self.ar1:
            parts.append('noise = "ar1"')
        return parts


LOCAL_LEVEL = StateDesign()


def state_design(spec: BaselineSpec, blocks: Sequence[Block]) -> StateDesign:
    """Return the states that a specification asks for.

    Parameters
    ----------
    spec : BaselineSpec
    blocks : sequence of Block
        The baseline components, whose columns the walking coefficients share.

    Returns
    -------
    StateDesign

    Raises
    ------
    EngineError
        If a control whose coefficient is to walk is not there.
    """
    named = {block.name: block for block in blocks}
    parts = [named["week"].columns] if spec.week_evolves else []
    if spec.evolving_controls:
        control = named.get("control")
        known = control.labels if control is not None else ()
        if absent := [name for name in spec.evolving_controls if name not in known]:
            raise EngineError(
                f"evolving_controls must name controls of the campaign, found {', '.join(absent)}; "
                f"it has {', '.join(known) or 'none'}"
            )
        if control is not None:
            parts.append(control.columns[:, [known.index(n) for n in spec.evolving_controls]])
    return StateDesign(
        trend=spec.trend,
        slope_start_sd=spec.slope_start_sd,
        ar1=spec.noise == "ar1",
        columns=np.column_stack(parts) if parts else np.empty((0, 0)),
        week=spec.week_evolves,
        controls=spec.evolving_controls,
    )


def state_hypers(spec: BaselineSpec, states: StateDesign) -> list[Hyper]:
    """Return the hyperparameters of the states with their priors.

    Parameters
    ----------
    spec : BaselineSpec
    states : StateDesign

    Returns
    -------
    list of Hyper
    """
    hypers = []
    if states.trend != "none":
        hypers.append(Hyper("slope_sd", "exponential", spec.slope_rate))
    if states.trend == "damped":
        a, b = spec.slope_phi_shapes
        hypers.append(Hyper("slope_phi", "beta", b, a))
    if states.week:
        hypers.append(Hyper("week_step_sd", "exponential", spec.week_step_rate))
    step = Hyper("control_step_sd", "exponential", spec.control_step_rate)
    hypers += [step] * len(states.controls)
    if states.ar1:
        a, b = spec.noise_phi_shapes
        hypers.append(Hyper("noise_phi", "beta", b, a))
    return hypers
