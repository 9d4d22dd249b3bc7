"""Small made-up interventions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def data() -> pd.DataFrame:
    """Return 60 daily rows; from row 45 on the outcome is 5 higher."""
    rng = np.random.default_rng(3)
    control = 50 + np.cumsum(rng.normal(0, 1, 60))
    other = rng.normal(10, 2, 60)
    outcome = 1.2 * control + rng.normal(0, 1, 60)
    outcome[45:] += 5.0
    index = pd.date_range("2025-01-01", periods=60, name="date")
    return pd.DataFrame({"y": outcome, "x1": control, "x2": other}, index=index)


@pytest.fixture
def periods() -> tuple[list[str], list[str]]:
    return ["2025-01-01", "2025-02-14"], ["2025-02-15", "2025-03-01"]
