"""The shipped contracts are complete and consistent, because everything downstream believes them."""

from decimal import Decimal

import duckdb
import pytest
import yaml

from pipelines.errors import ContractError
from pipelines.ops import raw_table_ddl
from pipelines.sources.contracts import CONTRACTS, FEEDS, contract, contracts

PHYSICAL = {
    "string": ("VARCHAR",),
    "integer": ("BIGINT",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
    "boolean": ("BOOLEAN",),
}


def test_every_feed_has_its_contract_and_every_contract_its_feed() -> None:
    assert [feed.feed for feed in contracts()] == list(FEEDS)
    assert sorted(path.stem for path in CONTRACTS.glob("*.yml")) == sorted(FEEDS)


@pytest.mark.parametrize("name", FEEDS)
def test_a_contract_says_what_the_pipeline_relies_on(name: str) -> None:
    feed = contract(name)
    names = [column.name for column in feed.columns]
    assert len(names) == len(set(names))
    assert feed.key
    assert all(feed.column(column).required for column in feed.key)
    # A delivery can withdraw any record.
    assert feed.column("is_deleted").logical_type == "boolean"
    if feed.business_time:
        assert feed.column(feed.business_time).required
        assert feed.column(feed.business_time).logical_type in ("date", "timestamp")
    if feed.control_amount:
        with duckdb.connect() as connection:
            connection.execute("create schema raw")
            connection.execute(raw_table_ddl(feed))
            connection.execute(f"select sum({feed.control_amount}) from {feed.table}")


@pytest.mark.parametrize("name", FEEDS)
def test_types_and_limits_of_a_contract_fit(name: str) -> None:
    for column in contract(name).columns:
        assert column.description.endswith("."), column.name
        if column.logical_type == "number":
            precision, scale = column.precision_scale
            assert 0 <= scale <= precision <= 38
            for limit in (column.minimum, column.maximum):
                assert limit is None or abs(Decimal(str(limit))) < Decimal(10) ** (precision - scale)
        else:
            assert column.physical_type in PHYSICAL[column.logical_type], column.name
        if column.logical_type == "string":
            assert column.max_length or column.pattern or column.allowed, f"{column.name} may be of any length"


@pytest.mark.parametrize("name", FEEDS)
def test_contracts_follow_the_open_data_contract_standard(name: str) -> None:
    document = yaml.safe_load((CONTRACTS / f"{name}.yml").read_text(encoding="utf-8"))
    assert document["kind"] == "DataContract"
    assert document["apiVersion"].startswith("v3.")
    assert document["schema"][0]["physicalName"] == f"raw.{name}"


def test_unknown_feeds_and_columns_are_named_with_the_known_ones() -> None:
    with pytest.raises(ContractError, match="order_lines"):
        contract("orders")
    with pytest.raises(ContractError, match="supplier_name"):
        contract("suppliers").column("name")
