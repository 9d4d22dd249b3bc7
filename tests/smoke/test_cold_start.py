"""A fresh process comes to the first result of one intervention without heavy imports or compiling.

Time belongs to the machine; what it goes to does not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest

from lift.engines import exact
from lift.engines import warm as engines
from lift.impact.warm import warm
from lift.model.design import Design

NEVER = (
    "arviz_stats",
    "causalimpact",
    "distributed",
    "matplotlib",
    "nutpie",
    "pooch",
    "pyarrow.parquet",
    "pymc",
    "pytensor",
    "rich",
    "scipy.stats",
    "statsmodels",
    "xarray",
)

FIRST_RESULT = """
import json, sys
import numpy as np
import lift
rows = np.arange(100.0)
control = 100.0 + 5.0 * np.sin(rows / 9.0)
outcome = 1.2 * control + np.cos(7.0 * rows)
outcome[70:] += 10.0
args = {"nseasons": NSEASONS}
found = lift.CausalImpact(np.column_stack([outcome, control]), [0, 69], [70, 99], args)
from lift.impact import _chain, _paths, _points
misses = {}
for module in (_chain, _paths, _points):
    for name, value in vars(module).items():
        if hasattr(value, "stats") and value.stats.cache_misses:
            misses[name] = sum(value.stats.cache_misses.values())
print(json.dumps([float(found.summary_data["AbsEffect"].iloc[0]), list(sys.modules), misses]))
"""


@pytest.mark.parametrize("nseasons", [1, 7])
def test_first_result_of_a_fresh_process(nseasons: int) -> None:
    warm()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_RESULT.replace("NSEASONS", str(nseasons))],
        capture_output=True,
        text=True,
        check=True,
    )
    effect, loaded, misses = json.loads(done.stdout)
    assert abs(effect - 10.0) < 1.0
    assert sorted(set(loaded) & set(NEVER)) == []
    assert misses == {}


def test_every_form_of_the_exact_engine_is_warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = set()
    pack = exact.pack

    def packed(design: Design, workers: int) -> exact.ExactModel:
        model = pack(design, workers)
        forms.add(model.form)
        return model

    monkeypatch.setattr(exact, "pack", packed)
    engines.warm()
    assert forms == set(get_args(exact.Form))
