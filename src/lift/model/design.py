"""The arrays of a model: what every engine reads, made once from a campaign and a specification."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.errors import EngineError
from lift.model.baseline import Block, baseline_blocks
from lift.model.free_kernel import free_block, mean_shares
from lift.model.hyper import Hyper
from lift.model.outcome import build_outcome
from lift.model.selection import RIDGE, Selection
from lift.model.spec import ModelSpec, ResponseSpec
from lift.model.states import LOCAL_LEVEL, StateDesign, state_design, state_hypers

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SIZE_WINDOW_DAYS = 28
MAX_KERNEL_GROUPS = 4


@dataclass(frozen=True)
class PostDesign:
    """The posts of one market, in order of time.

    Attributes
    ----------
    ids : tuple of str, length J
    day : ndarray of int, shape (J,)
        Position of the day of posting in the calendar.
    fraction : ndarray, shape (J,)
        Part of that day that had passed, in [0, 1).
    kernel_group : ndarray of int, shape (J,)
    kernel_groups : tuple of str
    log_views : ndarray, shape (J,)
        Log of views over their geometric mean; 0 where views are not given.
    log_size : ndarray, shape (J,)
        Log of ``(B_ref / B_j) ** rho``; 0 for ``rho = 0``.
    groups : tuple of str, length G
        Labels of the columns of ``membership``.
    membership : ndarray, shape (J, G)
        Which overall and group means enter a post's amplitude.
    group_sd : ndarray, shape (G,)
        Prior sd of each.
    influencers : tuple of str, length I
        Those who posted more than once; empty if fewer than two did (one of them alone could not
        be told from the mean), or the specification has no influencer effect.
    influencer : ndarray of int, shape (J,)
        Position in ``influencers``, -1 for none.
    share : ndarray, shape (J,), or None
        What part of the amplitude that a post has in all markets it has in this one: 1 where it
        reaches it, NaN where what spills over is to be estimated. None where all are 1.
    """

    ids: tuple[str, ...]
    day: IntArray
    fraction: FloatArray
    kernel_group: IntArray
    kernel_groups: tuple[str, ...]
    log_views: FloatArray
    log_size: FloatArray
    groups: tuple[str, ...]
    membership: FloatArray
    group_sd: FloatArray
    influencers: tuple[str, ...]
    influencer: IntArray
    share: FloatArray | None = None


@dataclass(frozen=True)
class Design:
    """Everything numeric that a model needs of one market.

    Attributes
    ----------
    dates : DatetimeIndex, length n
    downloads : ndarray, shape (n,), downloads/day
        NaN marks a day that was not observed.
    likelihood : "lognormal", "negative_binomial" or "normal"
        Normal is the linear scale: Gaussian noise on the downloads themselves.
    outcome, center, poisson_variance
        As in :class:`lift.model.outcome.Outcome`.
    blocks : tuple of Block
        Baseline components.
    posts : PostDesign
    hypers : tuple of Hyper, length d
    mix : ndarray, shape (d, d)
        Correlates the coordinates of the kernel groups, see :func:`lift.model.hyper.natural`.
    window_days : int
    level_start_sd : float
    displacement_lags : tuple of int
        The lags after which and until which displaced downloads are missing.
    states : StateDesign
        What moves in time beside the level.
    kernel : str
        Family of the posts' response, as in ``ResponseSpec.kernel``.
    free_shares : ndarray, shape (free_days,)
        Mean share of the response on each day since a post; empty unless the kernel is free.
    unit : float
        Downloads/day that 1 stands for on the linear scale; 1 on the log scale.
    noise : "normal" or "student_t"
    level_shifts : bool
        Steps of the level have Student t tails.
    heavy_tails : bool
        Posts' own deviations have Student t tails.
    selection : Selection
        How control coefficients are shrunk or selected.
    typical_amplitude : float or None
        What log-normal amplitudes are multiples of (log-lift-days); None where they are normal.
    saturation : str
        Curve of what posts add together, as ``ResponseSpec.saturation``.
    shared : tuple of str
        Settings that only a joint fit of several markets does.
    """

    dates: pd.DatetimeIndex
    downloads: FloatArray
    likelihood: str
    outcome: FloatArray
    center: float
    poisson_variance: FloatArray
    blocks: tuple[Block, ...]
    posts: PostDesign
    hypers: tuple[Hyper, ...]
    mix: FloatArray
    window_days: int
    level_start_sd: float
    displacement_lags: tuple[int, int]
    states: StateDesign = LOCAL_LEVEL
    kernel: str = "weibull"
    free_shares: FloatArray = field(default_factory=lambda: np.empty(0))
    unit: float = 1.0
    noise: str = "normal"
    level_shifts: bool = False
    heavy_tails: bool = False
    selection: Selection = RIDGE
    typical_amplitude: float | None = None
    saturation: str = "none"
    shared: tuple[str, ...] = ()

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Days that were observed, shape (n,)."""
        return np.isfinite(self.downloads)

    @property
    def fixed(self) -> FloatArray:
        """Columns of all baseline components, shape (n, p)."""
        parts = [block.columns for block in self.blocks]
        return np.column_stack(parts) if parts else np.empty((len(self.dates), 0))

    @property
    def fixed_sd(self) -> FloatArray:
        """Prior sd of their coefficients, shape (p,); NaN for a control."""
        parts = [block.prior_sd for block in self.blocks]
        return np.concatenate(parts) if parts else np.empty(0)

    @property
    def linear(self) -> bool:
        """Whether effects add to downloads, rather than multiply them."""
        return self.likelihood == "normal"

    @property
    def beyond_level(self) -> str:
        """Settings that need the filter of many states; empty where the level is alone."""
        free = ['kernel = "free"'] if len(self.free_shares) else []
        return ", ".join([*self.states.described(), *free])

    def position(self, name: str) -> int:
        """Return the position of a hyperparameter (the first, if indexed), -1 if absent."""
        names = [hyper.name for hyper in self.hypers]
        return names.index(name) if name in names else -1


