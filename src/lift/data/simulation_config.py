"""What a simulated campaign is like: size, baseline, posts and their response."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lift.data.closed import Closed

NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
InnerShare = Annotated[float, Field(gt=0.0, lt=1.0)]
Names = tuple[str, ...]

MIN_FIRST_POST_DAY = 14


class SimulationConfig(Closed):
    """What a simulated campaign is like; immutable, closed to unknown keys.

    Attributes
    ----------
    name : str
    start : date
        First day of the data.
    n_days : int
    timezone : str
        IANA zone of the days and of the posts.
    country : str or None
        ISO code of the country whose holidays move downloads.
    daily_downloads : float
        Median downloads on the first day.
    growth : float
        Drift of the level (log units per year).
    level_sd : float
        Daily sd of the random walk of the level (log units).
    week_sd, year_sd, holiday_sd : float
        Sd of a weekday's factor, of the first pair of yearly waves (the second has half of it)
        and of a holiday's factor (log units).
    controls : tuple of str
        Series that move with downloads for reasons other than the posts.
    idle_controls : tuple of str
        Series that have nothing to do with downloads.
    control_sd : float
        Sd of the coefficient of a control, per standard deviation of its log.
    outcome : "lognormal", "poisson_lognormal" or "negative_binomial"
        Rounded log-normal downloads; Poisson counts with a log-normal mean; Poisson counts with a
        gamma mean.
    noise_sd : float
        Sd of the daily noise (log units); for a gamma mean its coefficient of variation.
    missing_share : float
        Share of days that are not observed, at random.
    n_posts : int
    first_post_day, last_post_day : int
        First and last day on which a post can go out, counted from 0. The last is 29 days before
        the end where it is None, or the first if that is later.
    overlap : float
        Share of the posts that go out in bursts, in [0, 1]; the others are spread evenly.
    posts_per_burst : float
        Mean number of posts in a burst.
    burst_days : float
        Sd of the times of a burst's posts about its middle.
    n_influencers : int
    virtual_share : float
        Share of the influencers that are virtual; one at least if above 0 and two influencers.
    platforms, contents : tuple of str
    sponsored_share : float
        Share of the posts that are paid for.
    views_median, views_sd : float
        Median views of a post and their log sd, half of whose variance is the influencer's.
    views_given : bool
        Whether views are known; without them the response does not depend on them.
    amplitude_mean : float
        Mean response to a post with the geometric mean of views (log-lift-days: 1 is one baseline
        day of downloads).
    group_sd, influencer_sd, post_sd : float
        Sd over platforms, contents and creator types, over influencers, and over posts.
    amplitude_family : "normal", "student_t" or "skewed"
        Law of a post's own deviation: normal, t with 4 degrees of freedom, or exponential less its
        mean, all with sd ``post_sd``.
    views_elasticity : float
    first_day_share : tuple of float
        Share of the response within 24 hours, one per platform; one alone is for all.
    kernel_shape : tuple of float
        Weibull shape of the response in time, likewise.
    response_days : int
        Days after which the response has ended.
    """

    name: Annotated[str, Field(min_length=1)] = "simulated"
    start: date = date(2025, 1, 1)
    n_days: Annotated[int, Field(ge=30, le=20_000)] = 365
    timezone: str = "UTC"
    country: str | None = None
    daily_downloads: Positive = 2_000.0
    growth: Finite = 0.0
    level_sd: NonNegative = 0.01
    week_sd: NonNegative = 0.1
    year_sd: NonNegative = 0.0
    holiday_sd: NonNegative = 0.1
    controls: Names = ("rival_a", "rival_b")
    idle_controls: Names = ("weather",)
    control_sd: NonNegative = 0.1
    outcome: Literal["lognormal", "poisson_lognormal", "negative_binomial"] = "lognormal"
    noise_sd: NonNegative = 0.08
    missing_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    n_posts: Annotated[int, Field(ge=1, le=20_000)] = 12
    first_post_day: Annotated[int, Field(ge=MIN_FIRST_POST_DAY)] = 150
    last_post_day: int | None = None
    overlap: Share = 0.7
    posts_per_burst: Annotated[float, Field(ge=1.0)] = 4.0
    burst_days: NonNegative = 3.0
    n_influencers: Annotated[int, Field(ge=1)] = 6
    virtual_share: Share = 0.2
    platforms: Annotated[Names, Field(min_length=1)] = ("instagram", "tiktok")
    contents: Annotated[Names, Field(min_length=1)] = ("beauty", "fashion", "travel")
    sponsored_share: Share = 0.9
    views_median: Positive = 300_000.0
    views_sd: NonNegative = 1.0
    views_given: bool = True
    amplitude_mean: Finite = 0.3
    group_sd: NonNegative = 0.05
    influencer_sd: NonNegative = 0.1
    post_sd: NonNegative = 0.2
    amplitude_family: Literal["normal", "student_t", "skewed"] = "normal"
    views_elasticity: Finite = 0.6
    first_day_share: Annotated[tuple[InnerShare, ...], Field(min_length=1)] = (0.35,)
    kernel_shape: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.9,)
    response_days: Annotated[int, Field(ge=1, le=365)] = 60

    @property
    def post_days(self) -> tuple[int, int]:
        """First and last day on which a post can go out."""
        if self.last_post_day is not None:
            return self.first_post_day, self.last_post_day
        return self.first_post_day, max(self.first_post_day, self.n_days - 29)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first, last = self.post_days
        problems = []
        if not first <= last < self.n_days:
            problems.append(
                f"posts must lie within the data, found days {first} to {last} of {self.n_days}"
            )
        for field in ("first_day_share", "kernel_shape"):
            n = len(getattr(self, field))
            if n not in (1, len(self.platforms)):
                problems.append(
                    f"{field} must have 1 value or {len(self.platforms)}, one per platform, found "
                    f"{n}"
                )
        names = (*self.controls, *self.idle_controls)
        if len(set(names)) < len(names):
            problems.append("every control must have its own name, found one twice")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def on_platform(self, platform: str, values: tuple[float, ...]) -> float:
        """Return the value that holds on a platform, of ``first_day_share`` or ``kernel_shape``."""
        return values[0] if len(values) == 1 else values[self.platforms.index(platform)]
