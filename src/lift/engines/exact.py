"""The exact engine: states and coefficients integrated out, hyperparameters by importance sampling.

Given the hyperparameters, level, seasons, controls and post amplitudes are jointly Gaussian and
are integrated out exactly. The few hyperparameters are integrated by adaptive importance sampling.
Draws are exact up to the reported importance-sampling diagnostics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.engines._dual import dual_points
from lift.engines._points import count_points, lognormal_points
from lift.engines._state_counts import count_state_points
from lift.engines._states import state_points
from lift.engines.base import Progress, SampleSettings
from lift.engines.limits import require
from lift.engines.sampling import EMPTY as EMPTY
from lift.engines.sampling import sample
from lift.engines.threads import mapped
from lift.model.design import Design, build_design
from lift.model.hyper import natural
from lift.model.posterior import Posterior, assemble
from lift.model.spec import ModelSpec
from lift.model.state_paths import step_positions

FloatArray = NDArray[np.float64]

LAYOUT = (
    "noise_sd",
    "level_sd",
    "control_sd",
    "amplitude_sd",
    "influencer_sd",
    "views_elasticity",
    "first_day",
    "log_shape",
    "displacement",
    "slope_sd",
    "slope_phi",
    "noise_phi",
    "free_sd",
)
TRENDS = ("none", "damped", "linear")
Form = Literal["primal", "dual", "states", "counts", "count_states"]
POINTS_PER_TASK = 64


@dataclass(frozen=True)
class ExactModel:
    """A design packed for the compiled kernels.

    Attributes
    ----------
    design : Design
    arguments : tuple
        Arrays in the order that the kernels take them, from ``layout`` to ``start_var``.
    n_coefficients : int
    form : "primal", "dual", "states", "counts" or "count_states"
        Which kernel evaluates it: lognormal with fewer or with more coefficients than days, or
        with states beside the level, or counts, without or with such states.
    start : ndarray, shape (n,)
        Where Newton's method starts on the log scale (counts).
    workers : int
    """

    design: Design
    arguments: tuple[object, ...]
    n_coefficients: int
    form: Form
    start: FloatArray
    workers: int

    @property
    def n_normals(self) -> int:
        """Standard normal numbers that one draw of the coefficients takes."""
        per_day = {"dual": 2, "counts": 1, "count_states": self.design.states.n_states + 1}.get(
            self.form, 0
        )
        return self.n_coefficients + per_day * len(self.design.dates)

    @property
    def n_hypers(self) -> int:
        """Number of hyperparameters."""
        return len(self.design.hypers)

    @property
    def weighs_draws(self) -> bool:
        """Whether a weight belongs to a draw of the coefficients too: with counts it does."""
        return self.form in {"counts", "count_states"}

    def evaluate(self, z: FloatArray, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the log posterior density of points and a draw of the coefficients at each.

        Parameters
        ----------
        z : ndarray, shape (n, d)
            Standard normal coordinates of the hyperparameters.
        normals : ndarray, shape (n, n_normals) or (0, 0)
            What the draws are made of; none for densities alone.

        Returns
        -------
        log_density : ndarray, shape (n,)
            Prior of the coordinates included, up to no constant; NaN where it cannot be computed.
        coefficients : ndarray, shape (n, q) or (0, 0)
        """
        thetas = natural(z, self.design.hypers, self.design.mix)
        values = np.empty(len(z))
        wanted = len(normals) > 0
        gammas = np.empty((len(z), self.n_coefficients)) if wanted else EMPTY
        # few points, as in the search for the mode, are shared out too
        step = min(POINTS_PER_TASK, -(-len(z) // self.workers))
        tasks = [slice(i, i + step) for i in range(0, len(z), step)]

        def run(task: slice) -> None:
            mine = (thetas[task], normals[task] if wanted else EMPTY, *self.arguments)
            out = (values[task], gammas[task] if wanted else EMPTY)
            if self.form == "counts":
                count_points(*mine, self.start, *out)
            elif self.form == "count_states":
                count_state_points(*mine, *state_arguments(self.design), self.start, *out)
            elif self.form == "dual":
                dual_points(*mine, *out)
            elif self.form == "states":
                state_points(*mine, *state_arguments(self.design), *out)
            else:
                lognormal_points(*mine, *out)

        list(mapped(self.workers)(run, tasks))
        dim = z.shape[1]
        log_prior = -0.5 * (z**2).sum(axis=1) - 0.5 * dim * np.log(2 * np.pi)
        return values + log_prior, gammas


def pack(design: Design, workers: int = 1) -> ExactModel:
    """Return a design packed for the compiled kernels.

    Parameters
    ----------
    design : Design
    workers : int
        Threads to use.

    Returns
    -------
    ExactModel
    """
    posts = design.posts
    n_posts, n_groups = posts.membership.shape
    n_influencers = len(posts.influencers)
    rows = [list(np.flatnonzero(row)) for row in posts.membership]
    width = max((len(row) for row in rows), default=0) + 1
    member_index = np.full((n_posts, width), -1, dtype=np.int64)
    member_value = np.zeros((n_posts, width))
    for j, row in enumerate(rows):
        member_value[j, : len(row)] = posts.membership[j, row]
        if posts.influencer[j] >= 0:
            row.append(n_groups + int(posts.influencer[j]))
            member_value[j, len(row) - 1] = 1.0
        member_index[j, : len(row)] = row
    edges = np.arange(design.window_days + 1, dtype=np.float64) - posts.fraction[:, None]
    log_edges = np.log(np.maximum(edges, np.finfo(np.float64).tiny))
    mean_sd = np.concatenate([posts.group_sd, np.full(n_influencers, np.nan)])
    fixed = np.ascontiguousarray(design.fixed)
    counts = design.likelihood == "negative_binomial"
    scaled = (design.center,) if counts else ()
    level = () if counts else (design.poisson_variance,)
    arguments = (
        np.array([design.position(name) for name in LAYOUT], dtype=np.int64),
        np.array([*design.displacement_lags, design.kernel == "gamma"], dtype=np.int64),
        design.outcome,
        *scaled,
        *level,
        design.observed,
        fixed,
        design.fixed_sd,
        posts.day,
        posts.kernel_group,
        len(posts.kernel_groups) if n_posts else 0,
        log_edges,
        posts.log_views,
        posts.log_size,
        member_index,
        member_value,
        mean_sd,
        design.level_start_sd**2,
    )
    n_coefficients = fixed.shape[1] + n_posts + len(mean_sd)
    return ExactModel(
        design=design,
        arguments=arguments,
        n_coefficients=n_coefficients,
        form=_cheapest_form(design, n_coefficients),
        start=_start(design) if counts else np.empty(0),
        workers=workers,
    )


def fit_exact(
    campaign: Campaign,
    spec: ModelSpec,
    settings: SampleSettings,
    progress: Progress | None = None,
    design: Design | None = None,
) -> Posterior:
    """Return the posterior by the exact engine.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
    settings : SampleSettings
    progress : callable, optional
        Called with the share done, 0 to 1, and a word.
    design : Design, optional
        The model of the campaign, where it has been built already.

    Returns
    -------
    Posterior
        ``sample_stats`` holds Pareto k, effective sample size, log evidence and the number of
        likelihood evaluations.

    Raises
    ------
    EngineError
        If the specification asks for something this engine does not do.
    """
    design = build_design(campaign, spec) if design is None else design
    require("exact", design)
    model = pack(design, settings.workers)

    draws = sample(model, settings, progress)
    attrs = {"engine": "exact", "seed": settings.seed}
    return assemble(
        campaign,
        spec,
        design,
        coordinates=draws.coordinates,
        coefficients=draws.coefficients,
        attrs=attrs,
        stats=draws.stats,
    )


def state_arguments(design: Design) -> tuple[object, ...]:
    """Return what the kernel of further states takes after the others' arguments."""
    states = design.states
    walk = states.columns if states.columns.size else np.empty((len(design.dates), 0))
    return (
        TRENDS.index(states.trend),
        int(states.ar1),
        states.slope_start_sd**2,
        np.ascontiguousarray(walk),
        step_positions(design),
        design.posts.fraction,
        design.free_shares,
    )


def _cheapest_form(design: Design, n_coefficients: int) -> Form:
    """Return the form of the likelihood that takes the fewest floating-point operations."""
    if design.likelihood == "negative_binomial":
        return "count_states" if design.beyond_level else "counts"
    if design.beyond_level:
        return "states"
    n, n_posts, window = len(design.dates), len(design.posts.ids), design.window_days
    columns = 1 + design.fixed.shape[1]
    products = n * columns**2 / 2 + n_posts * window * columns + n_posts**2 / 2
    primal = products + n_coefficients**3 / 3
    rank = n_coefficients - n_posts
    dual = n**3 / 3 + n**2 * rank + n_posts * window**2
    return "dual" if dual < primal else "primal"


def _start(design: Design) -> FloatArray:
    """Return log counts smoothed over a week, where Newton's method starts."""
    counts = pd.Series(design.downloads)
    smooth = (
        counts.rolling(7, center=True, min_periods=1).mean().interpolate(limit_direction="both")
    )
    return np.log(smooth.to_numpy(dtype=np.float64) + 0.3)