def build_design(campaign: Campaign, spec: ModelSpec, posts: PostDesign | None = None) -> Design:
    """Return the arrays of a model.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec
    posts : PostDesign, optional
        Takes the place of the campaign's own: some of the posts of several markets, grouped
        together.

    Returns
    -------
    Design

    Raises
    ------
    EngineError
        If the campaign has several markets, or a lognormal likelihood is asked for while some
        day has no download, or a control whose coefficient walks is not there.
    """
    if len(campaign.markets) > 1:
        raise EngineError(
            f"a model is fitted to one market, found {len(campaign.markets)} "
            f"({', '.join(campaign.markets)}); choose one with campaign.market(name) or --market"
        )
    downloads = campaign.downloads["downloads"].to_numpy(dtype=np.float64)
    outcome = build_outcome(downloads, spec)
    blocks = tuple(baseline_blocks(campaign, spec.baseline, log_scale=spec.scale == "log"))
    posts = build_posts(campaign, spec.response, downloads) if posts is None else posts
    states = state_design(spec.baseline, blocks)
    free_shares = np.empty(0)
    if posts.ids and spec.response.kernel == "free":
        free_shares = mean_shares(spec.response)
        gain = np.exp(posts.log_size)
        blocks += (free_block(len(downloads), posts.day, posts.fraction, gain, free_shares),)
    hypers, mix = _hypers(spec, posts, states, blocks)
    return Design(
        dates=campaign.dates,
        downloads=downloads,
        likelihood=outcome.likelihood,
        outcome=outcome.values,
        center=outcome.center,
        poisson_variance=outcome.poisson_variance,
        blocks=blocks,
        posts=posts,
        hypers=hypers,
        mix=mix,
        window_days=spec.response.window_days,
        level_start_sd=spec.baseline.level_start_sd,
        displacement_lags=(spec.response.displacement_after, spec.response.displacement_until),
        states=states,
        kernel=spec.response.kernel,
        free_shares=free_shares,
        unit=outcome.unit,
        noise=spec.baseline.noise,
        level_shifts=spec.baseline.level_shifts,
        heavy_tails=spec.response.heavy_tails,
        selection=Selection(
            spec.baseline.control_prior, spec.baseline.controls_expected, spec.baseline.slab_sd
        ),
        typical_amplitude=spec.response.typical_amplitude if spec.response.positive_only else None,
        saturation=spec.response.saturation,
        shared=() if spec.markets is None else spec.markets.described(),
    )


