"""The part of a specification that says what downloads there would have been without posts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lift.data.closed import Closed

# Priors within these ranges can be computed with; they reach far beyond what can be meant.
PriorSd = Annotated[float, Field(ge=1e-9, le=100.0)]
"""Of a coefficient or state: 100 log units are a factor of 1e43."""
PriorRate = Annotated[float, Field(ge=0.01, le=1e9)]
"""Of an exponential prior on an sd, whose mean is the inverse."""
PriorShape = Annotated[float, Field(ge=0.01, le=1e4)]
"""Of a beta or gamma prior."""

MAX_EVOLVING_CONTROLS = 3


class SeasonSpec(Closed):
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
    sd: PriorSd = 0.3

    @model_validator(mode="after")
    def _waves_can_be_seen(self) -> Self:
        if self.period_days < 2 * self.pairs:
            raise ValueError(
                f"period_days must be at least twice pairs, found {self.period_days:g} and "
                f"{self.pairs}"
            )
        return self


class BaselineSpec(Closed):
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
        stationary with sd ``noise_sd``, beside the Poisson part of the variance; counts are Poisson
        about a mean that has this noise, and not overdispersed beside it.
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
        with a daily sd of its own, ``control_step_sd``. Only with ``control_prior = "ridge"``:
        another prior would speak of the first day's coefficient alone, and a control could be out
        of the model by its ``inclusion`` and walk.
    control_step_rate : float
        Rate of the exponential priors on ``control_step_sd``, per standard deviation of the
        control (1/log unit).
    noise_df_shape, noise_df_rate : float
        Prior ``noise_df - 2 ~ Gamma(shape, rate)`` (Juarez & Steel 2010,
        doi:10.1198/jbes.2009.07145).
    control_prior : "ridge", "horseshoe" or "spike_slab"
        ``"ridge"``: ``beta_k ~ N(0, control_sd^2)`` with one sd for all.
        ``"horseshoe"``: ``beta_k ~ N(0, c^2 t_k^2 / (c^2 + t_k^2))``, ``t_k = control_tau l_k``,
        ``l_k ~ C+(0, 1)``, ``control_tau ~ C+(0, p0 / (p - p0) noise_sd / sqrt(n))`` and
        ``c^2 ~ InvGamma(2, 2 slab_sd^2)`` (Piironen & Vehtari 2017, doi:10.1214/17-EJS1337SI).
        ``"spike_slab"``: ``beta_k`` is zero but with probability ``p0 / p``, and then
        ``N(0, c_k^2)`` with ``c_k^2 ~ InvGamma(2, 2 slab_sd^2)``, a Student t with 4 degrees of
        freedom; draws of who is in are ``inclusion``. For more than about 20 controls.
    controls_expected : float
        ``p0``: how many controls are expected to matter; half of all at most is taken.
    slab_sd : float
        Scale of the Student t of controls that matter (log units per sd of a control).
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
    noise_rate: PriorRate = 6.0
    level_rate: PriorRate = 60.0
    level_start_sd: PriorSd = 5.0
    week_sd: PriorSd = 0.3
    year_sd: PriorSd = 0.3
    holiday_sd: PriorSd = 0.3
    control_rate: PriorRate = 6.0
    trend: Literal["none", "damped", "linear"] = "none"
    slope_rate: PriorRate = 3000.0
    slope_phi_shapes: tuple[PriorShape, PriorShape] = (18.0, 2.0)
    slope_start_sd: PriorSd = 0.01
    week_evolves: bool = False
    week_step_rate: PriorRate = 300.0
    noise: Literal["normal", "student_t", "ar1"] = "normal"
    noise_df_shape: PriorShape = 2.0
    noise_df_rate: PriorShape = 0.1
    level_shifts: bool = False
    control_prior: Literal["ridge", "horseshoe", "spike_slab"] = "ridge"
    controls_expected: Annotated[float, Field(ge=0.01, le=1e6)] = 3.0
    slab_sd: PriorSd = 0.5
    noise_phi_shapes: tuple[PriorShape, PriorShape] = (2.0, 4.0)
    evolving_controls: tuple[str, ...] = ()
    control_step_rate: PriorRate = 150.0

    @model_validator(mode="after")
    def _what_evolves_is_there(self) -> Self:
        if self.week_evolves and not self.week:
            raise ValueError("week_evolves needs week = true")
        names = self.evolving_controls
        if names and not self.controls:
            raise ValueError("evolving_controls needs controls = true")
        if names and self.control_prior != "ridge":
            raise ValueError(
                f'control_prior = "{self.control_prior}" does not go with evolving_controls: it '
                "would shrink or select a walking coefficient by its value on the first day alone; "
                'set control_prior = "ridge", or leave evolving_controls out'
            )
        if len(names) > MAX_EVOLVING_CONTROLS or len(set(names)) < len(names):
            raise ValueError(
                f"evolving_controls must be at most {MAX_EVOLVING_CONTROLS} different names; "
                f"found {', '.join(names)}"
            )
        return self
