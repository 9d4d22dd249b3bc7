"""What each component of the model adds to the downloads of each day, with intervals.

For some of the stored draws, evenly spaced: the posterior holds hyperparameters, coefficients and
posts; states that move in time were integrated out and are drawn given these and the downloads
(:mod:`lift.analysis.state_draws`). Together they are draws from the posterior of everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from lift.analysis.baseline_draws import block_effects
from lift.analysis.counterfactual import interval_tail, is_linear, log_lift
from lift.analysis.prediction_errors import one_step_errors
from lift.analysis.state_draws import States, count_states
from lift.errors import EngineError, InputError, Problem, RunError
from lift.model.design import Design
from lift.model.posterior import Posterior
from lift.model.state_paths import StatePart
from lift.rng import stream

FloatArray = NDArray[np.float64]

N_DRAWS = 400
"""Draws of the components by default: the Monte Carlo error of a mean is a twentieth of its sd."""
ORDER = ("level", "week", "year", "season", "holiday", "control", "posts", "autoregression")
"""Components in the order of tables and figures."""
STATE_VALUES = ("noise_sd", "level_sd", "slope_sd", "slope_phi", "week_step_sd", "noise_phi")


@dataclass(frozen=True, eq=False)
class Components:
    """Draws of what each component adds by day.

    Attributes
    ----------
    draws : Dataset, dims (draw, date) and (draw, date, control_name)
        One variable for each component that the model has, of ``level`` (with the median of the
        outcome, about which the model is), ``week``, ``year``, ``season``, ``holiday``,
        ``control`` (all of them together), ``posts`` (all of them together) and
        ``autoregression`` (noise that lasts), in log downloads/day, or in downloads/day where the
        model is on the linear scale; ``single_control``, the part of each control; ``sum``, that
        of all components; ``downloads``, the fitted downloads/day: the median of the day's
        downloads where they are lognormal (the exponential of the sum), else their mean.
        Attributes: ``n_draws`` of ``n_stored`` draws, ``unit``, ``likelihood`` and, of counts,
        ``acceptance``: the share of proposals of the states that was taken.
    observed : DataArray, dims (date,), downloads/day
        NaN = not observed.
    errors : DataArray, dims (date,), or None
        As :func:`lift.analysis.prediction_errors.one_step_errors`, hyperparameters and
        coefficients at their posterior means; None of counts, whose errors are not normal.
        :func:`lift.analysis.prediction_errors.error_checks` says whether the baseline fits.
    """

    draws: xr.Dataset
    observed: xr.DataArray
    errors: xr.DataArray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The components that add up to ``sum``, in order."""
        return tuple(name for name in ORDER if name in self.draws)

    def table(self, prob: float = 0.95) -> pd.DataFrame:
        """Return means and intervals by component and day.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns component, control (the name of a single one, "" for a whole component), date,
            mean, median, lower, upper, unit, prob, n_draws. The rows of ``sum`` and of
            ``downloads`` come last; those of the single controls follow ``control``.

        Raises
        ------
        InputError
            If the probability cannot be.
        """
        tail = interval_tail(prob)
        unit = str(self.draws.attrs["unit"])
        tables = []
        for name in (*self.names, "sum", "downloads"):
            shown = "downloads/day" if name == "downloads" else unit
            tables.append(self._rows(name, "", self.draws[name], tail, shown))
            if name == "control":
                for label in self.draws["control_name"].to_numpy():
                    single = self.draws["single_control"].sel(control_name=label)
                    tables.append(self._rows(name, str(label), single, tail, unit))
        whole = pd.concat(tables, ignore_index=True)
        return whole.assign(prob=prob, n_draws=int(self.draws.attrs["n_draws"]))

    def summary(self, prob: float = 0.95) -> pd.DataFrame:
        """Return how far each component moves over the days, and how well it is known.

        Parameters
        ----------
        prob : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        DataFrame
            Columns component, control, lowest and highest (of the medians of the days), sd (of the
            means over the days), interval_width (mean over the days), unit, prob, n_draws: one row
            for each component and single control of :meth:`table`, in its order.

        Raises
        ------
        InputError
            If the probability cannot be.
        """
        table = self.table(prob)
        grouped = table.assign(width=table["upper"] - table["lower"]).groupby(
            ["component", "control"], sort=False, as_index=False
        )
        return grouped.agg(
            lowest=("median", "min"),
            highest=("median", "max"),
            sd=("mean", "std"),
            interval_width=("width", "mean"),
            unit=("unit", "first"),
            prob=("prob", "first"),
            n_draws=("n_draws", "first"),
        )

    def _rows(
        self, component: str, control: str, draws: xr.DataArray, tail: float, unit: str
    ) -> pd.DataFrame:
        values = draws.transpose("draw", "date").to_numpy()
        lower, median, upper = np.quantile(values, [tail, 0.5, 1.0 - tail], axis=0)
        return pd.DataFrame(
            {
                "component": component,
                "control": control,
                "date": pd.DatetimeIndex(self.observed["date"].to_numpy()).as_unit("us"),
                "mean": values.mean(axis=0),
                "median": median,
                "lower": lower,
                "upper": upper,
                "unit": unit,
            }
        )


