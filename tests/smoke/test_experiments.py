"""Every experiment has its parts, and runs for real at small size with the expected numbers."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import numpy as np
import pytest

from lift import study
from lift.data.campaign import Campaign
from lift.model.design import build_design
from lift.model.spec import ModelSpec

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "experiments").glob("*/run.py"))
MAX_NOTES_LINES = 60


def needs(folder: Path) -> list[pytest.MarkDecorator]:
    """Return the marks of what lies outside the repository and the experiment reads."""
    config = study.read_config(folder)
    return [getattr(pytest.mark, name) for name in ("real_data", "anchors") if config.get(name)]


PARAMS = [
    pytest.param(
        folder,
        id=folder.name,
        marks=needs(folder),
    )
    for folder in FOLDERS
]


def test_there_are_experiments() -> None:
    assert {folder.name for folder in FOLDERS} >= {
        "coverage_overlapping_posts",
        "hacker_news_stars",
        "immuni_rollouts",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_parts(folder: Path) -> None:
    config = tomllib.loads((folder / "config.toml").read_text("utf-8"))
    assert isinstance(config["seed"], int)
    assert config["smoke"]
    expected = tomllib.loads((folder / "expected.toml").read_text("utf-8"))
    assert expected["versions"].keys() >= {"lift", "python", "numpy"}
    for table in ("numbers", "smoke"):
        assert expected[table]
        for entry in expected[table].values():
            assert set(entry) == {"value", "tolerance"}
    assert expected["numbers"].keys() >= expected["smoke"].keys()
    notes = (folder / "notes.md").read_text("utf-8").splitlines()
    assert 5 <= len(notes) <= MAX_NOTES_LINES


@pytest.mark.parametrize("folder", PARAMS)
def test_smoke_run_gives_the_expected_numbers(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    outcome = study.reproduce(folder, smoke=True, results=tmp_path)
    assert outcome.passed, outcome.text()
    assert outcome.compared
    after = {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert after == {path: data for path, data in before.items() if "__pycache__" not in path.parts}


def numbers_of(name: str) -> dict[str, float]:
    file = ROOT / "experiments" / name / "expected.toml"
    table = tomllib.loads(file.read_text("utf-8"))["numbers"]
    return {key: entry["value"] for key, entry in table.items()}


def texts_of(name: str) -> list[str]:
    """Return the headline numbers as the notes must write them."""
    n = numbers_of(name)
    if name == "coverage_overlapping_posts":
        return [
            f"| {unit} | {n[f'{unit}_n']:.0f} | {100 * n[f'{unit}_coverage_95']:.1f}% | "
            f"{100 * n[f'{unit}_coverage_50']:.1f}% | {n[f'{unit}_width_95_days']:.2f} | "
            f"{n[f'{unit}_rmse_days']:.2f} |"
            for unit in ("post", "influencer", "campaign")
        ]
    if name == "hacker_news_stars":
        return [
            f"| {n[f'{span}_mean']:.0f} [{n[f'{span}_lower']:.0f}, {n[f'{span}_upper']:.0f}] | "
            f"{n[f'{span}_raw_all']:g} |"
            for span in ("two_days", "week")
        ]
    if name in ("coverage_of_estimands", "coverage_of_users"):
        kinds = [key.removesuffix("_coverage_95") for key in n if key.endswith("_coverage_95")]
        return [
            f" | {n[f'{kind}_truths']:,.0f} | "
            + " | ".join(
                f"{100 * n[f'{kind}_coverage_{prob}']:.1f} ({100 * n[f'{kind}_se_{prob}']:.1f})"
                for prob in (95, 50)
            )
            for kind in kinds
        ]
    if name == "naive_alternatives":
        rows = [key.removesuffix("_rmse_days") for key in n if key.endswith("_rmse_days")]
        return [
            f" | {100 * n[f'{row}_coverage_95']:.1f} | {100 * n[f'{row}_coverage_50']:.1f} | "
            f"{n[f'{row}_rmse_days']:.2f} | {n[f'{row}_median_abs_error_days']:.2f} |"
            for row in rows
            if not row.startswith("ordinary_campaign")
        ]
    if name == "calibration_student_t":
        return [
            f"| {n['campaigns']:,.0f} | {n['outside_own_band']:.0f} of {n['quantities']:.0f} | "
            f"{n['smallest_p']:.2g} ({n['bonferroni_p']:.2g}) | {n['joint_p']:.2g} | "
            f"{n['median_least_ess']:.0f} | {100 * n['share_r_hat_above_1.05']:.1f}% |"
        ]
    if name == "simulation_based_calibration":
        return [
            f"| {model} | {n[f'{model}_campaigns']:,.0f} | "
            f"{n[f'{model}_outside_own_band']:.0f} of {n[f'{model}_quantities']:.0f} |"
            for model in (key.removesuffix("_campaigns") for key in n if key.endswith("_campaigns"))
        ]
    events = ("alerts", "certificate", "campaign")
    variants = ("horizon_14", "horizon_42", "level_rate_1000", "default")
    return [
        f"{n['main_campaign_mean']:,.0f} incremental downloads "
        f"[{n['main_campaign_lower']:,.0f}, {n['main_campaign_upper']:,.0f}]",
        *(
            " | ".join(f"{n[f'{label}_{event}_mean']:,.0f}" for event in events)
            for label in variants
        ),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "calibration_student_t",
        "coverage_of_estimands",
        "coverage_of_users",
        "coverage_overlapping_posts",
        "hacker_news_stars",
        "immuni_rollouts",
        "naive_alternatives",
        "simulation_based_calibration",
    ],
)
def test_notes_hold_the_expected_numbers(name: str) -> None:
    notes = (ROOT / "experiments" / name / "notes.md").read_text("utf-8")
    assert [text for text in texts_of(name) if text not in notes] == []


def test_posts_are_covered_as_often_as_the_intervals_say() -> None:
    """The committed result of the study of 20 campaigns; `make test-slow` runs it again."""
    file = ROOT / "experiments" / "coverage_overlapping_posts" / "expected.toml"
    numbers = tomllib.loads(file.read_text("utf-8"))["numbers"]
    assert 0.90 <= numbers["post_coverage_95"]["value"] <= 0.99
    assert numbers["campaign_n"]["value"] == 20
    assert numbers["posts_within_a_week"]["value"] > 3


@pytest.mark.parametrize("name", ["coverage_of_estimands", "coverage_of_users"])
def test_every_estimand_is_covered_as_often_as_its_intervals_say(name: str) -> None:
    """The committed result: two points, and two standard errors over campaigns."""
    n = numbers_of(name)
    kinds = [key.removesuffix("_truths") for key in n if key.endswith("_truths")]
    assert len(kinds) >= 4
    for kind in kinds:
        for prob in (95, 50):
            off = abs(n[f"{kind}_coverage_{prob}"] - prob / 100)
            assert off <= 0.02 + 2 * n[f"{kind}_se_{prob}"], (kind, prob)


def test_calibration_draws_again_what_no_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    run = runpy.run_path(str(ROOT / "experiments/simulation_based_calibration/run.py"))
    config = study.read_config(ROOT / "experiments/simulation_based_calibration")
    tables = run["skeleton"]("held", config, 1e9)
    design = build_design(Campaign(**tables), ModelSpec())
    draws = run["prior_campaign"]
    first = draws(design, 1e9, np.random.default_rng(1))[1]
    # a limit that the first draw keeps exactly, and one that it does not
    for limit, some_left_out in ((first.max(), False), (np.nextafter(first.max(), 0.0), True)):
        monkeypatch.setitem(draws.__globals__, "LARGEST_COUNT", limit)
        _, downloads, left_out = draws(design, 1e9, np.random.default_rng(1))
        assert downloads.max() <= limit
        assert (left_out > 0) == some_left_out
        assert np.array_equal(downloads, first) == (not some_left_out)
