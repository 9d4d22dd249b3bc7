"""causalimpact 0.2.6: maximum likelihood by statsmodels; its bounds are sums of daily bounds."""

from __future__ import annotations

from typing import Any

from causalimpact import CausalImpact
from protocol import answer, frame, periods


def fit(case: dict[str, Any]) -> dict[str, Any]:
    data = frame(case)
    before, after = periods(data, case["n_pre"])
    settings = {"nseasons": case["season"]} if case["season"] > 1 else {}
    found = CausalImpact(data, before, after, model_args=settings)
    found.run()
    last = found.inferences.iloc[-1]
    ends = sorted((float(last["cum_effect_lower"]), float(last["cum_effect_upper"])))
    return {"mean": float(last["cum_effect"]), "lower": ends[0], "upper": ends[1]}


if __name__ == "__main__":
    answer("causalimpact", fit)
