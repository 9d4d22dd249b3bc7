"""The report of a run: one HTML file that says what was asked, the answer, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any, cast

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from lift.analysis.effects import ONLY_PRIOR
from lift.output import compared, contrasts, figures, wording
from lift.output.facts import GROUPINGS, Facts
from lift.output.report_users import bases, money_rows, pull_forward_rows, users_rows

TEMPLATE = "report.html.j2"

LABELS: Mapping[str, str] = {
    "post": "post",
    "influencer": "influencer",
    "platform": "platform",
    "creator_type": "creator type",
    "content": "content",
    "campaign": "campaign",
}
"""What a unit of each grouping is called."""

MAX_PARAMETERS = 60
"""Rows of the table of parameters at most; the posterior file holds every one."""


def render(facts: Facts, svgs: Mapping[str, str] | None = None) -> str:
    """Return the report as one HTML document that needs no network and no script.

    Parameters
    ----------
    facts : Facts
    svgs : mapping of name to SVG text, optional
        The figures as :func:`draw` returns them; drawn here if not given.

    Returns
    -------
    str
        HTML; everything that comes from data is escaped.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        count=wording.count,
        words=wording.words,
        percent=wording.percent,
        mcse=wording.monte_carlo,
        long_day=wording.long_day,
    )
    source = files("lift.output").joinpath("templates", TEMPLATE).read_text(encoding="utf-8")
    shown = draw(facts) if svgs is None else svgs
    captions = captions_of(facts)
    inlined = {
        name: Markup(figures.inline(svg, escape(captions[name], quote=True)))
        for name, svg in shown.items()
    }
    campaign = facts.tables["campaign"].iloc[0].to_dict()
    return environment.from_string(source).render(
        facts=facts,
        level=wording.level(facts.prob),
        answer=answer(facts),
        headline=headline(facts),
        campaign=campaign,
        campaign_truth=facts.truth_of("campaign").get(str(campaign["unit"])),
        sections=[
            {
                "by": by,
                "label": LABELS[by],
                "rows": rows(facts, by),
                "has_truth": bool(facts.truth_of(by)),
            }
            for by in ("post", *facts.groupings())
        ],
        coverage=coverage(facts, "post"),
        n_overlapping=overlapping(facts.tables["post"]),
        parameters=facts.summary.head(MAX_PARAMETERS).to_dict("records"),
        n_parameters=len(facts.summary),
        manifest=facts.manifest,
        simulated=is_simulated(facts),
        command=command(facts),
        figures=inlined,
        captions=captions,
        n_panels=len(facts.windows),
        users=users_rows(facts),
        bases=bases(facts),
        draws_of={
            name: wording.monte_carlo_of_chances(table)
            for name, table in (("users", facts.outcomes.users), ("money", facts.outcomes.money))
            if table is not None
        },
        money=money_rows(facts),
        pull_forward=pull_forward_rows(facts),
        told_apart=facts.told_apart and of_frame(compared.post_rows(facts.told_apart)),
        told_apart_means=facts.told_apart and compared.meaning(facts.told_apart),
        together=[] if facts.told_apart is None else compared.group_lines(facts.told_apart),
        contrasts=None
        if facts.contrasts is None
        else of_frame(contrasts.rows(facts.contrasts, linear=facts.linear)),
        coupling=str(campaign["coupling"]),
    )


