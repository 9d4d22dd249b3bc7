"""The data sets that lift knows: where each comes from, its digest and its conversion."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

Converter = Callable[[Sequence[str]], pd.DataFrame]

HN_FIRST_DAY = date(2023, 6, 1)
"""First day of the star counts; a repository that got its first star later begins there."""


@dataclass(frozen=True)
class Source:
    """A file of the original repository at a commit.

    Attributes
    ----------
    repository, commit, path : str
    sha256 : str
        Of the original file; empty where it is not pinned and the digest of the converted table
        is the only check.
    """

    repository: str
    commit: str
    path: str
    sha256: str = ""

    @property
    def address(self) -> str:
        """The raw address of the file."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"


def as_they_are(texts: Sequence[str]) -> pd.DataFrame:
    """Return the one text, which is a table series_id, date, value already."""
    return pd.read_csv(io.StringIO(texts[0]))


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes
    ----------
    sha256 : str
        Of the table series_id, date, value as CSV.
    origin : str
        Who published the original.
    file : str
        Its path in the folder that LIFT_DATA_DIR names; empty if it is not there.
    sources : tuple of Source
        The original files; empty where no pinned commit is known to hold this content.
    convert : callable
        Makes the table from the texts of the original files.
    instead : str
        A hint that ends the message of a data set without sources.
    """

    sha256: str
    origin: str
    file: str = ""
    sources: tuple[Source, ...] = ()
    convert: Converter = as_they_are
    instead: str = ""


def immuni(texts: Sequence[str]) -> pd.DataFrame:
    """Return the daily downloads of the Immuni app from its publishers' table.

    Parameters
    ----------
    texts : sequence of str
        One CSV with the columns data, ios, android, ios_android and running totals.
    """
    table = pd.read_csv(io.StringIO(texts[0]), dtype="str")
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "series_id": f"app:immuni_{store}",
                    "date": table["data"].str.slice(0, 10),
                    "value": table[store].astype("int64"),
                }
            )
            for store in ("android", "ios", "ios_android")
        ],
        ignore_index=True,
    )


def stargazers(texts: Sequence[str]) -> pd.DataFrame:
    """Return the stars per UTC day of repositories from lists of who starred when.

    Parameters
    ----------
    texts : sequence of str
        For each repository JSON lines with the keys owner, repo and starred_at.

    Returns
    -------
    DataFrame
        By series; every day from the first star, or 2023-06-01 if that is later, to the last.
    """
    parts: dict[str, pd.DataFrame] = {}
    for text in texts:
        stars = [json.loads(line) for line in text.splitlines() if line.strip()]
        series = f"hnstar:{stars[0]['owner']}/{stars[0]['repo']}".lower()
        counts = Counter(datetime.fromisoformat(star["starred_at"]).date() for star in stars)
        first, last = max(min(counts), HN_FIRST_DAY), max(counts)
        days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
        parts[series] = pd.DataFrame(
            {
                "series_id": series,
                "date": [day.isoformat() for day in days],
                "value": [counts[day] for day in days],
            }
        )
    return pd.concat([parts[series] for series in sorted(parts)], ignore_index=True)


IMMUNI = "immuni-app/immuni-dashboard-data"
HACKER_NEWS = "obadaKraishan/Launch-Day-Diffusion"
HACKER_NEWS_COMMITS = {
    "algolia_hn-search": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "b1n4r1b01_n-days": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "cvilsmeier_go-sqlite-bench": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "elixir-lang_expert": "e1efda1207c89549e79e9cf97757963c7c5e6e95",
    "ibm_mcp-context-forge": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "isene_imdb": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "lsolbach_qclojure": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "pgautoupgrade_docker-pgautoupgrade": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "tiny-tpu-v2_tiny-tpu": "6d9e56bd514964570b52fff455f345e57a9511a4",
    "underpig1_octos": "6d9e56bd514964570b52fff455f345e57a9511a4",
}

DATASETS: dict[str, Dataset] = {
    "app_immuni": Dataset(
        sha256="cb0723fb2ef56297d64e0c03375cab6bfbefa7067814cc3ae09bbfb59750209f",
        origin=f"{IMMUNI}, dati/andamento-download.csv (CC BY 4.0)",
        file="app_immuni.csv",
        instead="; 'app_immuni_2021' is an earlier version of it that can be had over the network",
    ),
    "app_immuni_2021": Dataset(
        sha256="1ca03c36321f9d34872232a3fb80cdafa4414fbf3bb445a5afd5172cd762164d",
        origin=f"{IMMUNI}, dati/andamento-download.csv (CC BY 4.0)",
        sources=(
            Source(
                IMMUNI,
                "0051a5a0093084a47edbb3673428969d99dd29aa",
                "dati/andamento-download.csv",
                "7099e0a6c56001c564ec6c9400ce2e894c58b087838a3cafaa3fa249bdd951f7",
            ),
        ),
        convert=immuni,
    ),
    "bicimad_users": Dataset(
        sha256="f67d48eeec9555c4182a40c382be46b60606dcfd5dc0bd54cb1890d7253907d8",
        origin="skforecast/skforecast-datasets (BSD-3-Clause)",
        file="bicimad_users.csv",
    ),
    "bike_sharing_dc": Dataset(
        sha256="0e1683ac7c557bef81b941bf309d01bbd8f231a5eb681a368a0198a02eac325a",
        origin="the R package timetk (GPL >= 3)",
        file="bike_sharing_dc.csv",
    ),
    "blog_hyndsight": Dataset(
        sha256="3252e943e28463710eb4434e8f9d2f52328b01a3bdfd0c6b90b2b66c635516ce",
        origin="the R package fpp2 (GPL-3)",
        file="blog_hyndsight.csv",
    ),
    "chicago_l_entries": Dataset(
        sha256="da7d3fda8bfc6e81b86bfc728934eb7d5d3a9bd51ec3adb48053df1e00e4eca9",
        origin="the R package modeldata (MIT)",
        file="chicago_l_entries.csv",
    ),
    "cran_tidyverse_2017": Dataset(
        sha256="82cbe45a03709c7ac72357c471a66b6a1549b90f8d9f535b6c789d10f746b9d3",
        origin="the R package anomalize (GPL >= 3)",
        file="cran_tidyverse_2017.csv",
    ),
    "github_stars": Dataset(
        sha256="b6ea7f87f6db4defc668b73c8a0d6c00235b04fa1fa4a6b515f5c20ec72b008d",
        origin="EvanLi/Github-Ranking (MIT)",
        file="github_stars.csv",
    ),
    "github_stars_tidyverse": Dataset(
        sha256="df42293f5e331f8eba542a292a0276baabbd2f51bf698e5f1ed432c4178a4b12",
        origin="shahreyar-abeer/cranstars (MIT)",
        file="github_stars_tidyverse.csv",
    ),
    "hn_github_stars": Dataset(
        sha256="afeb5e42da4cd4016bb6e82e0c281f2bff3c2fe7cad0a3b4c398a900950981d4",
        origin=f"{HACKER_NEWS}, src/data/raw (no licence file)",
        file="licence_unclear/hn_github_stars.csv",
        sources=tuple(
            Source(HACKER_NEWS, commit, f"src/data/raw/stargazers_{repository}.jsonl")
            for repository, commit in HACKER_NEWS_COMMITS.items()
        ),
        convert=stargazers,
    ),
    "ksp_mods": Dataset(
        sha256="bb1642164c804cc028aa0dd1f2cf2eb3ab31b05a4b170bc6254dd8cd28041b32",
        origin="KSP-CKAN/CKAN-meta, history of download_counts.json (CC0 1.0)",
        file="ksp_mods.csv",
    ),
    "obsidian_plugins": Dataset(
        sha256="25ca1d5a35b0727494ecd40aef7520b7efce088069c9bf981860d22504bec781",
        origin="obsidianmd/obsidian-releases, history of community-plugin-stats.json "
        "(no licence file)",
        file="licence_unclear/obsidian_plugins.csv",
    ),
    "wikipedia_prophet": Dataset(
        sha256="1dd516bd2be1b31dce679a90f739a493a5a5cbed153030a399e4013e69747cd3",
        origin="facebook/prophet, examples (MIT)",
        file="wikipedia_prophet.csv",
    ),
    "wikipedia_timetk": Dataset(
        sha256="5b0ee1b583cf932310398750b2f0a016d7500e4e0463f44ef5542016e171db3d",
        origin="the R package timetk (GPL >= 3)",
        file="wikipedia_timetk.csv",
    ),
    "wikipedia_uk_mps_2022": Dataset(
        sha256="5fed58644851d3623255cc79d24a8678c5022f273c890f4a6514c20a48d92bb0",
        origin="philswatton/mp_pageviews_2022, data/mps_tscs.rds (no licence stated)",
        file="wikipedia_uk_mps_2022.csv",
    ),
}

EVENTS = Dataset(
    sha256="09701ae96d82decd0ec38bf4a8f1c96d145ea39112bdc093c190a89bcd6931fa",
    origin="the sources of the series, where a note does not say otherwise",
    file="known_events.csv",
)
