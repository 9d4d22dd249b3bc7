"""The bundled campaign: simulated from published figures, with its truth beside it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lift.data.campaign import Campaign, read_campaign

FOLDER = Path(__file__).parent
TRUTH = "truth.csv"
SOURCE = "bundled:example"
"""What the manifest of a run calls this campaign."""


def load() -> tuple[Campaign, pd.DataFrame]:
    """Return the bundled campaign and its true effects.

    It is simulated: README.md beside the tables says from what, and
    :func:`lift.data.example.make.write` makes the same files again.

    Returns
    -------
    campaign : Campaign
    truth : DataFrame
        Columns by, unit and truth: leave-one-out incremental downloads over 28 days.
    """
    truth = pd.read_csv(FOLDER / TRUTH, dtype={"by": "str", "unit": "str", "truth": "float64"})
    return read_campaign(FOLDER, source=SOURCE), truth
