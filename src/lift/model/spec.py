"""The model specification: what is believed, apart from the data and from the computation."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lift.errors import InputError, Problem
from lift.model.assumption import UsersSpec

PositiveFloat = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]

MAX_EVOLVING_CONTROLS = 3


class _Part(BaseModel):
    """A part of a specification: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SeasonSpec(_Part):
    """A season beside week and year: harmonics of one period.

    Attributes
    ----------
    period_days : float
        Such as 30.4375 for the month.
    pairs : int
        Number of Fourier pairs; the shortest wave, ``period_days / pairs``, has two days or more.
    sd : float
        Prior sd of the first pair's coefficients; pair k has ``sd / k`` (log units).
    """

    period_days: Annotated[float, Field(ge=2.0, le=3660.0)]
    pairs: Annotated[int, Field(ge=1, le=26)] = 2
    sd: PositiveFloat = 0.3

    @model_validator(mode="after")
    def _waves_can_be_seen(self) -> Self:
        if self.period_days < 2 * self.pairs:
            raise ValueError(
                f"period_days must be at least twice pairs, found {self.period_days:g} and "
                f"{self.pairs}"
            )
        return self


class BaselineSpec(_Part):
    """The downloads there would have been without any post.

    ``y_t = mu_t + week_t + year_t + holiday_t + x_t' beta + posts + noise`` with the local level
    ``mu_{t+1} = mu_t + N(0, level_sd^2)`` (Durbin & Koopman 2012, ch. 2-3).

    Attributes
    ----------
    week : bool
        Fixed weekly season: six orthonormal contrasts of the weekday.
    year_harmonics : int or "auto"
        Number of Fourier pairs of the 365.25-day year; ``"auto"`` takes 2 from 540 days on, else 0.
    seasons : tuple of SeasonSpec
        Further seasons.
    holidays : bool
        Pooled effects of the days before, the day of and the days after a public holiday, and a
        deviation for each named holiday; needs the campaign's ``country``.
    holiday_lead, holiday_lag : int
        How many days before and after a holiday have an effect of their own.
    controls : bool
        Use the control series.
    control_transform : "auto", "log" or "none"
        Scale on which control series enter; ``"auto"`` takes the log of every series that is
        positive throughout when the outcome is on the log scale. All are then standardised.
    noise_rate : float
        Rate of the exponential prior on the sd of the daily noise (1/log unit).
    level_rate : float
        Rate of the exponential prior on the daily sd of the level (1/log unit).
    level_start_sd : float
        Prior sd of the first level about the median of the outcome (log units).
    week_sd, year_sd, holiday_sd : float
        Prior sd of a weekday contrast, of the first Fourier pair (pair k has ``year_sd / k``) and
        of a holiday coefficient (log units).
    control_rate : float
        Rate of the exponential prior on the common sd of the control coefficients, per standard
        deviation of a control (1/log unit).
    trend : "none", "damped" or "linear"
        Slope of the level: ``mu_{t+1} = mu_t + d_t + N(0, level_sd^2)`` and
        ``d_{t+1} = phi d_t + N(0, slope_sd^2)``. ``"damped"``: the slope dies out and starts from
        its stationary distribution; ``"linear"``: ``phi = 1`` (Harvey 1989, section 4.1).
    slope_rate : float
        Rate of the exponential prior on ``slope_sd`` (days/log unit): the default says that the
        slope changes by more than 0.1 % a day with 5 % probability.
    slope_phi_shapes : tuple of float
        Shapes of the beta prior of the damping ``phi``: the default halves a slope in 1 to 3 weeks.
    slope_start_sd : float
        Prior sd of the first slope of a linear trend (log units/day).
    week_evolves : bool
        Let the weekday contrasts walk: each is a random walk with daily sd ``week_step_sd`` from
        its value on the first day. The trigonometric season of 7 days with one variance (Harvey
        1989, section 2.3.4) is the same process (Proietti 2000, International Journal of
        Forecasting 16:247).
    week_step_rate : float
        Rate of the exponential prior on ``week_step_sd`` (1/log unit).
    noise : "normal", "student_t" or "ar1"
        ``"ar1"``: the noise of a day is ``e_t = phi e_{t-1} + N(0, (1 - phi^2) noise_sd^2)``,
        stationary with sd ``noise_sd``, beside the Poisson part of the variance.
        ``"student_t"``: the noise of a day is ``s_t`` times a Student t with ``noise_df`` degrees
        of freedom, scaled to variance one, so that ``noise_sd`` stays its sd and single odd days
        weigh less: ``eps_t ~ N(0, lambda_t s_t^2)`` with
        ``lambda_t ~ InvGamma(noise_df / 2, (noise_df - 2) / 2)`` and
        ``s_t^2 = noise_sd^2 +`` the Poisson part.
    noise_phi_shapes : tuple of float
        Shapes of the beta prior of ``noise_phi``: the default has mean 1/3 and is above 0.66 with
        5 % probability, since what lasts for weeks is the level's.
    evolving_controls : tuple of str
        Controls, three at most, whose coefficients walk from their value on the first day, each
        with a daily sd of its own, ``control_step_sd``.
    control_step_rate : float
        Rate of the exponential priors on ``control_step_sd``, per standard deviation of the
        control (1/log unit).
    noise_df_shape, noise_df_rate : float
        Prior ``noise_df - 2 ~ Gamma(shape, rate)`` (Juarez & Steel 2010,
        doi:10.1198/jbes.2009.07145).
    level_shifts : bool
        Let the level jump: ``mu_{t+1} - mu_t ~ N(0, omega_t level_sd^2)`` with
        ``omega_t ~ InvGamma(3/2, 1/2)``, a Student t with 3 degrees of freedom whose sd is
        ``level_sd``. A level that jumps easily can take up a post's effect: show both fits.
    """

    week: bool = True
    year_harmonics: Annotated[int, Field(ge=0, le=26)] | Literal["auto"] = "auto"
    seasons: tuple[SeasonSpec, ...] = ()
    holidays: bool = True
    holiday_lead: Annotated[int, Field(ge=0, le=7)] = 1
    holiday_lag: Annotated[int, Field(ge=0, le=7)] = 1
    controls: bool = True
    control_transform: Literal["auto", "log", "none"] = "auto"
    noise_rate: PositiveFloat = 6.0
    level_rate: PositiveFloat = 60.0
    level_start_sd: PositiveFloat = 5.0
    week_sd: PositiveFloat = 0.3
    year_sd: PositiveFloat = 0.3
    holiday_sd: PositiveFloat = 0.3
    control_rate: PositiveFloat = 6.0
    trend: Literal["none", "damped", "linear"] = "none"
    slope_rate: PositiveFloat = 3000.0
    slope_phi_shapes: tuple[PositiveFloat, PositiveFloat] = (18.0, 2.0)
    slope_start_sd: PositiveFloat = 0.01
    week_evolves: bool = False
    week_step_rate: PositiveFloat = 300.0
    noise: Literal["normal", "student_t", "ar1"] = "normal"
    noise_df_shape: PositiveFloat = 2.0
    noise_df_rate: PositiveFloat = 0.1
    level_shifts: bool = False
    noise_phi_shapes: tuple[PositiveFloat, PositiveFloat] = (2.0, 4.0)
    evolving_controls: tuple[str, ...] = ()
    control_step_rate: PositiveFloat = 150.0

    @model_validator(mode="after")
    def _what_evolves_is_there(self) -> Self:
        if self.week_evolves and not self.week:
            raise ValueError("week_evolves needs week = true")
        names = self.evolving_controls
        if names and not self.controls:
            raise ValueError("evolving_controls needs controls = true")
        if len(names) > MAX_EVOLVING_CONTROLS or len(set(names)) < len(names):
            raise ValueError(
                f"evolving_controls must be at most {MAX_EVOLVING_CONTROLS} different names; "
                f"found {', '.join(names)}"
            )
        return self


