from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def _one_blas_thread() -> Iterator[None]:
    """Compute as an engine does: more BLAS threads are slower and change the last digits."""
    with threadpool_limits(1, user_api="blas"):
        yield
