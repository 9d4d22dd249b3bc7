"""Public holidays of a country on and around the days of a campaign."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from lift.data.tables import meant, some
from lift.errors import Problem

MARGIN_DAYS = 7
"""Days before and after the data whose holidays are listed, as their neighbours are in the data."""


def check_country(country: str, where: str, problems: list[Problem]) -> bool:
    """Return whether holidays are known for a code such as "IT" or "US-CA"; name one that is not.

    Parameters
    ----------
    country : str
        ISO 3166-1 alpha-2 code, or ISO 3166-2 code with a subdivision.
    where : str
        Name of the place of the setting in messages.
    problems : list of Problem
        A fault is appended to it.

    Returns
    -------
    bool
    """
    import holidays
    from holidays.registry import COUNTRIES

    code, _, division = country.partition("-")
    by_code = {names[1]: (module, names) for module, names in COUNTRIES.items()}
    if code not in by_code:
        words = {code.upper(): code.upper() for code in by_code if code == country.upper()}
        for module, names in COUNTRIES.items():
            words[module] = words[names[2]] = names[1]
        near = words.get(country.casefold().replace(" ", "_")) or words.get(country.upper())
        near_module = meant(country, [word for word in words if len(word) > 3])
        hint = f" (did you mean '{near}'?)" if near else near_module
        if near_module and not near:
            module_name = near_module.split("'")[1]
            hint = f" (did you mean '{words[module_name]}', {module_name.replace('_', ' ')}?)"
        problems.append(
            Problem(
                where,
                "country must be a two-letter ISO code that the holidays package knows, such as "
                f"'IT' or 'US-CA', found '{country}'{hint}; correct it",
            )
        )
        return False
    divisions = holidays.country_holidays(code).subdivisions
    if division and division not in divisions:
        listed = some(divisions, 12) if divisions else "none"
        problems.append(
            Problem(
                where,
                f"country must name a subdivision that {code} has, found '{country}'"
                f"{meant(country, [f'{code}-{known}' for known in divisions])}; correct it, or "
                f"write '{code}' (known: {listed})",
            )
        )
        return False
    return True


def holiday_table(country: str | None, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Return the public holidays from a week before the first day to a week after the last.

    Parameters
    ----------
    country : str or None
        A code that :func:`check_country` accepts; None gives an empty table.
    first, last : Timestamp
        First and last day of the data.

    Returns
    -------
    DataFrame
        Columns date (datetime64) and holiday (its name; names that share a day are joined by
        "; "), in the order of the dates.
    """
    rows: list[tuple[pd.Timestamp, str]] = []
    if country is not None:
        import holidays

        code, _, division = country.partition("-")
        start = (first - timedelta(days=MARGIN_DAYS)).date()
        end = (last + timedelta(days=MARGIN_DAYS)).date()
        found = holidays.country_holidays(
            code, subdiv=division or None, years=range(start.year, end.year + 1)
        )
        rows = [
            (pd.Timestamp(day), "; ".join(sorted(set(found.get_list(day)))))
            for day in sorted(found)
            if start <= day <= end
        ]
    return pd.DataFrame(
        {
            "date": pd.Series([day for day, _ in rows], dtype="datetime64[us]"),
            "holiday": pd.array([name for _, name in rows], dtype="str"),
        }
    )
