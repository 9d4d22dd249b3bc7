"""Checks of the posts: who posted what, when and where, within the days of the downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lift.data.cells import instants, numbers, texts, yes_or_no
from lift.data.checks_downloads import Downloads, in_market
from lift.data.checks_shares import audience_shares, check_shares, share_columns
from lift.data.tables import RawTable, counted, meant, some, with_names
from lift.errors import Problem

MIN_PRE_DAYS = 14
"""Observed days before the first post: the weekly season must have been seen twice without one."""

SHORT_PRE_DAYS = 28
"""Observed days before the first post below which a notice says that the baseline is uncertain."""

CREATOR_TYPES = ("human", "virtual")
TEXT_COLUMNS = ("influencer", "platform", "creator_type", "content", "audience")
COLUMNS = ("post_id", "posted_at", *TEXT_COLUMNS, "sponsored", "views", "cost", "market")


def check_posts(
    table: RawTable,
    zone: ZoneInfo | None,
    zone_given: bool,
    downloads: Downloads | None,
    problems: list[Problem],
    notices: list[str],
) -> pd.DataFrame:
    """Return the canonical posts, with every fault appended to the problems.

    Parameters
    ----------
    table : RawTable
    zone : ZoneInfo or None
        Zone in which a day of the downloads is cut; None is UTC.
    zone_given : bool
        Whether the campaign names a zone, be it a known one or not.
    downloads : Downloads or None
        None if they could not be understood; posts are then not compared with them.
    problems : list of Problem
        Faults are appended to it.
    notices : list of str
        What is allowed but worth saying is appended to it.

    Returns
    -------
    DataFrame
        All columns, sorted by instant and id; of use only if there was no fault. Shares of the
        audience by market come last, where the table has them.
    """
    shared = share_columns(table, None if downloads is None else downloads.markets)
    table = with_names(table, ["post_id", "posted_at"], [*COLUMNS[2:], *shared], problems)
    ids = _ids(table, problems)
    stamps: list[datetime | None] = [None] * len(table)
    if "posted_at" in table.columns:
        stamps = instants(table, "posted_at", zone, zone_given, problems)
    columns: dict[str, object] = {
        "post_id": pd.array([text or "" for text in ids], dtype="str"),
        "posted_at": pd.Series(
            np.array(
                [None if stamp is None else stamp.replace(tzinfo=None) for stamp in stamps],
                dtype="datetime64[us]",
            )
        ).dt.tz_localize("UTC"),
    }
    for name in (*TEXT_COLUMNS, "market"):
        found = texts(table, name) if name in table.columns else [None] * len(table)
        columns[name] = pd.array(found, dtype="str")
        if name != "market":
            _notice_spelling(name, found, notices)
    _check_creator_type(table, problems)
    sponsored = (
        yes_or_no(table, "sponsored", problems)
        if "sponsored" in table.columns
        else [None] * len(table)
    )
    columns["sponsored"] = pd.array(sponsored, dtype="boolean")
    columns["views"] = _amounts(
        table, "views", ids, lambda v: v <= 0, "be larger than 0", "leave it empty", problems
    )
    columns["cost"] = _amounts(
        table, "cost", ids, lambda v: v < 0, "not be negative", "write 0 for a gift", problems
    )
    shares = check_shares(table, shared, problems)
    frame = pd.DataFrame(columns | shares)[[*COLUMNS, *shares]]
    frame["posted_at"] = frame["posted_at"].dt.tz_convert(zone or "UTC")
    _notice_posts(frame, notices)
    if downloads is not None:
        reach = _markets_reached(table, frame, downloads, problems)
        if downloads.daily:
            _check_days(table, frame, reach, downloads, problems, notices)
    return frame.sort_values(["posted_at", "post_id"], ignore_index=True)


def _ids(table: RawTable, problems: list[Problem]) -> list[str | None]:
    if "post_id" not in table.columns:
        return [None] * len(table)
    ids = texts(table, "post_id")
    empty = [table.at(i) for i, text in enumerate(ids) if text is None]
    if empty:
        problems.append(
            table.problem(
                f"every post must have a post_id, found none at {some(empty)}; give each its own"
            )
        )
    rows: dict[str, list[str]] = {}
    for i, text in enumerate(ids):
        if text is not None:
            rows.setdefault(text, []).append(table.at(i))
    twice = [f"'{text}' ({some(at, 3)})" for text, at in rows.items() if len(at) > 1]
    if twice:
        problems.append(
            table.problem(
                f"every post_id must be given once, found {counted(len(twice), 'duplicate id')}: "
                f"{some(twice)}; give each post its own id"
            )
        )
    return ids


def _check_creator_type(table: RawTable, problems: list[Problem]) -> None:
    if "creator_type" not in table.columns:
        return
    wrong = [
        f"{table.at(i)}: '{text}'{meant(text, CREATOR_TYPES)}"
        for i, text in enumerate(texts(table, "creator_type"))
        if text is not None and text not in CREATOR_TYPES
    ]
    if wrong:
        problems.append(
            table.problem(
                f"creator_type must be {' or '.join(CREATOR_TYPES)}, found {some(wrong)}; correct "
                "it, or leave it empty"
            )
        )


def _amounts(
    table: RawTable,
    column: str,
    ids: Sequence[str | None],
    wrong: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    must: str,
    do: str,
    problems: list[Problem],
) -> NDArray[np.float64]:
    """Return a column of amounts; name those that are infinite or out of range."""
    if column not in table.columns:
        return np.full(len(table), np.nan)
    values, _ = numbers(table, column, problems)
    for mask, sentence, action in (
        (np.isinf(values), "be finite", "correct it, or leave it empty"),
        (np.isfinite(values) & wrong(values), must, f"correct it, or {do}"),
    ):
        if mask.any():
            found = some(
                f"{table.at(i)} (post '{ids[i] or ''}'): {values[i]:g}"
                for i in map(int, np.flatnonzero(mask))
            )
            problems.append(table.problem(f"{column} must {sentence}, found {found}; {action}"))
            values[mask] = np.nan
    return values


def _markets_reached(
    table: RawTable, frame: pd.DataFrame, downloads: Downloads, problems: list[Problem]
) -> list[tuple[str, ...]]:
    """Return the markets that each post reaches; name those that are not in the downloads."""
    reach: list[tuple[str, ...]] = []
    unknown: list[str] = []
    inside = {market: audience_shares(frame, market) > 0.0 for market in downloads.markets}
    for i, name in enumerate(frame["market"].tolist()):
        if not isinstance(name, str):
            reach.append(tuple(market for market in downloads.markets if inside[market][i]))
        elif name in downloads.markets:
            reach.append((name,))
        else:
            reach.append(())
            unknown.append(
                f"{table.at(i)} (post '{frame['post_id'].iloc[i]}'): "
                f"'{name}'{meant(name, downloads.markets)}"
            )
    if unknown:
        known = (
            f"one of the markets of downloads ({some(downloads.markets, 8)})"
            if downloads.has_markets
            else "empty, as downloads have no market column"
        )
        problems.append(
            table.problem(
                f"a post's market must be {known}, found {some(unknown)}; correct it, or leave it "
                "empty for a post that reaches every market"
            )
        )
    return reach


def _check_days(
    table: RawTable,
    frame: pd.DataFrame,
    reach: Sequence[tuple[str, ...]],
    downloads: Downloads,
    problems: list[Problem],
    notices: list[str],
) -> None:
    """Compare the days of the posts with the observed days of the markets they reach."""
    stamps = frame["posted_at"]
    days = stamps.dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype("datetime64[D]")
    outside, unseen = [], []
    firsts: dict[str, tuple[np.datetime64, str]] = {}
    for i, day in enumerate(days):
        if np.isnat(day):
            continue
        post = str(frame["post_id"].iloc[i])
        if day < downloads.first or day > downloads.last:
            outside.append(f"{table.at(i)} (post '{post}'): {day}")
            continue
        for market in reach[i]:
            if market not in firsts or day < firsts[market][0]:
                firsts[market] = (day, post)
            seen = downloads.observed[market]
            if len(seen) and seen[-1] < day:
                where = in_market(market, downloads.has_markets)
                unseen.append(f"{table.at(i)} (post '{post}', {day}{where})")
    if outside:
        problems.append(
            table.problem(
                f"posts must lie within the days of downloads, {downloads.first} to "
                f"{downloads.last}, found {some(outside)}; add the days, or remove the posts"
            )
        )
    if unseen:
        problems.append(
            table.problem(
                "at least one day on or after a post must be observed, found none for "
                f"{some(unseen)}; add the days that follow, or remove the posts"
            )
        )
    short = []
    for market, (day, post) in sorted(firsts.items()):
        seen = downloads.observed[market]
        n_before = int(np.sum(seen < day))
        where = in_market(market, downloads.has_markets)
        if not len(seen):
            continue
        if n_before < MIN_PRE_DAYS:
            short.append(f"{n_before} before post '{post}' on {day}{where}")
        elif n_before < SHORT_PRE_DAYS:
            notices.append(
                f"posts: only {n_before} observed days before the first post '{post}'{where}; "
                f"with fewer than {SHORT_PRE_DAYS} the baseline rests on the model's prior"
            )
    if short:
        problems.append(
            table.problem(
                f"at least {MIN_PRE_DAYS} days must be observed before the first post, so that the "
                f"week is seen twice without one, found {some(short)}; add earlier days"
            )
        )
    for market in downloads.markets:
        if not any(market in markets for markets in reach):
            notices.append(f"posts: no post reaches market '{market}'")


def _notice_posts(frame: pd.DataFrame, notices: list[str]) -> None:
    stamps = frame["posted_at"]
    midnight = frame["post_id"][stamps.notna() & (stamps == stamps.dt.normalize())]
    if len(midnight):
        notices.append(
            f"posts: {counted(len(midnight), 'post')} at exactly 00:00 ({some(midnight)}); a date "
            "without a time of day counts from midnight"
        )
    unseen = frame["post_id"][frame["views"].isna()]
    if 0 < len(unseen) < len(frame):
        notices.append(f"posts: {counted(len(unseen), 'post')} without views ({some(unseen)})")


def _notice_spelling(column: str, found: Sequence[str | None], notices: list[str]) -> None:
    forms: dict[str, set[str]] = {}
    for text in found:
        if text is not None:
            forms.setdefault(text.casefold(), set()).add(text)
    for spelt in forms.values():
        if len(spelt) > 1:
            notices.append(
                f"posts: {column} is spelt {' and '.join(map(repr, sorted(spelt)))}; "
                "they count as different"
            )