class ResponseSpec(_Part):
    """What a post adds to log downloads.

    ``f_j(t) = b_j (V_j / V_ref)^eta (B_ref / B_j)^rho K(t; tau_j)`` with the day-binned kernel
    ``K`` that sums to one over ``window_days`` and ``b_j = w_j' alpha + u_influencer(j) + xi_j``.

    Attributes
    ----------
    window_days : int
        Days after which a post's response has ended.
    kernel : "weibull", "gamma", "geometric" or "free"
        Family of ``K``; gamma has the same two parameters, geometric is the Weibull of shape 1 (one
        share per day of what is left: the adstock of media mix models). ``"free"`` adds to the
        Weibull response what the mean response of all posts deviates from it, day by day since the
        post: see :mod:`lift.model.free_kernel`.
    free_days : int
        Days since the post on which the mean response is free (``kernel = "free"``).
    free_rate : float
        Rate of the exponential prior on ``free_sd``, the relative size of those deviations for a
        response of one baseline day: the default says above 1 with 5 % probability.
    kernel_by : "platform", "content" or "none"
        Attribute whose levels (4 at most) have their own share of the response in the first 24 h.
    group_by : tuple of str
        Attributes with a deviation of the mean amplitude for each of their levels.
    influencer : bool
        An influencer's own deviation, where somebody posted more than once.
    views : bool
        Scale a post's response by a power of its views, where views are given.
    mean_sd : float
        Prior sd of the overall mean amplitude (log-lift-days: 1 is one baseline day of downloads).
    group_sd : float
        Prior sd of the deviation of a group's mean amplitude (log-lift-days).
    influencer_rate, post_rate : float
        Rates of the exponential priors on the sd over influencers and over posts.
    heavy_tails : bool
        A post's own deviation is ``xi_j ~ N(0, kappa_j amplitude_sd^2)`` with
        ``kappa_j ~ InvGamma(2, 1)``: a Student t with 4 degrees of freedom whose sd is
        ``amplitude_sd``, so that a post that went viral is pulled less towards the others.
    market_rate : float
        Rate of the exponential prior on ``market_sd``, by how much a post's amplitude in one market
        differs from what it has in common (joint model of several markets).
    views_mean, views_sd : float
        Normal prior of the elasticity of the response in views.
    size_exponent : float
        ``rho``: 0 is the same percentage lift whatever the app's size, 1 the same downloads.
    share_mean, share_sd : float
        Normal prior of the complementary log-log of the share of the response within 24 hours
        (the defaults: median 35 %, 95 % between 12 % and 75 %).
    share_group_sd : float
        Prior sd of a kernel group's complementary log-log share about the common one.
    shape_mean, shape_sd : float
        Normal prior of the log of the kernel's shape (1 is exponential, below 1 a longer tail).
    displacement : bool
        Let a post pull forward downloads that would have come later: a share ``psi`` of the
        response is taken back evenly over the days after ``displacement_after`` and up to
        ``displacement_until``. Weakly identified where the level drifts.
    displacement_after, displacement_until : int
        Lags in days.
    displacement_shape : float
        Prior ``psi ~ Beta(1, displacement_shape)``: the default has mean 0.2.
    """

    window_days: Annotated[int, Field(ge=1, le=365)] = 60
    kernel: Literal["weibull", "gamma", "geometric", "free"] = "weibull"
    free_days: Annotated[int, Field(ge=2, le=60)] = 21
    free_rate: PositiveFloat = 3.0
    kernel_by: Literal["platform", "content", "none"] = "platform"
    group_by: tuple[Literal["platform", "content", "creator_type", "sponsored"], ...] = (
        "platform",
        "content",
        "creator_type",
        "sponsored",
    )
    influencer: bool = True
    views: bool = True
    mean_sd: PositiveFloat = 1.0
    group_sd: PositiveFloat = 0.5
    influencer_rate: PositiveFloat = 3.0
    post_rate: PositiveFloat = 1.5
    heavy_tails: bool = False
    market_rate: PositiveFloat = 3.0
    views_mean: FiniteFloat = 0.6
    views_sd: PositiveFloat = 0.3
    size_exponent: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    share_mean: FiniteFloat = -0.84
    share_sd: PositiveFloat = 0.6
    share_group_sd: PositiveFloat = 0.4
    shape_mean: FiniteFloat = -0.1
    shape_sd: PositiveFloat = 0.3
    displacement: bool = False
    displacement_after: Annotated[int, Field(ge=0, le=364)] = 14
    displacement_until: Annotated[int, Field(ge=1, le=365)] = 42
    displacement_shape: PositiveFloat = 4.0

    @model_validator(mode="after")
    def _free_days_are_within_the_window(self) -> Self:
        if self.kernel == "free" and self.free_days >= self.window_days:
            raise ValueError(
                f"free_days must be less than window_days, found {self.free_days} and "
                f"{self.window_days}"
            )
        return self

    @model_validator(mode="after")
    def _lags_are_ordered(self) -> Self:
        if self.displacement and not (
            self.displacement_after < self.displacement_until < self.window_days
        ):
            raise ValueError(
                "displacement_after must be less than displacement_until, and that less than "
                f"window_days; found {self.displacement_after}, {self.displacement_until} and "
                f"{self.window_days}"
            )
        return self