def build_posts(campaign: Campaign, spec: ResponseSpec, downloads: FloatArray) -> PostDesign:
    """Return the arrays of the posts of a campaign.

    Parameters
    ----------
    campaign : Campaign
    spec : ResponseSpec
    downloads : ndarray, shape (n,), downloads/day
        Of one market: what the size of the app is measured by.

    Returns
    -------
    PostDesign
    """
    posts = campaign.posts
    local = posts["posted_at"].dt.tz_localize(None)
    midnight = local.dt.normalize()
    day = (midnight - campaign.dates[0]).dt.days.to_numpy(dtype=np.int64)
    fraction = ((local - midnight) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    kernel_group, kernel_groups = _kernel_groups(posts, spec)
    views = posts["views"].to_numpy(dtype=np.float64)
    log_views = np.log(views)
    given = np.isfinite(log_views)
    use_views = spec.views and len(np.unique(views[given])) > 1
    log_views = np.where(given, log_views - log_views[given].mean(), 0.0) if use_views else 0 * day
    groups, membership, group_sd = _groups(posts, spec)
    influencers, influencer = _influencers(posts, spec)
    return PostDesign(
        ids=tuple(posts["post_id"]),
        day=day,
        fraction=fraction,
        kernel_group=kernel_group,
        kernel_groups=kernel_groups,
        log_views=np.asarray(log_views, dtype=np.float64),
        log_size=_log_size(downloads, day, spec.size_exponent),
        groups=groups,
        membership=membership,
        group_sd=group_sd,
        influencers=influencers,
        influencer=influencer,
    )


def _kernel_groups(posts: pd.DataFrame, spec: ResponseSpec) -> tuple[IntArray, tuple[str, ...]]:
    if spec.kernel_by == "none":
        return np.zeros(len(posts), dtype=np.int64), ("all",)
    levels = posts[spec.kernel_by].fillna("not given")
    common = (
        levels.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    )
    if len(common) > MAX_KERNEL_GROUPS:
        kept = common.index[: MAX_KERNEL_GROUPS - 1]
        levels = levels.where(levels.isin(kept), "other")
    names = tuple(sorted(set(levels)))
    return np.array([names.index(level) for level in levels], dtype=np.int64), names


def _groups(
    posts: pd.DataFrame, spec: ResponseSpec
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    labels, columns, sds = ["all"], [np.ones(len(posts))], [spec.mean_sd]
    for attribute in spec.group_by:
        values = [None if pd.isna(value) else str(value) for value in posts[attribute]]
        levels = sorted({value for value in values if value is not None})
        if len(levels) < 2:
            continue
        for level in levels:
            labels.append(f"{attribute}={level}")
            columns.append(np.array([float(value == level) for value in values]))
            sds.append(spec.group_sd)
    return tuple(labels), np.column_stack(columns), np.array(sds)


def _influencers(posts: pd.DataFrame, spec: ResponseSpec) -> tuple[tuple[str, ...], IntArray]:
    counts = posts["influencer"].value_counts()
    names = tuple(sorted(counts.index[counts > 1])) if spec.influencer else ()
    if len(names) < 2:
        names = ()
    where = {name: i for i, name in enumerate(names)}
    index = [where.get(name, -1) for name in posts["influencer"]]
    return names, np.array(index, dtype=np.int64)


def _log_size(downloads: FloatArray, day: IntArray, exponent: float) -> FloatArray:
    if exponent == 0.0:
        return np.zeros(len(day))
    seen = [downloads[:d][np.isfinite(downloads[:d])][-SIZE_WINDOW_DAYS:] for d in day]
    sizes = np.array([np.log(np.maximum(days, 0.5)).mean() for days in seen])
    return exponent * (sizes.mean() - sizes)


def _hypers(
    spec: ModelSpec, posts: PostDesign, states: StateDesign, blocks: tuple[Block, ...]
) -> tuple[tuple[Hyper, ...], FloatArray]:
    response, baseline = spec.response, spec.baseline
    hypers = [
        Hyper("noise_sd", "exponential", baseline.noise_rate),
        Hyper("level_sd", "exponential", baseline.level_rate),
    ]
    ridge = baseline.control_prior == "ridge"
    if ridge and any(block.name == "control" for block in blocks):
        hypers.append(Hyper("control_sd", "exponential", baseline.control_rate))
    n_groups = 0
    if posts.ids:
        n_groups = len(posts.kernel_groups)
        hypers.append(Hyper("amplitude_sd", "exponential", response.post_rate))
        if posts.influencers:
            hypers.append(Hyper("influencer_sd", "exponential", response.influencer_rate))
        if posts.log_views.any():
            hypers.append(
                Hyper("views_elasticity", "normal", response.views_mean, response.views_sd)
            )
        share_sd = np.sqrt(response.share_sd**2 + (n_groups > 1) * response.share_group_sd**2)
        hypers += [Hyper("first_day", "normal", response.share_mean, float(share_sd))] * n_groups
        if response.kernel != "geometric":
            hypers.append(Hyper("log_shape", "normal", response.shape_mean, response.shape_sd))
        if response.displacement:
            hypers.append(Hyper("displacement", "beta", response.displacement_shape))
        if response.saturation != "none":
            mean, sd = response.saturation_mean, response.saturation_sd
            hypers.append(Hyper("log_limit", "normal", mean, sd))
        if response.kernel == "free":
            hypers.append(Hyper("free_sd", "exponential", response.free_rate))
    hypers += state_hypers(baseline, states)
    if baseline.noise == "student_t":
        shape, rate = baseline.noise_df_shape, baseline.noise_df_rate
        hypers.append(Hyper("noise_df", "degrees", shape, rate))
    mix = np.eye(len(hypers))
    if n_groups > 1:
        common = response.share_sd**2 / (response.share_sd**2 + response.share_group_sd**2)
        start = [hyper.name for hyper in hypers].index("first_day")
        block = slice(start, start + n_groups)
        mix[block, block] = np.linalg.cholesky(
            np.full((n_groups, n_groups), common) + (1 - common) * np.eye(n_groups)
        )
    return tuple(hypers), mix
