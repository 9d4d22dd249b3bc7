"""Campaign folders with faults: how a good one is spoiled and what the message must say.

The data tests read each of them; the tests of the command line run the same cases.
"""

from __future__ import annotations

from bad_downloads import DOWNLOADS
from bad_files import FILES
from bad_posts import POSTS_AND_CONTROLS
from spoiling import BadInput, write_good

__all__ = ["CASES", "BadInput", "write_good"]

CASES: list[BadInput] = [*FILES, *DOWNLOADS, *POSTS_AND_CONTROLS]