class ModelSpec(_Part):
    """A whole model: likelihood, baseline, response and the horizon of the estimands.

    Attributes
    ----------
    horizon_days : int
        Effects are cumulated from the day of a post to this many days after it, both included.
    scale : "log" or "linear"
        ``"log"``: posts multiply downloads. ``"linear"``: they add to them, with Gaussian noise on
        the downloads themselves plus the Poisson part of its variance; effects of posts then add
        up (leave-one-out, add-one-in and Shapley agree). All priors that are in log units, where 1
        is the size of the baseline, are then in units of the larger of mean and standard deviation
        of the observed downloads, and controls enter without their log.
    likelihood : "auto", "lognormal" or "negative_binomial"
        ``"lognormal"``: Gaussian noise on log downloads plus the Poisson part of their variance.
        ``"negative_binomial"``: counts, zeros included. ``"auto"`` takes the lognormal where no
        day is zero and the median is at least 10 downloads a day. Not used on the linear scale.
    baseline : BaselineSpec
    response : ResponseSpec
    users : UsersSpec, optional
        How users are found, beside downloads; a campaign's cohorts need none.
    """

    horizon_days: Annotated[int, Field(ge=0, le=365)] = 28
    scale: Literal["log", "linear"] = "log"
    likelihood: Literal["auto", "lognormal", "negative_binomial"] = "auto"
    baseline: BaselineSpec = BaselineSpec()
    response: ResponseSpec = ResponseSpec()
    users: UsersSpec | None = None

    @model_validator(mode="after")
    def _the_linear_scale_is_normal(self) -> Self:
        if self.scale == "linear" and self.likelihood != "auto":
            raise ValueError(
                f'scale = "linear" needs likelihood = "auto", found "{self.likelihood}"'
            )
        return self

    def to_toml(self) -> str:
        """Return the specification as TOML text; :meth:`from_toml` reads it back unchanged."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_text(cls, text: str, where: str = "model.toml") -> Self:
        """Return the specification written in TOML text.

        Parameters
        ----------
        text : str
            TOML; keys that are left out keep their defaults.
        where : str
            The name that an error gives to the text.

        Returns
        -------
        ModelSpec

        Raises
        ------
        InputError
            If the text is not TOML, or a key is unknown or has a value that cannot be; every
            such key is named.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            problem = Problem(where, f"must be TOML; {error}; mend that line")
            raise InputError([problem]) from None
        except ValidationError as error:
            raise InputError(
                [
                    Problem(
                        where,
                        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}, "
                        f"found {item['input']!r}",
                    )
                    for item in error.errors()
                ]
            ) from None

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Return the specification in a TOML file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        ModelSpec

        Raises
        ------
        InputError
            If the file cannot be read, or as in :meth:`from_text`.
        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = Problem(file.name, f"must be a readable UTF-8 file; {error}; check the path")
            raise InputError([problem]) from None
        return cls.from_text(text, file.name)
