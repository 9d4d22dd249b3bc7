"""Components as people read them: a table, a figure, a section of the report."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lift.analysis.components import Components
from lift.analysis.diagnostics import Finding
from lift.analysis.effects import Effects
from lift.model.spec import ModelSpec
from lift.output import figures, report, store
from lift.output.components import check_rows, rows
from lift.output.facts import Facts
from lift.output.figures.components import SHOWN_DAYS


def written(curve: pd.DataFrame, *, linear: bool = False, n_controls: int = 2) -> Components:
    """Return components that are written down: three draws, a step apart."""
    n = len(curve)
    days = np.arange(n)
    shift = np.array([-0.01, 0.0, 0.01])[:, None]
    week = np.array([0.1, 0.05, 0.0, 0.0, 0.0, -0.05, -0.1])[days % 7]
    size = 50_000.0 if linear else 1.0
    level = 50_000.0 + 0.0 * days if linear else np.log(50_000.0) + 0.001 * days
    single = np.stack([0.01 * (k + 1) * np.sin(days / 9.0) for k in range(n_controls)], axis=1)
    posts = np.where(days == 30, 0.3, 0.0)
    parts = {
        "level": level + shift * size,
        "week": size * week + 0.0 * shift,
        "control": size * single.sum(axis=1) + 0.0 * shift,
        "posts": size * posts + 0.0 * shift,
    }
    total = sum(parts.values())
    variables = {name: (("draw", "date"), values) for name, values in parts.items()}
    variables["sum"] = (("draw", "date"), total)
    variables["downloads"] = (("draw", "date"), total if linear else np.exp(total))
    names = [f"rival_{k}" for k in range(n_controls)]
    draws = xr.Dataset(
        variables | {"single_control": (("draw", "date", "control_name"), [size * single] * 3)},
        coords={"date": curve["date"].to_numpy(), "control_name": names},
        attrs={
            "n_draws": 3,
            "n_stored": 9,
            "unit": "downloads/day" if linear else "log downloads/day",
        },
    )
    observed = xr.DataArray(
        curve["observed"].to_numpy(), dims="date", coords={"date": curve["date"].to_numpy()}
    )
    return Components(draws, observed)


def words(svg: str) -> str:
    return " ".join("".join(node.itertext()) for node in ElementTree.fromstring(svg).iter())


def test_a_summary_reads_in_percent_of_downloads(curve: pd.DataFrame) -> None:
    shown = rows(written(curve).summary()).set_index("component")
    assert shown.index.tolist() == [
        "level",
        "week",
        "all controls",
        "rival_0",
        "rival_1",
        "all posts",
        "fitted downloads",
    ]
    assert shown.loc["level"].tolist()[:3] == ["downloads/day", "50,000", "54,599"]
    # exp(0.1) - 1 and exp(-0.1) - 1
    assert shown.loc["week"].tolist()[:3] == ["%", "\N{MINUS SIGN}9.5%", "10.5%"]
    assert shown.loc["all posts", "highest"] == "35.0%"
    # 95% of three draws 0.01 apart: 0.019
    assert shown.loc["level", "interval width"] == "1.9%"


def test_checks_of_errors_have_their_own_decimals() -> None:
    checks = pd.DataFrame(
        {
            "check": ["autocorrelation at 1 day", "Ljung-Box to 14 days"],
            "value": [-0.0312, 17.3],
            "expected": [0.0, 14.0],
            "p": [0.00001, 0.24],
        }
    )
    shown = check_rows(checks)
    assert shown["value"].tolist() == ["\N{MINUS SIGN}0.031", "17.300"]
    assert shown["p"].tolist() == ["<0.001", "0.240"]


def test_on_the_linear_scale_everything_is_in_downloads(curve: pd.DataFrame) -> None:
    shown = rows(written(curve, linear=True).summary()).set_index("component")
    assert set(shown["unit"]) == {"downloads/day"}
    assert shown.loc["week"].tolist()[1:3] == ["\N{MINUS SIGN}5,000", "5,000"]


def test_the_figure_has_a_panel_for_each_component(curve: pd.DataFrame) -> None:
    table = written(curve).table(0.9)
    figure = figures.component_panels(table, curve)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "Downloads per day",
        "Level, downloads per day",
        f"Week, the last {SHOWN_DAYS} days",
        "All controls",
        "rival_0",
        "rival_1",
        "All posts",
    ]
    level, week, posts = figure.axes[1], figure.axes[2], figure.axes[-1]
    assert len(week.lines[0].get_xdata()) == SHOWN_DAYS
    assert len(posts.lines[0].get_xdata()) == len(curve)
    assert np.max(level.lines[0].get_ydata()) == pytest.approx(50_000 * np.exp(0.088), rel=1e-6)
    assert np.max(posts.lines[0].get_ydata()) == pytest.approx(np.expm1(0.3))
    svg = figures.to_svg(figure, "components")
    for word in ("90% interval", "fitted (median)", "observed", "%"):
        assert word in words(svg)
    assert svg == figures.to_svg(figures.component_panels(table, curve), "components")


def test_a_week_that_walks_is_shown_whole(curve: pd.DataFrame) -> None:
    made = written(curve)
    moving = made.draws["week"] * xr.DataArray(np.linspace(1, 2, len(curve)), dims="date")
    table = replace(made, draws=made.draws.assign(week=moving)).table()
    week = figures.component_panels(table, curve).axes[2]
    assert week.get_title(loc="left") == "Week"
    assert len(week.lines[0].get_xdata()) == len(curve)


def test_of_many_controls_the_figure_has_those_that_move_most(
    curve: pd.DataFrame, hand_made: Facts
) -> None:
    table = written(curve, n_controls=20).table()
    titles = {axes.get_title(loc="left") for axes in figures.component_panels(table, curve).axes}
    shown = figures.MAX_COMPONENTS - 4
    assert {title for title in titles if title.startswith("rival")} == {
        f"rival_{k}" for k in range(20 - shown, 20)
    }
    caption = report.components_caption(replace(hand_made, components=table))
    assert f"The {20 - shown} controls that move least are not drawn." in caption
    assert "of 3 draws" in caption
    few = report.components_caption(replace(hand_made, components=written(curve).table()))
    assert "not drawn" not in few


class _Text(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_report_with_components_has_a_section_of_them(
    hand_made: Facts, curve: pd.DataFrame
) -> None:
    table = written(curve).table()
    drawn = figures.to_svg(figures.component_panels(table, curve), "components")
    # the other figures are not what this is about
    names = ("curve", "posts", "windows", "panels", *hand_made.groupings())
    svgs = dict.fromkeys(names, drawn)
    plain = report.render(hand_made, svgs)
    assert "What the model is made of" not in plain
    page = report.render(replace(hand_made, components=table), svgs | {"components": drawn})
    text = " ".join(" ".join(_Text(page).words).split())
    assert "What the model is made of" in text
    assert 'href="#components"' in page
    assert "The level is in downloads per day, what the others add to it is in percent." in text


@pytest.mark.slow
def test_a_report_keeps_the_components_of_its_run(
    tmp_path: Path,
    effects: Effects,
    findings: list[Finding],
    curve: pd.DataFrame,
    run_manifest: dict[str, object],
) -> None:
    run = store.save(
        tmp_path / "run",
        posterior=effects.posterior,
        effects=effects,
        spec=ModelSpec(),
        manifest=run_manifest,
        findings=findings,
    )
    store.rewrite_report(run, effects, findings, components=written(curve).table())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "What the model is made of" in page
    stored = pd.read_csv(run / "components.csv")
    assert len(stored) == 8 * len(curve)
    store.load(run)
    figure = (run / "figures" / "components.svg").read_bytes()
    store.rewrite_report(run, effects, findings)
    assert (run / "figures" / "components.svg").read_bytes() == figure
    assert (run / "report.html").read_text(encoding="utf-8") == page