def components(posterior: Posterior, design: Design, draws: int = N_DRAWS) -> Components:
    """Return draws of what each component of the model adds by day.

    Parameters
    ----------
    posterior : Posterior
    design : Design
        Of the campaign and the specification that it was fitted to.
    draws : int
        Stored draws to take, evenly spaced within each chain; all of them where it has fewer. Where
        more than the level moves in time each takes a time that is cubic in the days.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If the number of draws cannot be.
    EngineError
        If the posterior does not hold what the states depend on.
    RunError
        If the campaign is not the one that was fitted.
    """
    if draws < 1:
        raise InputError([Problem("components", f"draws must be 1 or more, found {draws}")])
    _require(posterior, design)
    some = thinned(posterior, draws)
    states = States(design, hyperparameters(some, design))
    effects = block_effects(some, design)
    n_draws, n = len(states.values), len(design.dates)
    posts = np.zeros((n_draws, n))
    if design.posts.ids:
        lift = log_lift(some, np.arange(len(design.posts.ids)))
        posts[:, lift.first_day : lift.first_day + lift.values.shape[1]] = lift.values
    linear = posts + np.sum([*effects.values(), np.zeros((n_draws, n))], axis=0)
    rng = stream(int(posterior.attrs.get("seed", 0)), "components", "states")
    stats: dict[str, object] = {}
    errors: FloatArray | None = None
    if design.likelihood == "negative_binomial":
        parts, stats["acceptance"] = count_states(states, linear, rng)
    else:
        parts = states.drawn(design.outcome - linear, states.noise_var, rng)
        mean = States(design, states.values.mean(axis=0, keepdims=True))
        errors = one_step_errors(mean, design.outcome - linear.mean(axis=0))
    parts["level", ""] = parts["level", ""] + design.center
    for part, effect in effects.items():
        parts[part] = parts[part] + effect if part in parts else effect
    if design.posts.ids:
        parts["posts", ""] = posts
    collected = _collected(posterior, design, parts, stats)
    if errors is None:
        return collected
    return replace(collected, errors=posterior.downloads.copy(data=errors).rename("error"))


