"""Every planted fault is named in one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs import CASES, BadInput, write_good
from spoiling import markets

from lift.data.campaign import read_campaign
from lift.errors import InputError


def test_the_campaign_that_is_spoiled_is_good(tmp_path: Path) -> None:
    assert len(read_campaign(write_good(tmp_path / "plain")).posts) == 4
    folder = write_good(tmp_path / "markets")
    markets(folder)
    assert read_campaign(folder).markets == ("IT", "US")


def test_ids_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 55


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_fault_is_named(
    case: BadInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIFT_DATA_DIR", raising=False)
    folder = write_good(tmp_path / "campaign")
    case.spoil(folder)
    with pytest.raises(InputError) as caught:
        read_campaign(folder)
    message = str(caught.value)
    missing = [piece for piece in case.expected if piece not in message]
    assert not missing, f"{missing} not in:\n{message}"
    assert "Traceback" not in message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_fault_is_invented(
    case: BadInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each problem that is reported holds at least one of the expected pieces."""
    monkeypatch.delenv("LIFT_DATA_DIR", raising=False)
    folder = write_good(tmp_path / "campaign")
    case.spoil(folder)
    with pytest.raises(InputError) as caught:
        read_campaign(folder)
    invented = [
        problem
        for problem in caught.value.problems
        if not any(piece in problem.what or piece in problem.where for piece in case.expected)
    ]
    assert not invented
