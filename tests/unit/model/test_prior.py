"""Draws of downloads from the prior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_campaigns import campaign

from lift.errors import EngineError
from lift.model.design import build_design
from lift.model.prior import draw_downloads, draw_prior
from lift.model.spec import ModelSpec


def test_a_mean_that_no_count_can_have_is_refused() -> None:
    spec = ModelSpec(likelihood="negative_binomial")
    design = build_design(campaign(60, (30.4,), level=4.0), spec)
    drawn = draw_prior(design, 4.0, np.random.default_rng(1))
    counts = draw_downloads(design, drawn, np.random.default_rng(2))
    np.testing.assert_array_equal(counts, np.round(counts))
    peak = np.where(np.arange(60) == 31, 60.0, drawn.log_mean)
    with pytest.raises(EngineError, match=r"at most 9e\+18 .* narrower priors"):
        draw_downloads(design, replace(drawn, log_mean=peak), np.random.default_rng(2))
