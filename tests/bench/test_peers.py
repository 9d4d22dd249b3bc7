"""Peers are asked as processes and answer as the protocol says; an absent one is named."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.peers import calling

from lift.impact.causal_impact import CausalImpact
from lift.rng import stream

HERE = Path(calling.__file__).parent


@pytest.fixture
def case() -> dict[str, object]:
    rng = stream(3, "bench")
    control = rng.normal(size=80).cumsum()
    outcome = 10 + control + rng.normal(size=80)
    outcome[60:] += 3.0
    return {
        "name": "one",
        "outcome": outcome.tolist(),
        "controls": control[:, None].tolist(),
        "n_pre": 60,
        "season": 1,
        "draws": 2000,
        "seed": 1,
    }


def test_every_peer_has_a_script_and_its_own_environment_a_list_of_versions() -> None:
    for peer in (*calling.MAIN, *calling.OWN):
        assert (HERE / f"run_{peer}.py").is_file()
    lists = {file.stem: file.read_text("utf-8").splitlines() for file in HERE.glob("*.txt")}
    assert lists.keys() == set(calling.OWN)
    for lines in lists.values():
        assert re.fullmatch(r"# python 3\.\d+", lines[0])
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^\s;@]+", line) for line in lines[1:])


def test_an_absent_peer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(calling, "ENVIRONMENTS", tmp_path / ".peers")
    with pytest.raises(calling.AbsentPeerError, match=r"causalpy must be installed.*bench-peers"):
        calling.ask("causalpy", [])


@pytest.mark.filterwarnings("default")
def test_a_peer_of_the_same_algorithm_gives_lifts_answer(case: dict[str, object]) -> None:
    if sys.version_info >= (3, 14):
        # bsts-causalimpact has no wheel for it: then it must be named
        with pytest.raises(RuntimeError, match="bsts_causalimpact failed"):
            calling.ask("bsts_causalimpact", [case])
        return
    answer = calling.ask("bsts_causalimpact", [case])["cases"][0]
    assert answer["seconds"] > 0.0
    assert np.shape(answer["effect"]) == (4, 500)
    assert set(answer["hyper"]) == {"sigma_obs", "sigma_level"}
    table = np.column_stack([case["outcome"], case["controls"]])
    own = CausalImpact(table, [0, 59], [60, 79], {"niter": 2000}).summary_data.loc["Cumulative"]
    width = own["AbsEffect.upper"] - own["AbsEffect.lower"]
    assert abs(answer["mean"] - own["AbsEffect"]) < 0.1 * width
    assert answer["lower"] < answer["mean"] < answer["upper"]


def test_what_a_peer_raises_is_its_answer(case: dict[str, object]) -> None:
    answer = calling.ask("bsts_causalimpact", [{**case, "n_pre": 80}])["cases"][0]
    assert "Error" in answer["error"]
