from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lift.errors import InputError
from lift.model.spec import BaselineSpec, ModelSpec, ResponseSpec, SeasonSpec

SD, RATE, SHAPE = st.floats(1e-9, 100.0), st.floats(0.01, 1e9), st.floats(0.01, 1e4)
GROUPS = ("platform", "content", "creator_type", "sponsored")

SPECS = st.builds(
    ModelSpec,
    horizon_days=st.integers(0, 365),
    likelihood=st.sampled_from(["auto", "lognormal", "negative_binomial"]),
    baseline=st.builds(
        BaselineSpec,
        week=st.booleans(),
        year_harmonics=st.one_of(st.just("auto"), st.integers(0, 26)),
        holidays=st.booleans(),
        controls=st.booleans(),
        control_transform=st.sampled_from(["auto", "log", "none"]),
        noise_rate=RATE,
        level_rate=RATE,
        level_start_sd=SD,
        week_sd=SD,
        year_sd=SD,
        holiday_sd=SD,
        control_rate=RATE,
        trend=st.sampled_from(["none", "damped", "linear"]),
        slope_phi_shapes=st.tuples(SHAPE, SHAPE),
        noise=st.sampled_from(["normal", "ar1"]),
        seasons=st.lists(
            st.builds(SeasonSpec, period_days=st.floats(60.0, 400.0), pairs=st.integers(1, 26)),
            max_size=2,
        ).map(tuple),
        holiday_lead=st.integers(0, 7),
    ),
    response=st.builds(
        ResponseSpec,
        window_days=st.integers(1, 365),
        kernel_by=st.sampled_from(["platform", "content", "none"]),
        group_by=st.lists(st.sampled_from(GROUPS), unique=True).map(tuple),
        influencer=st.booleans(),
        views=st.booleans(),
        mean_sd=SD,
        group_sd=SD,
        influencer_rate=RATE,
        post_rate=RATE,
        views_mean=st.floats(-3, 3),
        views_sd=st.floats(1e-6, 3),
        size_exponent=st.floats(0, 1),
        share_mean=st.floats(-8, 3),
        share_sd=st.floats(1e-6, 2),
        share_group_sd=st.floats(1e-6, 2),
        shape_mean=st.floats(-2, 2),
        shape_sd=st.floats(1e-6, 1),
        displacement_after=st.integers(0, 364),
        displacement_until=st.integers(1, 365),
        displacement_shape=SHAPE,
    ),
)


@given(SPECS)
def test_toml_gives_back_every_value(spec: ModelSpec) -> None:
    assert ModelSpec.from_text(spec.to_toml()) == spec


def test_toml_gives_back_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text(ModelSpec().to_toml(), encoding="utf-8")
    assert ModelSpec.from_toml(file) == ModelSpec()


def test_every_default_is_written() -> None:
    text = ModelSpec().to_toml()
    fields = [*ModelSpec.model_fields, *BaselineSpec.model_fields, *ResponseSpec.model_fields]
    # TOML has no word for what is not there
    absent = {name for name, field in ModelSpec.model_fields.items() if field.default is None}
    assert {name for name in fields if f"{name}" not in text} == absent == {"users", "markets"}


def test_no_key_is_the_default() -> None:
    assert ModelSpec.from_text("") == ModelSpec()


def test_one_key_changes_one_value() -> None:
    spec = ModelSpec.from_text("[baseline]\nweek_sd = 0.5\n")
    assert spec.baseline.week_sd == 0.5
    rest = spec.model_copy(update={"baseline": BaselineSpec()})
    assert rest == ModelSpec()


def test_every_fault_is_named_at_once() -> None:
    text = """
    horizon = 10
    likelihood = "poisson"
    [baseline]
    week_sd = -1.0
    year_harmonics = "many"
    [response]
    group_by = ["platform", "mood"]
    window_days = 0
    views_mean = nan
    """
    with pytest.raises(InputError) as caught:
        ModelSpec.from_text(text, "mine.toml")
    problems = caught.value.problems
    assert {problem.where for problem in problems} == {"mine.toml"}
    whats = [problem.what for problem in problems]
    for start in (
        "key 'horizon' is unknown (did you mean 'horizon_days'?)",
        "'likelihood' must be 'auto', 'lognormal' or 'negative_binomial', found 'poisson'",
        "'baseline.week_sd' must be at least 1e-09, found -1.0",
        "'baseline.year_harmonics' must be a whole number or 'auto', found 'many'",
        "'response.group_by.1' must be 'platform', 'content', 'creator_type' or 'sponsored', found",
        "'response.window_days' must be at least 1, found 0",
        "'response.views_mean' must be a finite number, found nan",
    ):
        assert len([what for what in whats if what.startswith(start)]) == 1, (start, whats)
    assert len(whats) == 7