def thinned(posterior: Posterior, draws: int) -> Posterior:
    """Return a posterior with some of its draws, evenly spaced within each chain.

    Parameters
    ----------
    posterior : Posterior
    draws : int
        Over all chains; one of each chain at least.

    Returns
    -------
    Posterior
    """
    sizes = posterior.draws.sizes
    kept = min(max(draws // sizes["chain"], 1), sizes["draw"])
    places = (np.arange(kept) * sizes["draw"]) // kept
    groups = {name: group for name, group in posterior.tree.children.items()}
    groups["posterior"] = xr.DataTree(posterior.draws.isel(draw=places))
    return Posterior(xr.DataTree(posterior.tree.to_dataset(), children=groups))


def hyperparameters(posterior: Posterior, design: Design) -> FloatArray:
    """Return the hyperparameters that states depend on, as a design orders them.

    Parameters
    ----------
    posterior : Posterior
    design : Design

    Returns
    -------
    ndarray, shape (chain * draw, d)
        On their own scale; NaN for those of posts and coefficients.
    """
    draws = posterior.draws
    values = np.full((draws.sizes["chain"] * draws.sizes["draw"], len(design.hypers)), np.nan)
    for name in STATE_VALUES:
        if (at := design.position(name)) >= 0:
            values[:, at] = draws[name].to_numpy().ravel()
    if names := design.states.controls:
        at = design.position("control_step_sd")
        steps = draws["control_step_sd"].sel(evolving=list(names)).to_numpy()
        values[:, at : at + len(names)] = steps.reshape(len(values), -1)
    return values


def _require(posterior: Posterior, design: Design) -> None:
    """Check that states can be drawn from what the posterior holds, and that the data are its."""
    attrs = posterior.attrs
    asked = {
        "a joint fit of several markets (their common paths are not stored)": "markets" in attrs
        or bool(design.shared),
        'baseline.noise = "student_t" (the variance of each day is not stored)': design.noise
        == "student_t",
        "baseline.level_shifts = true (the variance of each step is not stored)": (
            design.level_shifts
        ),
        f'response.saturation = "{design.saturation}" (posts do not add up by day)': (
            design.saturation != "none"
        ),
        f"the engine {attrs.get('engine')!r} (confidence intervals, no posterior)": attrs.get(
            "interval"
        )
        == "confidence",
    }
    if found := [what for what, there in asked.items() if there]:
        raise EngineError(
            f"components are not drawn for {', '.join(found)}; fit each market by itself with "
            'engine = "exact", "gibbs" or "pymc" and without these settings'
        )
    same = len(posterior.dates) == len(design.dates) and bool(
        (posterior.dates == design.dates).all()
    )
    if not same or not np.array_equal(
        posterior.downloads.to_numpy(), design.downloads, equal_nan=True
    ):
        raise RunError(
            "components need the campaign that was fitted, and its downloads are not those of the "
            "run; give the campaign as it was"
        )


def _collected(
    posterior: Posterior,
    design: Design,
    parts: dict[StatePart, FloatArray],
    stats: dict[str, object],
) -> Components:
    """Return the components of every draw, on the scale of the model and in downloads."""
    linear = is_linear(posterior)
    unit = design.unit if linear else 1.0
    dims = ("draw", "date")
    variables: dict[str, tuple[tuple[str, ...], FloatArray]] = {}
    for name in ORDER:
        if of_it := [values for (component, _), values in parts.items() if component == name]:
            variables[name] = (dims, unit * np.sum(of_it, axis=0))
    coords: dict[str, object] = {"date": posterior.dates.to_numpy()}
    blocks = {block.name: block.labels for block in design.blocks}
    if names := list(blocks.get("control", ())):
        single = np.stack([unit * parts["control", name] for name in names], axis=2)
        variables["single_control"] = ((*dims, "control_name"), single)
        coords["control_name"] = names
    total = np.sum([values for name, (_, values) in variables.items() if name in ORDER], axis=0)
    variables["sum"] = (dims, total)
    variables["downloads"] = (dims, total if linear else np.exp(total))
    stored = posterior.draws.sizes
    attrs = {
        "n_draws": len(total),
        "n_stored": stored["chain"] * stored["draw"],
        "unit": "downloads/day" if linear else "log downloads/day",
        "likelihood": design.likelihood,
        **stats,
    }
    return Components(xr.Dataset(variables, coords=coords, attrs=attrs), posterior.downloads)
