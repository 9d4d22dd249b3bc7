"""The check that a campaign and a specification go together, before anything is fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lift.data.arguments import check_kinds
from lift.data.campaign import Campaign
from lift.data.cohorts import users_campaign
from lift.data.copies import copies
from lift.data.tables import counted, some
from lift.errors import InputError, Problem
from lift.model.baseline import control_block
from lift.model.design import build_design
from lift.model.spec import ModelSpec


def check(campaign: Campaign, spec: ModelSpec) -> None:
    """Check that a campaign and a specification go together; nothing is fitted.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec

    Raises
    ------
    InputError
        If one of them is of another kind, no post reaches the market, no day of a post's horizon
        was observed, the horizon goes beyond the window of the response, a control has no log where
        it is asked for, two are one on the scale on which they enter, or the users of a day that
        the specification names cannot be fitted.
    EngineError
        If the model cannot be built on these data.
    """
    check_arguments(campaign, spec)
    problems = []
    if not len(campaign.posts):
        what = f"at least one post must reach the market {campaign.markets[0]!r}, found none"
        problems.append(what)
    for post in campaign.unobserved_posts(spec.horizon_days):
        problems.append(
            f"a day of the {spec.horizon_days}-day horizon of every post must be observed, "
            f"found none for {post!r}; remove the post or add its days"
        )
    faults = [Problem("posts", problem) for problem in problems]
    faults += spec_faults(spec)
    faults += series_faults(campaign, spec)
    faults += control_faults(campaign, spec)
    if faults:
        raise InputError(faults)
    build_design(campaign, spec)


def check_arguments(campaign: object, spec: object) -> None:
    """Check that a campaign and a specification are what they must be.

    Parameters
    ----------
    campaign, spec : object
        Given to a public function.

    Raises
    ------
    InputError
        Naming each that is not, and how to make one.
    """
    check_kinds(
        campaign=(campaign, Campaign, "make one with lift.read_campaign(folder) or lift.Campaign"),
        spec=(
            spec,
            ModelSpec,
            "make one with lift.ModelSpec(...) or ModelSpec.from_toml(file)",
        ),
    )


def spec_faults(spec: ModelSpec) -> list[Problem]:
    """Return what of a specification cannot be fitted, whatever the campaign.

    Parameters
    ----------
    spec : ModelSpec

    Returns
    -------
    list of Problem
        Empty if nothing.
    """
    window, horizon = spec.response.window_days, spec.horizon_days
    if horizon < window:
        return []
    what = (
        f"horizon_days must be less than response.window_days, in which a post's response ends, "
        f"found {horizon} and {window}: the effect would be 0 after {window} days; make the "
        "horizon shorter, or the window longer"
    )
    return [Problem("model.toml", what)]


def control_faults(campaign: Campaign, spec: ModelSpec) -> list[Problem]:
    """Return which controls have no log where it is asked for, or are one as they enter the model.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec

    Returns
    -------
    list of Problem
        Empty if there are no controls, or each is a series of its own.
    """
    if campaign.controls is None or not spec.baseline.controls:
        return []
    names = campaign.control_names
    if spec.baseline.control_transform == "log":
        low = campaign.controls.set_index("date")[list(names)] <= 0.0
        faults = [
            Problem(
                "controls",
                'control_transform = "log" needs controls above 0 on every day, found '
                f"{name!r} at or below it on {counted(int(days.sum()), 'day')}, the first "
                f"{pd.Timestamp(str(days.idxmax())).date()}; "
                'correct the values, leave the series out, or use "auto" or "none"',
            )
            for name, days in low.items()
            if days.any()
        ]
        if faults:
            return faults
    block = control_block(campaign, spec.baseline, log_scale=spec.scale == "log")
    faults = []
    for name, same in zip(block.labels, copies(block.columns), strict=True):
        if same.any():
            others = [block.labels[k] for k in np.flatnonzero(same)]
            what = (
                f"controls must differ on the scale on which they enter the model, found '{name}' "
                f"and {some(map(repr, others))} equal up to scale and shift (the log of a power is "
                'its multiple: see control_transform); keep one, or set control_transform = "none"'
            )
            faults.append(Problem("controls", what))
    return faults


def series_days(spec: ModelSpec) -> tuple[int, ...]:
    """Return the days after the install for which the model is fitted to users too."""
    return () if spec.users is None else spec.users.series


def series_faults(campaign: Campaign, spec: ModelSpec) -> list[Problem]:
    """Return what keeps the model from being fitted to the users that are asked for.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : ModelSpec

    Returns
    -------
    list of Problem
        Empty if nothing does, or no day is asked for.

    Raises
    ------
    EngineError
        If the model cannot be built on the users of a day.
    """
    if series_days(spec) and campaign.cohorts is None:
        what = "users.series needs the campaign's cohorts, found none; add the table"
        return [Problem("model.toml", what)]
    faults: list[Problem] = []
    for day in series_days(spec):
        try:
            series = users_campaign(campaign, day, spec.horizon_days)
        except InputError as error:
            said = f"for the users of day {day} (users.series): "
            faults += [Problem(problem.where, said + problem.what) for problem in error.problems]
            continue
        if len(series.posts):
            build_design(series, spec)
        else:
            what = (
                f"a cohort of a post's window must have active_d{day}, found none; leave {day} out "
                "of users.series"
            )
            faults.append(Problem("cohorts", what))
    return faults
