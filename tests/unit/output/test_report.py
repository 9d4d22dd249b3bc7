"""The report of hand-made facts: complete, escaped, and one file by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from lift.analysis.diagnostics import Finding
from lift.analysis.identifiability import Identifiability
from lift.analysis.outcomes import Outcomes
from lift.output import report
from lift.output.facts import Facts, Singles

HOSTILE = '<b>"Ann" & $x_1$</b>'
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects what a reader sees, and complains of tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def svgs(hand_made: Facts) -> dict[str, str]:
    return report.draw(hand_made)


@pytest.fixture(scope="module")
def html(hand_made: Facts, svgs: dict[str, str]) -> str:
    return report.render(hand_made, svgs)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def simulated(hand_made: Facts, truth: pd.DataFrame, svgs: dict[str, str]) -> Page:
    return Page(report.render(replace(hand_made, truth=truth), svgs))


def test_the_answer_comes_first_with_its_interval(page: Page) -> None:
    sentence = (
        "The campaign's 4 posts brought an estimated 249,000 additional downloads "
        "(95% interval 199,000 to 299,000) from 2 March 2026 to 30 March 2026."
    )
    assert sentence in page.text
    assert page.text.index(sentence) < page.text.index("What was asked")


def test_every_post_and_group_has_its_row(page: Page) -> None:
    for text in (
        "130,000 103,540 to 156,460 >0.999 214 8.7%",
        "640 −465 to 1,745 0.871 9.0 0.0%",
        "p04: only prior: no day of its window was observed",
        "@mira · tiktok · human",
        "By influencer",
        "By platform",
        "By creator type",
    ):
        assert text in page.text
    assert "By content" not in page.text


def test_sections_say_what_a_reviewer_asks(page: Page) -> None:
    for text in (
        "must not be added up",
        "Single effects added up: 255,000 downloads (95% interval 201,000 to 309,000)",
        "Interaction index: +2.6%; the sum is larger than the whole",
        "4 of 4 posts share a day of their window",
        "The controls do not react to the posts.",
        "REVIEW Pareto k",
        "1 of 89 days has no observed count",
        "1 day is not observed (2026-03-13)",
        "lift fit CAMPAIGN --out NEW_RUN --seed 7 --draws 4000 --engine exact",
        "a" * 64,
        "horizon_days = 28",
        "Monte Carlo error",
        "Days are cut at midnight in Europe/Rome.",
    ):
        assert text in page.text


def test_what_comes_from_data_is_escaped(html: str, page: Page) -> None:
    assert HOSTILE in page.text
    assert "Spring & <i>friends</i>" in page.text
    assert "<script>alert(1)</script>" in page.text
    for raw in ("<script", "<i>", '<b>"Ann"'):
        assert raw not in html


def test_one_file_needs_no_network_and_no_script(html: str, page: Page) -> None:
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", html)) - names
    assert all(address.startswith("https://doi.org/") for address in addresses)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_anchors_lead_somewhere_and_identifiers_are_unique(page: Page) -> None:
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {
        (attributes["href"] or "").removeprefix("#")
        for tag, attributes in page.tags
        if tag == "a" and "href" in attributes
    }
    assert targets
    assert targets <= set(identifiers)


def test_figures_and_tables_are_described_for_those_who_do_not_see_them(page: Page) -> None:
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 7
    assert all(d["role"] == "img" and len(d["aria-label"] or "") > 40 for d in drawings)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table")
    assert tags.count("figcaption") == tags.count("figure") == len(drawings)
    headers = [attributes for tag, attributes in page.tags if tag == "th"]
    assert all(attributes.get("scope") in {"row", "col"} for attributes in headers)
    assert tags.count("h1") == 1
    numbers = re.findall(r"Figure (\d)\.", page.text)
    assert numbers == sorted(numbers) == [str(i + 1) for i in range(len(drawings))]


def test_simulated_data_are_called_so_and_truth_stands_beside(page: Page, simulated: Page) -> None:
    assert "Simulated data." not in page.text
    assert "truth (simulated)" not in page.text
    for text in (
        "Simulated data. Nothing here happened",
        "The true effect of the campaign is 251,000 downloads, within the interval.",
        "Of 4 posts, 3 have an interval that holds the true effect.",
        "126,000 inside",
        "120,000 outside",
    ):
        assert text in simulated.text


def test_an_interval_with_zero_is_not_sold_as_a_gain(
    hand_made: Facts, svgs: dict[str, str]
) -> None:
    campaign = hand_made.tables["campaign"].assign(lower=-12_000.0)
    unclear = replace(
        hand_made,
        tables={**hand_made.tables, "campaign": campaign},
        singles=Singles(1.0, -1.0, 3.0, float("nan")),
    )
    assert "the interval includes zero" in report.answer(unclear)
    assert (
        "not given, since the campaign's interval includes zero"
        in Page(report.render(unclear, svgs)).text
    )


def test_a_loss_is_called_a_loss(hand_made: Facts) -> None:
    campaign = hand_made.tables["campaign"].assign(mean=-5_000.0, lower=-9_000.0, upper=-1_000.0)
    lost = replace(hand_made, tables={**hand_made.tables, "campaign": campaign})
    assert report.answer(lost).startswith(
        "With the campaign's 4 posts, downloads were an estimated 5,000 lower "
        "(95% interval −9,000 to −1,000)"
    )


def test_a_failed_check_stands_at_the_top(hand_made: Facts, svgs: dict[str, str]) -> None:
    failed = replace(hand_made, findings=(Finding("FAIL", "R-hat", "1.31 at noise_sd"),))
    text = Page(report.render(failed, svgs)).text
    assert text.index("A check failed.") < text.index("The campaign's 4 posts")


def test_one_post_without_groups_or_controls_reads_well(hand_made: Facts) -> None:
    only = {"post": hand_made.tables["post"].head(1), "campaign": hand_made.tables["campaign"]}
    one = replace(
        hand_made,
        tables=only,
        posts=hand_made.posts.head(1),
        windows={"p01": hand_made.windows["p01"]},
        controls=(),
        curve=hand_made.curve.assign(observed=np.arange(len(hand_made.curve)) + 1.0),
    )
    text = Page(report.render(one)).text
    assert "The campaign's one post brought" in text
    assert "1 post, and no control series" in text
    assert "0 of 1 posts share" in text
    assert "Every day of the series has an observed count." in text
    assert "What groups of posts did" not in text
    assert "only brought forward from later weeks are counted as gained" in text
    taken_back = Page(report.render(replace(one, displacement=True), report.draw(one))).text
    assert "lets part of a response be taken back" in taken_back


def test_rendering_twice_gives_the_same_page(hand_made: Facts, html: str) -> None:
    assert report.render(hand_made) == html


def test_overlap_counts_windows_that_share_a_day() -> None:
    start = pd.to_datetime(["2026-01-01", "2026-01-10", "2026-02-01"])
    end = pd.to_datetime(["2026-01-10", "2026-01-20", "2026-02-02"])
    assert report.overlapping(pd.DataFrame({"start": start, "end": end})) == 2


@pytest.fixture(scope="module")
def whole(hand_made: Facts, beside: Outcomes) -> Page:
    """The page of a run with users, money and displacement."""
    pull_forward = pd.DataFrame(
        {
            "unit": ["campaign", "p04"],
            "gross_mean": [240_000.0, 700.0],
            "gross_lower": [200_000.0, -100.0],
            "gross_upper": [280_000.0, 1_500.0],
            "net_mean": [190_000.0, 500.0],
            "net_lower": [140_000.0, -200.0],
            "net_upper": [230_000.0, 1_200.0],
            "tipping": [0.83, np.nan],
            "prob_tipped": [0.02, 0.0],
            "net_mean_weaker": [188_000.0, 490.0],
            "net_mean_stronger": [192_000.0, 510.0],
            "note": ["", "only prior: no day observed"],
        }
    )
    facts = replace(hand_made, outcomes=beside, pull_forward=pull_forward)
    return Page(report.render(facts))


def test_users_say_what_they_rest_on(whole: Page) -> None:
    assert "rest on: assumption-driven: activation 0.8, retention D30 0.07." in whole.text
    assert (
        "campaign campaign 30 14,000 9,000 to 21,000 >0.999 151 13,500 assumption-driven"
        in whole.text
    )
    drawn = "Monte Carlo: assumption-driven 400 draws, error of P(> 0) up to 0.021."
    assert drawn in whole.text
    assert "assumption-driven, extrapolated" in whole.text
    assert "p04, day 30: only prior: no day observed" in whole.text
    assert "Incremental monthly active users" not in whole.text  # words of a figure
    assert "a lower bound" in whole.text


def test_money_is_unbounded_where_the_effect_may_be_nil(whole: Page) -> None:
    assert "p04 post downloads 500 0.81 0.012 0.2 to unbounded 0.871" in whole.text
    assert (
        "campaign campaign downloads 90,000 0.362 0.0010 0.3 to 0.45 >0.999 9,000,000 27.6"
        in whole.text
    )
    assert "Monte Carlo: downloads 4,000 draws, error of P(> 0) up to 0.0053." in whole.text
    # The campaign comes first, whatever the order of the table.
    assert whole.text.index("campaign downloads 90,000") < whole.text.index("post downloads 500")


def test_gross_and_net_stand_beside_the_tipping_share(whole: Page) -> None:
    assert "campaign 240,000 200,000 to 280,000 190,000 140,000 to 230,000 83.0%" in whole.text
    assert "above 100%" in whole.text


def test_without_them_nothing_is_said(page: Page) -> None:
    for words in ("Money and views", "Gross and net of pull-forward", "per unit of quality"):
        assert words not in page.text
    assert "coupling: shared" in page.text


def test_posts_that_are_only_prior_say_so_in_every_figure(
    hand_made: Facts, svgs: dict[str, str]
) -> None:
    assert report.only_prior(hand_made) == {"p04"}
    for name in ("windows", "panels"):
        assert svgs[name].count("(only prior)") == 1, name
    assert "(only prior)" not in svgs["curve"]


@pytest.fixture(scope="module")
def apart() -> Identifiability:
    """Two posts that are known together only, and one that is known by itself."""
    ids = ["p01", "p02", "p03"]
    pairs = xr.DataArray(
        np.eye(3),
        dims=("post", "other_post"),
        coords={"post": ids, "other_post": ids},
    )
    posts = pd.DataFrame(
        {
            "post": ids,
            "resolution": [0.31, 0.28, 0.97],
            "prior_share_of_variance": [0.51, 0.48, 0.03],
            "group": ["collision 1", "collision 1", ""],
            "only_prior": False,
            "note": "",
        }
    )
    group = {
        "group": "collision 1",
        "posts": "p01, p02",
        "n_posts": 2,
        "contrast_resolution": 0.2,
        "correlation": -0.9,
        "mean": 178_000.0,
        "lower": 165_000.0,
        "upper": 190_000.0,
        "prob": 0.95,
        "narrower": 3.0,
    }
    eigenvalues = np.array([0.97, 0.5, 0.09])
    return Identifiability(posts, pd.DataFrame([group]), 1.56, eigenvalues, pairs, pairs, pairs)


def test_what_the_data_say_of_each_post(
    hand_made: Facts, svgs: dict[str, str], apart: Identifiability, page: Page
) -> None:
    text = Page(report.render(replace(hand_made, told_apart=apart), svgs)).text
    assert "p01 31% 51% p02 p02 28% 48% p01 p03 97% 3%" in text
    assert "resolve 1.6 of 3 posts" in text
    wanted = "p01, p02 together: 178,000 incremental downloads (95% interval 165,000 to 190,000)."
    assert wanted in text
    assert "by itself cannot" not in page.text
    assert "What the data say of each post" not in page.text


def test_contrasts_say_which_less_which_and_in_what(
    hand_made: Facts, svgs: dict[str, str], page: Page
) -> None:
    numbers = {"mean": -0.102, "lower": -0.733, "upper": 0.612}
    row = {
        "attribute": "creator_type",
        "level": "virtual",
        "other": "human",
        "n_posts": 4,
        "n_other": 5,
        **numbers,
        "prob": 0.95,
        "prob_positive": 0.331,
        "daily_downloads": 2624.0,
        **{f"downloads_{end}": 2624.0 * value for end, value in numbers.items()},
        "support": 0.375,
        "note": "",
    }
    facts = replace(hand_made, contrasts=pd.DataFrame([row]), contrasts_mean="In such units.")
    text = Page(report.render(facts, svgs)).text
    minus = "\N{MINUS SIGN}"
    assert f"virtual less human 4 and 5 {minus}268 {minus}1,923 to 1,606 0.331" in text
    assert f"{minus}0.102 ({minus}0.733 to 0.612) 38%" in text
    assert "In such units." in text
    assert "One level against another" not in page.text
