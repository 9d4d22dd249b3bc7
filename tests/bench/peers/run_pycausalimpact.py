"""pycausalimpact: maximum likelihood by statsmodels, simulated paths."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from causalimpact import CausalImpact
from protocol import answer, frame, periods


def fit(case: dict[str, Any]) -> dict[str, Any]:
    data = frame(case)
    settings = {"nseasons": [{"period": case["season"]}]} if case["season"] > 1 else {}
    # its simulated paths come from NumPy's global state
    np.random.seed(case["seed"])  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = periods(data, case["n_pre"])
        dates = [str(day.date()) for day in (*before, *after)]
        found = CausalImpact(data, dates[:2], dates[2:], **settings)
    column = found.summary_data["cumulative"]
    ends = sorted((float(column["abs_effect_lower"]), float(column["abs_effect_upper"])))
    return {"mean": float(column["abs_effect"]), "lower": ends[0], "upper": ends[1]}


if __name__ == "__main__":
    answer("pycausalimpact", fit)