def of_frame(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table of text as headings and rows.

    Parameters
    ----------
    table : DataFrame of str

    Returns
    -------
    dict of list
        ``headings`` and ``rows``, lists of text.
    """
    return {"headings": list(table.columns), "rows": table.to_numpy().tolist()}


def draw(facts: Facts) -> dict[str, str]:
    """Return the figures of a run as SVG text, by name, in the order of the report."""
    truth = facts.truth_of("campaign")
    drawn = {
        "curve": figures.campaign_curve(
            facts.curve,
            facts.cumulative,
            facts.posts,
            prob=facts.prob,
            truth=next(iter(truth.values()), None),
        ),
        "posts": figures.post_forest(facts.tables["post"], truth=facts.truth_of("post")),
        "windows": figures.post_windows(facts.tables["post"]),
        "panels": figures.post_panels(
            facts.windows,
            prob=facts.prob,
            prior=only_prior(facts),
            moments=dict(zip(facts.posts["post"].astype(str), facts.posts["date"], strict=True)),
        ),
    }
    for by in facts.groupings():
        drawn[by] = figures.post_forest(
            facts.tables[by], truth=facts.truth_of(by), heading=LABELS[by]
        )
    if facts.outcomes.monthly is not None:
        drawn["users"] = figures.monthly_users(facts.outcomes.monthly)
    if facts.components is not None:
        drawn["components"] = figures.component_panels(facts.components, facts.curve)
    return {name: figures.to_svg(figure, name) for name, figure in drawn.items()}


def captions_of(facts: Facts) -> dict[str, str]:
    """Return what each figure shows, in a sentence or two."""
    level = wording.level(facts.prob)
    whole = facts.tables["campaign"].iloc[0]
    forest = f"points are posterior means, lines {level} intervals"
    n_posts = len(facts.tables["post"])
    first = pd.to_datetime(facts.posts["date"]).min() - pd.Timedelta(days=figures.LEAD_DAYS)
    cut = int((facts.curve["date"] < first).sum())
    early = f" The {cut} days before are not drawn, but the model saw them." if cut else ""
    shown = "each post" if len(facts.windows) == n_posts else f"the {len(facts.windows)} largest"
    return {
        "curve": (
            f"Observed downloads per day, and what they would have been without any of the posts, "
            f"with a {level} interval. Below, the difference added up from the first post on: "
            f"{wording.words(whole['mean'])} incremental downloads in the end. "
            "Vertical lines mark the posts; a gap in the dark line is a day not observed."
            f"{early}"
        ),
        "posts": (
            f"Incremental downloads of each post; {forest}. A hollow point on a broken line "
            "comes from the prior alone."
        ),
        "windows": (
            "The days over which each post's effect is added up, and how many such windows are "
            "open at a time. Where several are open, the data must tell posts apart by their "
            "timing."
        ),
        "panels": (
            f"The window of {shown}: observed downloads, and what they would have been without "
            f"that post alone, with a {level} interval."
        ),
        "users": (
            "People active in the 30 days that end with a day who would not have been without the "
            f"campaign, with a {level} interval. A broken line rests on retention beyond the last "
            "observed day. Installs older than 30 days count at the share active on the first of "
            "the 30 days: a lower bound."
        ),
        "components": components_caption(facts),
        **{by: f"Incremental downloads by {LABELS[by]}; {forest}." for by in GROUPINGS},
    }


def components_caption(facts: Facts) -> str:
    """Return what the figure of components shows; empty where the run has none."""
    if facts.components is None:
        return ""
    table = facts.components
    level = wording.level(float(table["prob"].iloc[0]))
    unit = (
        "All are in downloads per day."
        if facts.linear
        else "The level is in downloads per day, what the others add to it is in percent."
    )
    n_single = table.loc[table["control"] != "", "control"].nunique()
    n_whole = table.loc[table["control"] == "", "component"].nunique() - 2
    cut = n_single - max(figures.MAX_COMPONENTS - n_whole, 0)
    left = f" The {cut} controls that move least are not drawn." if cut > 0 else ""
    return (
        "What each component of the model adds by day: medians and "
        f"{level} intervals of {int(table['n_draws'].iloc[0])} draws, below the fitted and the "
        f"observed downloads. {unit} Every panel has a vertical axis of its own.{left}"
    )


def only_prior(facts: Facts) -> set[str]:
    """Return the posts of which the data say nothing by themselves."""
    posts = facts.tables["post"]
    marked = posts["note"].astype(str).str.contains(ONLY_PRIOR, regex=False)
    return set(posts.loc[marked, "unit"].astype(str))


def answer(facts: Facts) -> str:
    """Return the answer in one sentence: the campaign's effect with its interval."""
    row = facts.tables["campaign"].iloc[0]
    n = len(facts.tables["post"])
    posts = "one post" if n == 1 else f"{n} posts"
    days = f"from {wording.long_day(row['start'])} to {wording.long_day(row['end'])}"
    size = wording.words(abs(row["mean"]))
    interval = (
        f"({wording.level(facts.prob)} interval {wording.words(row['lower'])} to "
        f"{wording.words(row['upper'])})"
    )
    if row["mean"] >= 0:
        text = f"The campaign's {posts} brought an estimated {size} additional downloads"
    else:
        text = f"With the campaign's {posts}, downloads were an estimated {size} lower"
    text = f"{text} {interval} {days}"
    if row["lower"] <= 0 <= row["upper"]:
        text += "; the interval includes zero, so these data do not settle whether there was a gain"
    return f"{text}."


def headline(facts: Facts) -> list[dict[str, str]]:
    """Return the headline numbers: what each is, its value and a remark."""
    row = facts.tables["campaign"].iloc[0]
    posts = facts.tables["post"]
    clear = int(((posts["lower"] > 0) | (posts["upper"] < 0)).sum())
    level = wording.level(facts.prob)
    low, high = wording.words(row["lower"]), wording.words(row["upper"])
    remarks = {
        "PASS": "every check passed",
        "REVIEW": "see the remarks below",
        "FAIL": "do not use these numbers",
    }
    return [
        {
            "what": "incremental downloads",
            "value": wording.words(row["mean"]),
            "remark": f"{level} interval {low} to {high}",
        },
        {
            "what": "relative to no campaign",
            "value": wording.percent(row["relative_mean"]),
            "remark": wording.percent_interval(row["relative_lower"], row["relative_upper"]),
        },
        {
            "what": "probability of a gain",
            "value": wording.probability(row["prob_positive"]),
            "remark": "that the effect is above zero",
        },
        {
            "what": "posts with a clear effect",
            "value": f"{clear} of {len(posts)}",
            "remark": f"{level} interval without zero",
        },
        {
            "what": "Monte Carlo error",
            "value": wording.monte_carlo(row["mcse_mean"]),
            "remark": "of the mean, from finite draws",
        },
        {"what": "checks", "value": facts.verdict(), "remark": remarks[facts.verdict()]},
    ]


def rows(facts: Facts, by: str) -> list[dict[str, object]]:
    """Return the rows of an effect table as text, with the truth where it is known."""
    truth = facts.truth_of(by)
    attributes = {str(post["post"]): post for post in facts.posts.to_dict("records")}
    result = []
    for row in facts.tables[by].to_dict("records"):
        unit = str(row["unit"])
        of_post = attributes.get(unit, {}) if by == "post" else {}
        given = [wording.name(of_post[key]) for key in GROUPINGS if of_post.get(key)]
        actual = truth.get(unit)
        result.append(
            {
                "unit": wording.name(unit),
                "about": " \N{MIDDLE DOT} ".join(given),
                "n_posts": int(row["n_posts"]),
                "start": wording.day(row["start"]),
                "end": wording.day(row["end"]),
                "n_days": int(row["n_days"]),
                "observed": wording.count(row["observed"]),
                "mean": wording.count(row["mean"]),
                "interval": wording.interval(row["lower"], row["upper"]),
                "prob_positive": wording.probability(row["prob_positive"]),
                "mcse": wording.monte_carlo(row["mcse_mean"]),
                "relative": wording.percent(row["relative_mean"]),
                "truth": wording.ABSENT if actual is None else wording.count(actual),
                "inside": None if actual is None else bool(row["lower"] <= actual <= row["upper"]),
                "note": str(row["note"] or ""),
            }
        )
    return result


def coverage(facts: Facts, by: str) -> tuple[int, int]:
    """Return how many known true effects lie within their interval, and how many are known."""
    inside = [row["inside"] for row in rows(facts, by) if row["inside"] is not None]
    return sum(bool(value) for value in inside), len(inside)


def overlapping(table: pd.DataFrame) -> int:
    """Return how many units have a window that shares a day with another unit's window."""
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    shared = (start[:, None] <= end[None, :]) & (start[None, :] <= end[:, None])
    return int((shared.sum(axis=1) > 1).sum())


def is_simulated(facts: Facts) -> bool:
    """Return whether the data of a run were simulated."""
    return bool(facts.manifest.get("simulated")) or facts.truth is not None


def command(facts: Facts) -> str:
    """Return the command line that makes the run again."""
    given = facts.manifest.get("command")
    if given:
        return str(given)
    engine = cast("Mapping[str, object]", facts.manifest["engine"])
    market = "" if facts.market == "all" else f" --market {facts.market}"
    return (
        f"lift fit CAMPAIGN --out NEW_RUN --seed {facts.manifest['seed']} "
        f"--draws {facts.manifest['draws']} --engine {engine['name']} --spec RUN/spec.toml{market}"
    )
