"""The committed comparison of the exact engine with NUTS meets its bars."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).resolve().parents[2] / "experiments" / "agreement_with_nuts" / "results"


def test_means_and_sds_of_three_campaigns_agree() -> None:
    table = pd.read_csv(RESULTS / "agreement.csv")
    assert table["campaign"].nunique() == 3
    for _, mine in table.groupby("campaign"):
        names = set(mine["quantity"])
        assert {"noise_sd", "amplitude_sd", "effect[campaign]"} <= names
        assert sum(name.startswith("effect[p") for name in names) >= 6
    assert table["z"].abs().max() < 4.0
    assert (table["sd_ratio"] - 1.0).abs().max() < 0.05
    # the bar on sds means something only where NUTS knows them that well
    assert table["sd_ratio_mcse"].max() < 0.04
    assert table["r_hat_nuts"].max() < 1.01
