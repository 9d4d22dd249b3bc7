"""The columns of the baseline: week, year, holidays and controls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.campaign import Campaign
from lift.model.baseline_spec import BaselineSpec, SeasonSpec

FloatArray = NDArray[np.float64]

DAYS_PER_YEAR = 365.25
YEAR_MIN_DAYS = 540
YEAR_PAIRS = 2


@dataclass(frozen=True)
class Block:
    """Columns of one baseline component.

    Attributes
    ----------
    name : str
        ``"week"``, ``"year"``, ``"season"``, ``"holiday"``, ``"control"`` or ``"free_kernel"``.
    labels : tuple of str
        One per column.
    columns : ndarray, shape (n_days, n_labels)
    prior_sd : ndarray, shape (n_labels,)
        Prior sd of each coefficient; NaN where it is a hyperparameter.
    """

    name: str
    labels: tuple[str, ...]
    columns: FloatArray
    prior_sd: FloatArray


def weekday_contrasts() -> FloatArray:
    """Return six orthonormal contrasts of the seven weekdays.

    Returns
    -------
    ndarray, shape (7, 6)
        Rows are Monday to Sunday; columns are orthonormal and sum to zero, so that independent
        equal priors on the coefficients are exchangeable over the weekdays.
    """
    full = np.column_stack([np.ones(7), np.eye(7)[:, :6]])
    basis, _ = np.linalg.qr(full)
    return np.asarray(basis[:, 1:])


def baseline_blocks(campaign: Campaign, spec: BaselineSpec, *, log_scale: bool) -> list[Block]:
    """Return the baseline components that the specification and the data call for.

    Parameters
    ----------
    campaign : Campaign
        One market.
    spec : BaselineSpec
    log_scale : bool
        Whether the outcome is modelled on the log scale.

    Returns
    -------
    list of Block
        In the order week, year, season, holiday, control; a component without a column is left
        out.
    """
    dates = campaign.dates
    blocks = []
    if spec.week:
        columns = weekday_contrasts()[dates.day_of_week.to_numpy()]
        labels = tuple(f"contrast_{k + 1}" for k in range(6))
        blocks.append(Block("week", labels, columns, np.full(6, spec.week_sd)))
    n_pairs = spec.year_harmonics
    if n_pairs == "auto":
        n_pairs = YEAR_PAIRS if len(dates) >= YEAR_MIN_DAYS else 0
    if n_pairs:
        blocks.append(_year(dates, n_pairs, spec.year_sd))
    if spec.seasons:
        blocks.append(_seasons(dates, spec.seasons))
    if spec.holidays:
        blocks += _holidays(campaign.holidays(), dates, spec)
    if spec.controls and campaign.controls is not None:
        blocks.append(control_block(campaign, spec, log_scale=log_scale))
    return blocks


def _year(dates: pd.DatetimeIndex, n_pairs: int, sd: float) -> Block:
    phase = 2 * np.pi * (dates.day_of_year.to_numpy() - 1) / DAYS_PER_YEAR
    pairs = np.arange(1, n_pairs + 1)
    waves = np.stack([np.sin(phase[:, None] * pairs), np.cos(phase[:, None] * pairs)], axis=2)
    labels = tuple(f"{wave}_{k}" for k in pairs for wave in ("sin", "cos"))
    return Block("year", labels, waves.reshape(len(dates), -1), np.repeat(sd / pairs, 2))


def _seasons(dates: pd.DatetimeIndex, seasons: tuple[SeasonSpec, ...]) -> Block:
    # days since a fixed date, so that more data do not turn the waves
    days = (dates - pd.Timestamp(0)).days.to_numpy()
    labels, columns, sds = [], [], []
    for season in seasons:
        for k in range(1, season.pairs + 1):
            phase = 2 * np.pi * k * days / season.period_days
            for wave, values in (("sin", np.sin(phase)), ("cos", np.cos(phase))):
                labels.append(f"{season.period_days:g}d_{wave}_{k}")
                columns.append(values)
                sds.append(season.sd / k)
    return Block("season", tuple(labels), np.column_stack(columns), np.array(sds))


def _lag_label(lag: int) -> str:
    if lag == 0:
        return "day_of"
    side = "before" if lag < 0 else "after"
    return f"day_{side}" if abs(lag) == 1 else f"{abs(lag)}_days_{side}"


def _holidays(table: pd.DataFrame, dates: pd.DatetimeIndex, spec: BaselineSpec) -> list[Block]:
    days = pd.DatetimeIndex(table["date"])
    columns = {
        _lag_label(lag): np.asarray(dates.isin(days + pd.Timedelta(days=lag)), dtype=np.float64)
        for lag in range(-spec.holiday_lead, spec.holiday_lag + 1)
    }
    for name in sorted(set(table["holiday"])):
        columns[name] = np.asarray(dates.isin(days[table["holiday"] == name]), dtype=np.float64)
    columns = {label: column for label, column in columns.items() if column.any()}
    if not columns:
        return []
    matrix = np.column_stack(list(columns.values()))
    return [Block("holiday", tuple(columns), matrix, np.full(len(columns), spec.holiday_sd))]


def control_block(campaign: Campaign, spec: BaselineSpec, *, log_scale: bool) -> Block:
    """Return the control series on the scale on which they enter the model, standardised.

    Parameters
    ----------
    campaign : Campaign
        One market, with controls.
    spec : BaselineSpec
    log_scale : bool
        Whether the outcome is modelled on the log scale.

    Returns
    -------
    Block
        Prior sds are NaN: they are a hyperparameter.

    Raises
    ------
    ValueError
        If the campaign has no controls.
    """
    controls = campaign.controls
    names = campaign.control_names
    if controls is None:
        raise ValueError("the campaign has no controls")
    values = controls[list(names)].to_numpy(dtype=np.float64)
    take_log = spec.control_transform == "log" or (spec.control_transform == "auto" and log_scale)
    if take_log:
        positive = (values > 0).all(axis=0)
        values = np.where(positive, np.log(np.where(positive, values, 1.0)), values)
    standardised = (values - values.mean(axis=0)) / values.std(axis=0)
    return Block("control", names, standardised, np.full(len(names), np.nan))
