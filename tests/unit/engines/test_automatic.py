"""The engine that is taken where none is asked for, and that it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_campaigns import campaign

from lift import pipeline
from lift.analysis.diagnostics import Finding, findings
from lift.data.campaign import Campaign
from lift.engines import automatic
from lift.engines.automatic import fit_automatic
from lift.engines.base import Engine, Progress, SampleSettings
from lift.engines.exact import fit_exact
from lift.engines.gibbs import fit_gibbs
from lift.engines.registry import engine_named
from lift.errors import EngineError
from lift.model.design import Design
from lift.model.posterior import Posterior
from lift.model.spec import ModelSpec

SETTINGS = SampleSettings(400, 2, 3)
TAILS = ModelSpec.model_validate({"baseline": {"noise": "student_t"}})


def said(posterior: Posterior) -> list[Finding]:
    return [finding for finding in findings(posterior) if finding.check == "Engine"]


@pytest.fixture
def bad_weights(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let the exact engine find that its weights are as bad as the parameter says."""

    def fit(
        data: Campaign,
        spec: ModelSpec,
        settings: SampleSettings,
        progress: Progress | None = None,
        design: Design | None = None,
    ) -> Posterior:
        fitted = fit_exact(data, spec, settings, progress, design)
        return fitted.with_stats({"pareto_k": request.param})

    monkeypatch.setattr(automatic, "fit_exact", fit)


def test_the_exact_engine_is_taken_where_it_reaches() -> None:
    assert engine_named("auto") is fit_automatic
    mine, exact = (fit(campaign(), ModelSpec(), SETTINGS) for fit in (fit_automatic, fit_exact))
    xr.testing.assert_identical(mine.draws, exact.draws)
    assert mine.attrs == exact.attrs
    assert mine.sample_stats == exact.sample_stats
    assert said(mine) == []


def test_the_gibbs_engine_is_taken_where_the_model_has_scale_variables() -> None:
    mine, gibbs = (fit(campaign(), TAILS, SETTINGS) for fit in (fit_automatic, fit_gibbs))
    xr.testing.assert_identical(mine.draws, gibbs.draws)
    (finding,) = said(mine)
    assert finding.level == "PASS"
    assert finding.text.startswith("draws of engine 'gibbs', since the model asks for baseline.noi")


def test_the_pymc_engine_is_taken_for_what_no_other_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def named(name: str) -> Engine:
        asked.append(name)
        return fit_exact

    monkeypatch.setattr(automatic, "engine_named", named)
    monkeypatch.setattr("lift.engines.exact.require", lambda *_: None)
    spec = ModelSpec.model_validate({"response": {"positive_only": True}})
    (finding,) = said(fit_automatic(campaign(), spec, SETTINGS))
    assert asked == ["pymc"]
    assert finding.text.endswith("since the model asks for response.positive_only = true")


def test_a_model_that_no_engine_fits_is_refused() -> None:
    with pytest.raises(EngineError, match="no engine does all of this"):
        fit_automatic(campaign(60, (30.4,), level=4.0), TAILS, SETTINGS)


@pytest.mark.parametrize("bad_weights", [0.71, float("nan"), float("inf")], indirect=True)
@pytest.mark.usefixtures("bad_weights")
def test_weights_that_must_not_be_trusted_are_not(tmp_path: Path) -> None:
    analysis = pipeline.analyse(campaign(), draws=2000, chains=2, seed=3, workers=1)
    gibbs = fit_gibbs(campaign(), ModelSpec(), SampleSettings(2000, 2, 3))
    xr.testing.assert_identical(analysis.posterior.draws, gibbs.draws)
    assert analysis.posterior.attrs["engine"] == "gibbs"
    (finding,) = said(analysis.posterior)
    assert finding.level == "REVIEW"
    assert "must not be trusted (Pareto k = " in finding.text
    engine = analysis.manifest["engine"]
    assert (engine["name"], engine["asked"]) == ("gibbs", "auto")
    assert "Pareto k" in engine["diagnostics"]["engine_reason"]
    folder = analysis.save(tmp_path / "run")
    assert "draws of engine" in (folder / "report.html").read_text(encoding="utf-8")
    (again,) = said(pipeline.load(folder).posterior)
    assert again == finding


@pytest.mark.parametrize("bad_weights", [0.7, 0.2, float("-inf")], indirect=True)
@pytest.mark.usefixtures("bad_weights")
def test_weights_that_will_do_are_kept() -> None:
    assert fit_automatic(campaign(), ModelSpec(), SETTINGS).attrs["engine"] == "exact"


@pytest.mark.parametrize("bad_weights", [0.9], indirect=True)
@pytest.mark.usefixtures("bad_weights")
def test_bad_weights_of_counts_are_not_trusted_either() -> None:
    data = campaign(60, (30.4,), level=4.0)
    analysis = pipeline.analyse(data, draws=1000, chains=2, workers=1)
    assert analysis.posterior.attrs["engine"] == "gibbs"
    assert analysis.manifest["engine"]["diagnostics"]["refused_pareto_k"] == 0.9


def test_what_was_asked_is_in_the_manifest() -> None:
    for engine in ("auto", "exact"):
        analysis = pipeline.analyse(campaign(), engine=engine, draws=1000, chains=2, workers=1)
        made = analysis.manifest["engine"]
        assert (made["name"], made["asked"]) == ("exact", engine)
        assert np.isfinite(made["diagnostics"]["pareto_k"])
