"""Figures of hand-made tables: well-formed, labelled, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lift.output import figures
from lift.output.figures.style import days

HOSTILE = '<b>"Ann" & $x_1$</b>'


def texts(svg: str) -> str:
    return " ".join("".join(node.itertext()) for node in ElementTree.fromstring(svg).iter())


def drawn(
    curve: pd.DataFrame,
    cumulative: pd.DataFrame,
    posts: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
) -> dict[str, str]:
    known = dict(zip(truth["unit"], truth["truth"], strict=True))
    made = {
        "curve": figures.campaign_curve(curve, cumulative, posts, prob=0.9, truth=251_000.0),
        "forest": figures.post_forest(tables["influencer"], truth=known, heading="influencer"),
        "windows": figures.post_windows(tables["post"]),
        "panels": figures.post_panels(
            {post: curve.iloc[20:60] for post in posts["post"]},
            moments=dict(zip(posts["post"], posts["date"], strict=True)),
        ),
    }
    return {name: figures.to_svg(figure, name) for name, figure in made.items()}


@pytest.fixture(scope="module")
def svgs(
    curve: pd.DataFrame,
    cumulative: pd.DataFrame,
    posts: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
) -> dict[str, str]:
    return drawn(curve, cumulative, posts, tables, truth)


def test_drawing_twice_gives_the_same_bytes(
    svgs: dict[str, str],
    curve: pd.DataFrame,
    cumulative: pd.DataFrame,
    posts: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame,
) -> None:
    assert drawn(curve, cumulative, posts, tables, truth) == svgs


def test_one_figure_written_twice_gives_the_same_bytes(tables: Mapping[str, pd.DataFrame]) -> None:
    figure = figures.post_forest(tables["post"])
    assert figures.to_svg(figure, "x") == figures.to_svg(figure, "x")


def test_every_figure_is_xml_without_date_or_foreign_address(svgs: dict[str, str]) -> None:
    for svg in svgs.values():
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "<metadata" not in svg
        assert not re.search(r"20\d\d-\d\d-\d\dT", svg)
        addresses = set(re.findall(r"https?://[^\s\"'<]+", svg))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_labels_are_text_and_say_what_is_shown(svgs: dict[str, str]) -> None:
    for label in ("observed", "without the campaign", "90% interval", "post", "truth 251k"):
        assert label in texts(svgs["curve"])
    assert "Windows open at a time" in texts(svgs["windows"])
    for post in ("p01", "p02", "p03", "p04"):
        assert post in texts(svgs["panels"])
        assert post in texts(svgs["windows"])


def test_hostile_and_foreign_names_are_shown_as_they_are(svgs: dict[str, str]) -> None:
    assert HOSTILE in texts(svgs["forest"])
    assert "無印 🎧" in texts(svgs["forest"])
    assert "<b>" not in svgs["forest"]


def test_control_characters_leave_the_figure_well_formed(
    tables: Mapping[str, pd.DataFrame],
) -> None:
    table = tables["platform"].assign(unit=["\x1b[31mred\x00", "a" * 60])
    shown = texts(figures.to_svg(figures.post_forest(table), "a"))
    assert "\ufffd[31mred\ufffd" in shown
    assert "a" * 27 + "…" in shown


def test_truth_is_marked_only_where_it_is_known(tables: Mapping[str, pd.DataFrame]) -> None:
    with_truth = figures.to_svg(figures.post_forest(tables["post"], truth={"p01": 1.0}), "a")
    without = figures.to_svg(figures.post_forest(tables["post"]), "a")
    assert "truth (simulated data)" in texts(with_truth)
    assert figures.PALETTE["truth"] in with_truth
    assert figures.PALETTE["truth"] not in without


def test_a_post_known_from_the_prior_alone_looks_different(
    tables: Mapping[str, pd.DataFrame],
) -> None:
    table = tables["post"]
    informed = table.assign(note="the data end 3 day(s) before the horizon")
    assert figures.to_svg(figures.post_forest(table), "a") != figures.to_svg(
        figures.post_forest(informed), "a"
    )
    assert figures.to_svg(figures.post_forest(informed), "a") == figures.to_svg(
        figures.post_forest(table.assign(note="")), "a"
    )


def test_a_wide_range_gets_a_logarithmic_axis_and_zeros_do_not(
    curve: pd.DataFrame, cumulative: pd.DataFrame, posts: pd.DataFrame
) -> None:
    wide = curve.copy()
    wide.loc[10, "observed"] = 100 * curve["observed"].max()
    logarithmic = figures.to_svg(figures.campaign_curve(wide, cumulative, posts), "a")
    assert "logarithmic" in texts(logarithmic)
    wide.loc[11, ["observed", "mean", "lower", "upper"]] = 0.0
    linear = figures.to_svg(figures.campaign_curve(wide, cumulative, posts), "a")
    assert "logarithmic" not in texts(linear)


def test_days_not_observed_leave_a_gap(
    curve: pd.DataFrame, cumulative: pd.DataFrame, posts: pd.DataFrame
) -> None:
    whole = curve.assign(observed=curve["observed"].interpolate())
    figure = figures.campaign_curve(curve, cumulative, posts)
    filled = figures.campaign_curve(whole, cumulative, posts)
    assert figures.to_svg(figure, "a") != figures.to_svg(filled, "a")
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "observed"]
    assert int(np.isnan(np.asarray(line.get_ydata(), dtype=float)).sum()) == 1


def test_identifiers_carry_the_figure_name(svgs: dict[str, str]) -> None:
    for name, svg in svgs.items():
        identifiers = re.findall(r'\bid="([^"]*)"', svg)
        assert identifiers
        assert all(identifier.startswith(f"{name}-") for identifier in identifiers)
        used = set(re.findall(r"url\(#([^)]*)\)", svg)) | set(re.findall(r'href="#([^"]*)"', svg))
        assert used <= set(identifiers)


def test_inlined_colours_are_variables_of_the_page(svgs: dict[str, str]) -> None:
    element = figures.inline(svgs["curve"], "what is &lt;shown&gt;")
    assert element.startswith("<svg ")
    assert 'aria-label="what is &lt;shown&gt;"' in element
    assert "var(--fig-observed, #22272d)" in element
    assert "<style" not in element
    assert " width=" not in element.split(">", 1)[0]
    ElementTree.fromstring(element)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_label_beside_the_panels_is_below_the_legend_and_inside_the_figure(
    curve: pd.DataFrame, count: int
) -> None:
    figure = figures.post_panels({f"p{i}": curve.iloc[20:60] for i in range(count)})
    figure.draw_without_rendering()
    (label,) = [text for text in figure.texts if text.get_text().startswith("downloads per day")]
    box, legend = label.get_window_extent(), figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.axes[0].get_window_extent().x0
    assert figure.bbox.y0 <= box.y0 < box.y1 <= legend.y0


@pytest.mark.parametrize("count", [0, figures.MAX_PANELS + 1])
def test_panels_refuse_what_cannot_be_drawn(curve: pd.DataFrame, count: int) -> None:
    with pytest.raises(ValueError, match=f"found {count}"):
        figures.post_panels({f"p{i}": curve for i in range(count)})


def test_drawing_leaves_the_settings_of_the_user_alone(tables: Mapping[str, pd.DataFrame]) -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 31.0}):
        inside = figures.to_svg(figures.post_forest(tables["post"]), "a")
    assert inside == figures.to_svg(figures.post_forest(tables["post"]), "a")
    assert dict(mpl.rcParams) == before


def test_forests_and_panels_say_what_they_show(svgs: dict[str, str]) -> None:
    assert "mean and 95% interval" in svgs["forest"]
    assert "downloads per day, each panel on its own axis" in svgs["panels"]
    assert ">post<" in svgs["panels"]


def test_a_post_of_the_evening_is_drawn_at_the_downloads_of_its_day(
    curve: pd.DataFrame, cumulative: pd.DataFrame, posts: pd.DataFrame
) -> None:
    evening = posts.assign(date=posts["date"] + pd.Timedelta(hours=21))
    for moments in (posts, evening):
        figure = figures.campaign_curve(curve, cumulative, moments)
        marks = [figure.axes[0].lines[-1].get_xdata(), [x.get_xdata()[0] for x in vertical(figure)]]
        assert [list(found) for found in marks] == [days(posts["date"])] * 2
    when = dict(zip(evening["post"], evening["date"], strict=True))
    panels = figures.post_panels({"p01": curve.iloc[20:60]}, moments=when)
    assert panels.axes[0].lines[-1].get_xdata()[0] == days(posts["date"])[0]


def vertical(figure: Figure) -> list[Line2D]:
    """Return the lines of single days in the panel of the running total."""
    return [line for line in figure.axes[1].lines if len(set(line.get_xdata())) == 1]
