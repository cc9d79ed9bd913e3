"""What several test folders need: the real data, where there is some."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; tests that need it are skipped in a clone without them."""
    folder = os.environ.get("OPSCOPE_REAL_DATA")
    if not folder:
        pytest.skip("OPSCOPE_REAL_DATA is not set: the real data sets are not beside this clone")
    return Path(folder)
