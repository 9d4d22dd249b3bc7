"""The campaign: downloads, posts, controls and cohorts of one app, checked as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray

from lift.data.arguments import check_kinds, check_path
from lift.data.calendar import holiday_table
from lift.data.checking import ARGUMENTS, CheckedTables, check_tables
from lift.data.checks_downloads import ALL_MARKETS
from lift.data.checks_posts import COLUMNS
from lift.data.checks_shares import audience_shares
from lift.data.digests import settings_digest, table_digest
from lift.data.reading import dataset_table, read_table
from lift.data.settings import (
    FILE,
    TABLES,
    DatasetRef,
    check_paths_differ,
    file_in,
    path_from_here,
    read_settings,
)
from lift.data.tables import RawTable, counted, from_frame, meant, some
from lift.errors import InputError, LiftError, Problem


@dataclass(frozen=True, eq=False, repr=False)
class Campaign:
    """What was observed; constructing it checks everything and names every fault.

    Parameters
    ----------
    downloads : DataFrame
        Columns date, downloads and perhaps market: one row per day and market, in date order. An
        empty value is a day that was not observed; 0 is zero.
    posts : DataFrame
        Columns post_id, posted_at and any of influencer, platform, creator_type (human or
        virtual), content, audience, sponsored, views, cost, market, and share_MARKET for markets.
        A post without a market reaches all, or those where it has a share of its audience; a joint
        fit of the markets takes what a post does in each in proportion to that share.
    controls : DataFrame, optional
        Columns date, perhaps market, and one per series; no gaps.
    timezone : str, optional
        IANA name of the zone in which a day of the downloads is cut, and of timestamps that carry
        none. If None, timestamps must carry a zone, and days are UTC.
    country : str, optional
        ISO code of the country whose holidays count, such as "IT" or "US-CA".
    name : str
    cohorts : DataFrame, optional
        Columns install_date, installs, perhaps market, and any of active_d1, active_d7, ...: how
        many of the day's installs were active N days later. Empty is a cohort that is too young.

    Attributes
    ----------
    downloads : DataFrame
        date (datetime64, midnight, no zone), market (str), downloads (float64; NaN is a day not
        observed); sorted by market and date, every day present.
    posts : DataFrame
        All columns above; posted_at in ``timezone``; text NA, number NaN where not given; sorted
        by posted_at and post_id.
    controls : DataFrame or None
        date, market and one float64 column per series, on the days of ``downloads``.
    cohorts : DataFrame or None
        install_date, market, installs and active_dN (float64; NaN is not observed), sorted.
    timezone : str
        "UTC" where none was given.
    notices : tuple of str
        What is allowed but worth saying.
    source : str or None
        Where it was read: a path relative to the working directory then, or the name of the
        bundled campaign; None where it was made from tables.

    Raises
    ------
    InputError
        With every fault of every table.
    """

    downloads: pd.DataFrame
    posts: pd.DataFrame
    controls: pd.DataFrame | None = None
    timezone: str | None = None
    country: str | None = None
    name: str = "campaign"
    cohorts: pd.DataFrame | None = None
    notices: tuple[str, ...] = field(init=False, default=())
    source: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Check the arguments and put the canonical tables in their place."""
        problems: list[Problem] = []
        name = _text_argument("name", self.name, problems)
        timezone = _text_argument("timezone", self.timezone, problems)
        country = _text_argument("country", self.country, problems)
        checked = check_tables(
            from_frame(self.downloads, "downloads", problems),
            from_frame(self.posts, "posts", problems),
            None if self.controls is None else from_frame(self.controls, "controls", problems),
            None if self.cohorts is None else from_frame(self.cohorts, "cohorts", problems),
            timezone,
            country,
            name or "campaign",
            ARGUMENTS,
            problems,
        )
        vars(self).update(vars(checked))

    def __repr__(self) -> str:
        """Return one line: name, days, markets, posts and controls."""
        dates = self.dates
        return (
            f"Campaign({self.name!r}: {len(dates)} days {dates[0].date()} to {dates[-1].date()}, "
            f"{counted(len(self.markets), 'market')}, {counted(len(self.posts), 'post')}, "
            f"{counted(len(self.control_names), 'control')})"
        )

    @cached_property
    def markets(self) -> tuple[str, ...]:
        """The markets in alphabetical order; ``("all",)`` where the tables tell none apart."""
        return tuple(dict.fromkeys(self.downloads["market"].tolist()))

    @cached_property
    def dates(self) -> pd.DatetimeIndex:
        """The days of the data, the same in every market."""
        own = self.downloads["market"] == self.markets[0]
        return pd.DatetimeIndex(self.downloads.loc[own, "date"].to_numpy(), name="date")

    @property
    def control_names(self) -> tuple[str, ...]:
        """The names of the control series in the order in which they were given."""
        return () if self.controls is None else tuple(map(str, self.controls.columns[2:]))

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of downloads, posts, controls, settings and, where given, cohorts.

        Equal content gives equal digests, be it read from CSV, Parquet or a DataFrame.
        """
        return {
            "downloads": table_digest(self.downloads),
            "posts": table_digest(self.posts),
            "controls": table_digest(self.controls),
            "settings": settings_digest(
                name=self.name, timezone=self.timezone, country=self.country
            ),
            **({} if self.cohorts is None else {"cohorts": table_digest(self.cohorts)}),
        }

    def market(self, name: str, *, every_post: bool = False) -> Campaign:
        """Return one market's campaign, with the posts that reach it.

        Parameters
        ----------
        name : str
            One of :attr:`markets`.
        every_post : bool
            With the posts that do not reach it too.

        Returns
        -------
        Campaign
            It has no posts if none reaches the market.

        Raises
        ------
        LiftError
            If there is no such market.
        """
        if name not in self.markets:
            raise LiftError(
                f"the market must be one of {some(self.markets, 12)}, found '{name}'"
                f"{meant(name, self.markets)}"
            )
        reach = np.ones(len(self.posts), bool) if every_post else self.audience_share(name) > 0.0
        tables = CheckedTables(
            downloads=_in_market(self.downloads, name),
            posts=self.posts.loc[reach, list(COLUMNS)].reset_index(drop=True),
            controls=None if self.controls is None else _in_market(self.controls, name),
            cohorts=None if self.cohorts is None else _in_market(self.cohorts, name),
            timezone=self.timezone,
            country=self.country,
            name=self.name,
            notices=self.notices,
        )
        return _made(tables, self.source)

    def audience_share(self, name: str) -> NDArray[np.float64]:
        """Return the share of each post's audience that is in a market.

        Parameters
        ----------
        name : str
            One of :attr:`markets`.

        Returns
        -------
        ndarray, shape (n_posts,)
            As given in the posts; else 1 where a post reaches the market, 0 where it does not.
        """
        return audience_shares(self.posts, name)

    def holidays(self) -> pd.DataFrame:
        """Return the public holidays of the country, up to a week outside the data.

        Returns
        -------
        DataFrame
            Columns date and holiday (the name); empty where no country was given.
        """
        dates = self.dates
        return holiday_table(self.country, dates[0], dates[-1])

    def unobserved_posts(self, horizon_days: int) -> tuple[str, ...]:
        """Return the ids of posts none of whose days was observed in any market they reach.

        Parameters
        ----------
        horizon_days : int
            A post's days are its own and this many after it.

        Returns
        -------
        tuple of str
            In the order of the posts.
        """
        first = self.posts["posted_at"].dt.tz_localize(None).dt.normalize()
        last = first + pd.Timedelta(days=horizon_days)
        seen = self.downloads[self.downloads["downloads"].notna()]
        observed = np.zeros(len(first), dtype=bool)
        for market in self.markets:
            days = np.sort(seen.loc[seen["market"] == market, "date"].to_numpy())
            begin, end = days.searchsorted(first), days.searchsorted(last, side="right")
            observed |= (self.audience_share(market) > 0.0) & (end > begin)
        return tuple(map(str, self.posts["post_id"][~observed]))


def _in_market(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame[frame["market"] == name].reset_index(drop=True)


def _made(checked: CheckedTables, source: str | None) -> Campaign:
    """Return the campaign of tables that are canonical already."""
    campaign = object.__new__(Campaign)
    vars(campaign).update(vars(checked), source=source)
    return campaign


def _text_argument(name: str, value: object, problems: list[Problem]) -> str | None:
    if value is None and name != "name":
        return None
    if isinstance(value, str) and value.strip():
        return value.strip()
    problems.append(
        Problem(ARGUMENTS, f"{name} must be text that is not empty, found {value!r}; correct it")
    )
    return None


def read_campaign(path: str | Path, *, source: str | None = None) -> Campaign:
    """Return the campaign in a folder.

    Parameters
    ----------
    path : str or Path
        The folder, or its campaign.toml.
    source : str, optional
        What a run's manifest calls the place; the path from the working directory by default.

    Returns
    -------
    Campaign

    Raises
    ------
    InputError
        With every fault of campaign.toml and of every table.
    """
    check_path(path, "a campaign's folder")
    given = Path(path)
    file = given / FILE if given.is_dir() else given
    problems: list[Problem] = []
    if not file.is_file():
        what = f"the folder '{given}' without it" if given.is_dir() else f"no '{given}'"
        problems.append(
            Problem(
                FILE,
                f"a campaign must be a folder with a {FILE}, found {what}; "
                "`lift new DIR` writes one to fill in",
            )
        )
    elif file.suffix != ".toml":
        problems.append(
            Problem(
                FILE,
                f"a campaign must be a folder or its {FILE}, found the file '{given.name}'; "
                "name the folder",
            )
        )
    if problems:
        raise InputError(problems)
    settings = read_settings(file, problems)
    if not settings:
        raise InputError(problems)
    check_paths_differ(settings, problems)
    raw: dict[str, RawTable | None] = {}
    for where in TABLES:
        named = settings.get(where)
        if isinstance(named, DatasetRef):
            raw[where] = dataset_table(named, problems)
        elif named is not None:
            table = file_in(file.parent, named, where, problems)
            raw[where] = None if table is None else read_table(table, where, problems)
    checked = check_tables(
        raw.get("downloads"),
        raw.get("posts"),
        raw.get("controls"),
        raw.get("cohorts"),
        settings.get("timezone"),
        settings.get("country"),
        settings.get("name", "campaign"),
        FILE,
        problems,
    )
    return _made(checked, source or path_from_here(given))


def write_campaign(campaign: Campaign, folder: str | Path) -> Path:
    """Write a campaign as CSV tables and a campaign.toml that :func:`read_campaign` reads back.

    Parameters
    ----------
    campaign : Campaign
    folder : str or Path
        It is made where it does not exist.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If an argument is of another kind.
    LiftError
        If the folder holds a campaign.toml already, or is a file.
    """
    check_kinds(campaign=(campaign, Campaign, "make one with lift.read_campaign(folder)"))
    check_path(folder, "a new folder")
    target = Path(folder)
    if target.is_file() or (target / FILE).exists():
        raise LiftError(
            f"a campaign must be written into a new folder, found {FILE} or a file at '{target}'; "
            "name another folder"
        )
    target.mkdir(parents=True, exist_ok=True)
    one_market = campaign.markets == (ALL_MARKETS,)
    posts = campaign.posts.copy()
    posts["posted_at"] = [stamp.isoformat() for stamp in posts["posted_at"]]
    needed = {"post_id", "posted_at"}
    given = [c for c in map(str, posts.columns) if c in needed or posts[c].notna().any()]
    tables = {"downloads": campaign.downloads, "posts": posts[given]}
    for name, frame in (("controls", campaign.controls), ("cohorts", campaign.cohorts)):
        tables |= {} if frame is None else {name: frame}
    for name, frame in tables.items():
        if one_market and name != "posts":
            frame = frame.drop(columns="market")
        _plain(frame).to_csv(target / f"{name}.csv", index=False, lineterminator="\n")
    document: dict[str, object] = {"name": campaign.name, "timezone": campaign.timezone}
    if campaign.country is not None:
        document["country"] = campaign.country
    document["tables"] = {name: f"{name}.csv" for name in tables}
    (target / FILE).write_text(tomli_w.dumps(document), encoding="utf-8", newline="\n")
    return target


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with whole numbers without a decimal point and dates as ISO text."""
    out = {}
    for name, cells in frame.items():
        if pd.api.types.is_datetime64_dtype(cells.dtype):
            out[name] = cells.dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_float_dtype(cells.dtype):
            values = cells.dropna().to_numpy()
            whole = bool(np.all((values == np.floor(values)) & (np.abs(values) < 2**53)))
            out[name] = cells.astype("Int64") if whole else cells
        else:
            out[name] = cells
    return pd.DataFrame(out)
