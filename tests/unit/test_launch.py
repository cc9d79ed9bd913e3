"""Which days a run may be asked for."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.assets.shell import Installation
from pipelines.errors import ProfileError
from pipelines.launch import launch, newest_day
from pipelines.partitions import delivery_days
from pipelines.sources.landing import last_day
from tests.unit.ingestion.shop import Shop, line


def installation_of(shop: Shop) -> Installation:
    return Installation(shop.settings, shop.profile, delivery_days(shop.profile))


def test_a_day_to_come_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A mistyped year would leave an as-of day that no delivery can ever make good."""
    shop = Shop(tmp_path)
    ours = installation_of(shop)
    tomorrow = last_day(ours.profile) + timedelta(days=1)
    with pytest.raises(ProfileError, match="which is today"):
        launch(ours, "nightly", tomorrow, tomorrow)
    assert not shop.settings.warehouse_path.exists()


def test_the_newest_day_is_not_one_to_come(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put("2024-01-05/a.csv", line("A"))
    shop.put("2099-01-05/a.csv", line("B"))
    assert newest_day(installation_of(shop)) == date(2024, 1, 5)
