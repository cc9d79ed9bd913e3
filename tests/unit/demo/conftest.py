"""Generated companies the tests of the generator read; they are made once and never written to."""

from pathlib import Path

import pytest

from pipelines.demo import Truth, generate


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Enough days for every accident and every kind of defect."""
    out: Path = tmp_path_factory.mktemp("demo")
    return generate(out, seed=11, days=14, scale=0.5, history_days=150)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return generate(tmp_path_factory.mktemp("clean"), seed=11, days=14, scale=0.5, history_days=30, dirty=False)
