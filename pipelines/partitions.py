"""The partitions: one per delivery day, the same for every asset. Nothing else belongs here."""

from datetime import date, timedelta

import dagster as dg

from pipelines.sources.profiles import Profile

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def delivery_days(profile: Profile) -> dg.DailyPartitionsDefinition:
    """Daily partitions from the company's first delivery day, in its time zone."""
    after_last = (profile.ends_on + timedelta(days=1)).isoformat() if profile.ends_on else None
    return dg.DailyPartitionsDefinition(
        start_date=profile.starts_on.isoformat(), end_date=after_last, timezone=profile.time_zone
    )


def days_of(context: dg.AssetExecutionContext) -> list[date]:
    """The delivery days of the running step, oldest first."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags that make one run cover all days from first to last."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
