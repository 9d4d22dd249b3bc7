"""Data sets without the folder of real series and without a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lift.data import datasets
from lift.data.dataset_registry import DATASETS, EVENTS, immuni, stargazers
from lift.errors import LiftError

IMMUNI = """data,ios,android,ios_android,ios_total,android_total,ios_android_total
2020-06-01 00:00:00,10,20,30,10,20,30
2020-06-02 00:00:00,1,2,3,11,22,33
"""


def star(repo: str, at: str) -> str:
    return f'{{"owner": "Ada", "repo": "{repo}", "starred_at": "{at}", "user_login": "x"}}\n'


@pytest.fixture(autouse=True)
def _no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFT_DATA_DIR", raising=False)


def test_names_are_sorted_and_include_the_promised_ones() -> None:
    assert list(datasets.names()) == sorted(DATASETS)
    assert {"app_immuni", "hn_github_stars"} <= set(datasets.names())


def test_an_unknown_name_is_named_with_the_one_meant() -> None:
    with pytest.raises(LiftError, match=r"'app-immuni' \(did you mean 'app_immuni'\?\)"):
        datasets.fetch("app-immuni")


def test_immuni_is_converted() -> None:
    assert datasets.to_csv(immuni([IMMUNI])) == (
        "series_id,date,value\n"
        "app:immuni_android,2020-06-01,20\n"
        "app:immuni_android,2020-06-02,2\n"
        "app:immuni_ios,2020-06-01,10\n"
        "app:immuni_ios,2020-06-02,1\n"
        "app:immuni_ios_android,2020-06-01,30\n"
        "app:immuni_ios_android,2020-06-02,3\n"
    )


def test_stars_are_counted_by_utc_day_from_june_2023() -> None:
    late = star("zeta", "2023-06-03T23:59:59Z") + star("zeta", "2023-06-05T00:00:00Z")
    old = star("Old", "2013-01-01T10:00:00Z") + star("Old", "2023-06-02T10:00:00Z") * 2
    assert datasets.to_csv(stargazers([late, old])) == (
        "series_id,date,value\n"
        "hnstar:ada/old,2023-06-01,0\n"
        "hnstar:ada/old,2023-06-02,2\n"
        "hnstar:ada/zeta,2023-06-03,1\n"
        "hnstar:ada/zeta,2023-06-04,0\n"
        "hnstar:ada/zeta,2023-06-05,1\n"
    )


def test_what_has_no_pinned_address_says_where_it_is_published() -> None:
    for name, dataset in DATASETS.items():
        if dataset.sources:
            continue
        with pytest.raises(LiftError) as caught:
            datasets.fetch(name)
        message = str(caught.value)
        assert "LIFT_DATA_DIR" in message
        assert dataset.origin in message
        assert dataset.file in message


def test_every_data_set_can_be_had_somehow_and_is_pinned() -> None:
    for dataset in (*DATASETS.values(), EVENTS):
        assert dataset.file or dataset.sources
        assert len(dataset.sha256) == 64
        for source in dataset.sources:
            assert len(source.commit) == 40
            assert source.commit in source.address


def test_events_need_the_folder() -> None:
    with pytest.raises(LiftError, match=r"known_events\.csv.*not set"):
        datasets.events()


def test_a_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIFT_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(LiftError, match="must name a folder"):
        datasets.fetch("app_immuni")
    monkeypatch.setenv("LIFT_DATA_DIR", str(tmp_path))
    with pytest.raises(LiftError, match=r"must hold 'app_immuni\.csv'"):
        datasets.fetch("app_immuni")


class Kept:
    """Stands in for the network: hands out files, or fails as a dead line does."""

    def __init__(self, folder: Path, text: str | None) -> None:
        self.folder, self.text = folder, text
        self.asked: list[str] = []

    def retrieve(self, url: str, *, fname: str, **_options: object) -> str:
        self.asked.append(url)
        if self.text is None:
            raise ConnectionError("x" * 500)
        path = self.folder / fname
        path.write_text(self.text, encoding="utf-8")
        return str(path)


def through(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.retrieve", kept.retrieve)


def test_offline_without_a_folder_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    through(Kept(tmp_path, None), monkeypatch)
    with pytest.raises(LiftError) as caught:
        datasets.fetch("hn_github_stars")
    message = str(caught.value)
    assert "found: ConnectionError; connect to the network, or set LIFT_DATA_DIR" in message
    assert "licence_unclear/hn_github_stars.csv" in message
    with pytest.raises(LiftError, match=r"connect to the network$"):
        datasets.fetch("app_immuni_2021")


def test_an_original_is_asked_for_at_its_commit_and_converted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = Kept(tmp_path, IMMUNI)
    through(kept, monkeypatch)
    with pytest.raises(LiftError, match="the original is not the one that was pinned"):
        datasets.fetch("app_immuni_2021")
    assert kept.asked == [
        "https://raw.githubusercontent.com/immuni-app/immuni-dashboard-data/"
        "0051a5a0093084a47edbb3673428969d99dd29aa/dati/andamento-download.csv"
    ]
    text = datasets.to_csv(immuni([IMMUNI]))
    digest = hashlib.sha256(text.encode()).hexdigest()
    dataset = DATASETS["app_immuni_2021"]
    changed = type(dataset)(digest, dataset.origin, sources=dataset.sources, convert=immuni)
    monkeypatch.setitem(DATASETS, "app_immuni_2021", changed)
    frame = datasets.fetch("app_immuni_2021")
    assert frame["value"].tolist() == [20.0, 2.0, 10.0, 1.0, 30.0, 3.0]


def test_the_module_shows_what_it_offers() -> None:
    assert dir(datasets) == sorted(datasets.__all__)
    assert {"fetch", "names", "events"} <= set(dir(datasets))
    assert "os" not in dir(datasets)