def test_python_is_refused_as_files_are_with_every_fault_and_the_key_that_was_meant() -> None:
    wrong = {
        "horizon_days": -1,
        "week_sd": 0.5,
        "baseline": {"nois": "x", "trend": "dampd", "horizon_days": 3, "influencr": 2.0},
        "users": {
            "assumption": {
                "activation": "inclded",
                "retention": {"0": {"mean": 0.1, "n": 5}, "7": {"mean": 0.3}},
            }
        },
    }
    expected = {
        "'horizon_days' must be at least 0, found -1",
        "key 'week_sd' is unknown; it belongs below [baseline]",
        "key 'baseline.nois' is unknown (did you mean 'noise'?)",
        "'baseline.trend' must be 'none', 'damped' or 'linear', found 'dampd' (did you mean 'damp",
        "key 'baseline.horizon_days' is unknown; it belongs above all [tables]",
        "key 'baseline.influencr' is unknown (did you mean 'influencer' below [response]?)",
        "'users.assumption.activation' must be a table of settings or 'included', found 'inclded",
        "'users.assumption.retention.0' must be at least 1, found '0'",
        "users.assumption.retention.7: give the mean with either n, or lower and upper",
    }
    for make in (lambda: ModelSpec(**wrong), lambda: ModelSpec.model_validate(wrong)):
        with pytest.raises(InputError) as caught:
            make()
        found = [problem.what for problem in caught.value.problems]
        assert {problem.where for problem in caught.value.problems} == {"ModelSpec"}
        assert len(found) == len(expected)
        for start in expected:
            assert [what for what in found if what.startswith(start)], (start, found)
        assert "pydantic" not in str(caught.value)


def test_what_is_not_a_table_is_refused() -> None:
    with pytest.raises(InputError, match="'baseline' must be a table of settings, found 3"):
        ModelSpec.model_validate({"baseline": 3})
    with pytest.raises(InputError, match="the settings must be a table of settings, found 'x'"):
        ModelSpec.model_validate("x")


@pytest.mark.parametrize("lags", [(20, 20), (42, 14), (14, 60), (14, 80)])
def test_displaced_downloads_lie_inside_the_window(lags: tuple[int, int]) -> None:
    text = "[response]\ndisplacement_after = {}\ndisplacement_until = {}\n".format(*lags)
    ModelSpec.from_text(text)
    with pytest.raises(InputError, match=f"found {lags[0]}, {lags[1]} and 60"):
        ModelSpec.from_text(text + "displacement = true\n")


def test_displacement_is_written_and_read_back() -> None:
    spec = ModelSpec.model_validate({"response": {"displacement": True}})
    assert ModelSpec.from_text(spec.to_toml()) == spec
    assert spec.response.displacement


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[baseline]\nweek_sd = "wide"', id="text-for-number"),
        pytest.param("baseline = 3", id="number-for-table"),
        pytest.param("horizon_days = 2.5", id="part-of-a-day"),
        pytest.param("horizon_days = 366", id="too-long"),
        pytest.param("horizon_days = -1", id="negative"),
        pytest.param("[response]\nsize_exponent = 1.01", id="exponent"),
        pytest.param("[baseline]\nnoise_rate = inf", id="infinite"),
        pytest.param("[baseline]\nnoise_rate = 0.0", id="zero-rate"),
        pytest.param("[baseline]\nlevel_rate = 1e-300", id="tiny-rate"),
        pytest.param("[baseline]\nweek_sd = 1e-320", id="tiny-sd"),
        pytest.param("[baseline]\nlevel_start_sd = 1e200", id="huge-start"),
        pytest.param("[response]\nmean_sd = 1e100", id="huge-mean"),
        pytest.param("[response]\nshare_mean = -45.0", id="kernel-without-end"),
        pytest.param("[response]\nshare_mean = 7.0", id="kernel-of-one-day"),
        pytest.param("[response]\nshare_sd = 20.0", id="shares-of-any-size"),
        pytest.param("[baseline]\nyear_harmonics = 27", id="too-many-waves"),
        pytest.param("[prior]\nx = 1", id="unknown-table"),
        pytest.param('scale = "linear"\nlikelihood = "lognormal"', id="linear-lognormal"),
        pytest.param('scale = "linear"\nlikelihood = "negative_binomial"', id="linear-counts"),
        pytest.param("[[baseline.seasons]]\nperiod_days = 3.0\npairs = 2", id="waves-too-short"),
        pytest.param("[baseline]\nholiday_lead = 8", id="lead-too-long"),
        pytest.param('[response]\nkernel = "free"\nwindow_days = 21', id="free-beyond-the-window"),
        pytest.param("[baseline]\nweek = false\nweek_evolves = true", id="no-week-to-evolve"),
        pytest.param(
            '[baseline]\ncontrols = false\nevolving_controls = ["a"]', id="no-controls-to-evolve"
        ),
        pytest.param('[baseline]\nevolving_controls = ["a", "b", "c", "d"]', id="four-evolve"),
        pytest.param('[baseline]\nevolving_controls = ["a", "a"]', id="evolves-twice"),
        pytest.param(
            '[baseline]\ncontrol_prior = "spike_slab"\nevolving_controls = ["a"]',
            id="selected-by-the-first-day",
        ),
        pytest.param(
            '[baseline]\ncontrol_prior = "horseshoe"\nevolving_controls = ["a"]',
            id="shrunk-by-the-first-day",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ModelSpec.from_text(text)


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"must be TOML.*line 2"):
        ModelSpec.from_text("likelihood = 'auto'\nhorizon_days 4")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        ModelSpec.from_toml(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.toml"):
        ModelSpec.from_toml(tmp_path / "latin.toml")


def test_a_specification_cannot_be_changed() -> None:
    spec = ModelSpec()
    with pytest.raises(ValidationError, match="frozen"):
        spec.horizon_days = 3
    with pytest.raises(ValidationError, match="frozen"):
        spec.baseline.week = False
    with pytest.raises(ValidationError, match="frozen"):
        spec.response.views = False
