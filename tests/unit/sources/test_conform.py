"""Records become contract rows: mapping, types, rules, and where each record ends. Oracles are worked out by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pipelines import ops
from pipelines.errors import FileRefusedError, ProfileError
from pipelines.sources.chunks import Chunk, Reject
from pipelines.sources.conform import Conformed, Conformer
from pipelines.sources.contracts import contract
from pipelines.sources.profiles import Profile, Source, load_profile

LINE = {
    "order_id": "O1",
    "line_no": "1",
    "ordered_at": "2025-03-01 10:00:00",
    "product_id": "P1",
    "channel_id": "web",
    "quantity": "2",
    "unit_price": "9.99",
    "currency": "EUR",
}


def at(*parts: int) -> datetime:
    """A moment the way rows hold it: UTC, without saying so."""
    year, month, day, *rest = parts
    return datetime(year, month, day, *rest, tzinfo=UTC).replace(tzinfo=None)


def source_of(**keys: Any) -> Source:
    return Source(**({"path": "x.csv", "delivered_on": "arrival"} | keys))


def conformer_of(
    source: Source, feed: str = "order_lines", zone: str = "UTC", lookups: Mapping[str, pa.Table] | None = None
) -> Conformer:
    profile = Profile(
        company="acme", base_currency="EUR", time_zone=zone, starts_on="2025-01-01", feeds={feed: [source]}
    )
    return Conformer(source, contract(feed), profile, lookups)


def chunk_of(records: pa.Table | list[dict[str, Any]], first: int = 1, rejects: list[Reject] | None = None) -> Chunk:
    table = records if isinstance(records, pa.Table) else pa.Table.from_pylist(records)
    numbers = pa.array(range(first, first + len(table)), pa.int64())
    return Chunk(table, numbers, pa.array(range(len(table)), pa.int64()), lambda i: f"raw {i}", rejects or [])


def conform(*records: dict[str, Any], feed: str = "order_lines", zone: str = "UTC", **keys: Any) -> Conformed:
    return conformer_of(source_of(**keys), feed, zone).conform(chunk_of(list(records)))


def column(conformed: Conformed, name: str) -> list[Any]:
    values: list[Any] = conformed.rows.column(name).to_pylist()
    return values


def reasons(conformed: Conformed) -> list[tuple[int, str, str | None]]:
    return [(reject.record_no, reject.reason_code, reject.column_name) for reject in conformed.rejects]


# --------------------------------------------------------------------------------------------------------------- rows


def test_a_plain_record_becomes_a_row_of_the_contracts_types() -> None:
    found = conform(LINE)
    feed = contract("order_lines")
    assert found.rows.column_names == [*(column.name for column in feed.columns), "_record_no"]
    assert found.rows.schema.field("quantity").type == pa.decimal128(18, 3)
    assert found.rows.schema.field("ordered_at").type == pa.timestamp("us")
    assert found.rows.schema.field("promised_on").type == pa.date32()
    assert found.rows.schema.field("is_deleted").type == pa.bool_()
    assert found.rows.to_pylist()[0] == dict.fromkeys(found.rows.column_names) | {
        "order_id": "O1",
        "line_no": 1,
        "ordered_at": at(2025, 3, 1, 10),
        "product_id": "P1",
        "channel_id": "web",
        "quantity": Decimal(2),
        "unit_price": Decimal("9.99"),
        "currency": "EUR",
        "_record_no": 1,
    }


def test_no_records_give_no_rows() -> None:
    table = pa.table({name: pa.array([], pa.string()) for name in LINE})
    found = conformer_of(source_of()).conform(chunk_of(table))
    assert (found.rows.num_rows, found.rejects, found.amount_loaded) == (0, [], 0)


def test_columns_are_filled_from_others_constants_expressions_and_running_numbers() -> None:
    records = [{"Invoice": invoice, "Code": " A1 ", "Q": "1"} for invoice in ("7", "7", "8", "7")]
    fillings = {
        "order_id": "Invoice",
        "line_no": {"ordinal_within": ["Invoice"]},
        "ordered_at": {"constant": "2025-01-01 00:00"},
        "product_id": {"expression": "trim(Code)"},
        "channel_id": {"constant": "web"},
        "quantity": {"expression": "Q::int * 3"},
        "unit_price": {"constant": 1.5},
        "currency": {"constant": "EUR"},
    }
    conformer = conformer_of(source_of(columns=fillings))
    found = conformer.conform(chunk_of(records))
    assert column(found, "line_no") == [1, 2, 1, 3]
    assert column(found, "product_id") == ["A1"] * 4
    assert column(found, "quantity") == [Decimal(3)] * 4
    again = conformer.conform(chunk_of(records, first=5))
    assert column(again, "line_no") == [4, 5, 2, 6]  # counted across the chunks of a file
    assert column(again, "_record_no") == [5, 6, 7, 8]


def test_leading_zeros_of_ids_stay_and_blanks_around_ids_and_numbers_go() -> None:
    found = conform(LINE | {"order_id": "007", "product_id": " P1", "quantity": " 2\t"})
    assert (column(found, "order_id"), column(found, "product_id")) == (["007"], ["P1"])
    assert column(found, "quantity") == [2]


# ------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("line_no", "1.5", "not_an_integer"),
        ("line_no", "2.4999", "not_an_integer"),
        ("line_no", "0x1F", "not_an_integer"),
        ("line_no", "١٢", "not_an_integer"),
        ("line_no", "9223372036854775808", "number_too_large"),
        ("line_no", "inf", "not_finite"),
        ("quantity", "1e309", "not_finite"),
        ("quantity", "NaN", "not_finite"),
        ("quantity", "-Infinity", "not_finite"),
        ("quantity", "1,5", "not_a_number"),
        ("quantity", "1\u00a0000", "not_a_number"),
        ("quantity", "$5", "not_a_number"),
        ("quantity", "0.0001", "too_many_decimals"),
        ("quantity", "1e15", "number_too_large"),
        ("quantity", "9" * 39, "number_too_large"),
        ("quantity", "9" * 300, "number_too_large"),
        ("quantity", "1000000000.001", "above_maximum"),
        ("unit_price", "-1000000000.0001", "below_minimum"),
        ("ordered_at", "03/04/2025", "not_a_timestamp"),
        ("ordered_at", "2025-03-01", "not_a_timestamp"),
        ("ordered_at", "2025-03-01 24:00:00", "not_a_timestamp"),
        ("ordered_at", "2025-03-01 23:59:60", "not_a_timestamp"),
        ("ordered_at", "2025-03-01 10:00:00.1234567", "not_a_timestamp"),
        ("ordered_at", "1989-12-31 23:59:59", "below_minimum"),
        ("ordered_at", "2100-01-01 00:00:01", "above_maximum"),
        ("promised_on", "2025-02-29", "not_a_date"),
        ("promised_on", "2025-2-3", "not_a_date"),
        ("promised_on", "0000-01-01", "not_a_date"),
        ("promised_on", "2025-02-03 00:00:00", "not_a_date"),
        ("is_deleted", "maybe", "not_a_boolean"),
        ("status", "OPEN", "not_allowed"),
        ("currency", "eur", "pattern_mismatch"),
        ("currency", "EUR\n", "pattern_mismatch"),
        ("order_id", "x" * 129, "too_long"),
        ("order_id", "", "missing_required"),
        ("quantity", "  ", "missing_required"),
    ],
)
def test_a_value_that_is_none_refuses_its_record_alone(name: str, value: str, code: str) -> None:
    line = LINE | {"promised_on": "", "is_deleted": "", "status": ""}
    found = conform(line, line | {name: value}, line)
    assert reasons(found) == [(2, code, name)]
    assert column(found, "_record_no") == [1, 3]
    assert code in ops.REASONS
    assert name in found.rejects[0].message
    assert (found.rejects[0].raw_text, found.rejects[0].byte_offset) == ("raw 1", 1)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("quantity", "1.2300000", Decimal("1.23")),
        ("quantity", "-.5", Decimal("-0.5")),
        ("quantity", "0" * 60 + "1." + "0" * 60, Decimal(1)),
        ("quantity", "1e3", Decimal(1000)),
        ("quantity", "-0", Decimal(0)),
        ("line_no", "+007", 7),
        ("ordered_at", "2025-03-01T10:00Z", at(2025, 3, 1, 10)),
        ("ordered_at", "2025-03-01 10:00:00.1234560", at(2025, 3, 1, 10, 0, 0, 123456)),
        ("ordered_at", "2025-03-01 10:00:00+0530", at(2025, 3, 1, 4, 30)),
        ("promised_on", " 2024-02-29 ", date(2024, 2, 29)),
        ("promised_on", "", None),
        ("is_deleted", "YES", True),
        ("is_deleted", " 0 ", False),
        ("status", "shipped", "shipped"),
        ("order_id", "😀" * 128, "😀" * 128),
    ],
)
def test_a_value_is_read_exactly(name: str, value: str, expected: Any) -> None:
    assert column(conform(LINE | {name: value}), name) == [expected]


def test_one_odd_value_among_many_plain_ones_is_found_at_its_place() -> None:
    quantities = ["1.5"] * 20_000
    quantities[13_000], quantities[17_000] = "1e2", "many"
    table = pa.table({**{name: [value] * 20_000 for name, value in LINE.items()}, "quantity": quantities})
    found = conformer_of(source_of()).conform(chunk_of(table))
    assert reasons(found) == [(17_001, "not_a_number", "quantity")]
    assert column(found, "quantity")[13_000] == 100
    assert found.amount_loaded == Decimal("9.99") * (Decimal("1.5") * 19_998 + 100)


def test_declared_notation_is_followed_and_only_that() -> None:
    notation = {"decimal": ",", "thousands": ".", "date_format": "%d.%m.%Y", "timestamp_format": "%d.%m.%Y %H:%M"}
    lines = [
        {"quantity": "1.234,5", "ordered_at": "03.04.2025 08:15", "promised_on": "03.04.2025"},
        {"quantity": "12,5", "ordered_at": "3.4.2025 8:15", "promised_on": "3.4.2025"},
        {"quantity": "1,234.5", "ordered_at": "03.04.2025 08:15", "promised_on": ""},
        {"quantity": "12.34", "ordered_at": "03.04.2025 08:15", "promised_on": ""},
        {"quantity": "1", "ordered_at": "2025-04-03 08:15", "promised_on": ""},
        {"quantity": "1", "ordered_at": "03.04.2025 08:15", "promised_on": "31.04.2025"},
    ]
    found = conform(*(LINE | {"unit_price": "1"} | line for line in lines), notation=notation)
    assert column(found, "quantity") == [Decimal("1234.5"), Decimal("12.5")]
    assert column(found, "ordered_at") == [at(2025, 4, 3, 8, 15)] * 2
    assert column(found, "promised_on") == [date(2025, 4, 3)] * 2
    assert [code for _, code, _ in reasons(found)] == [
        "not_a_number",
        "not_a_number",
        "not_a_timestamp",
        "not_a_date",
    ]


def test_null_values_and_truth_values_are_those_declared() -> None:
    notation = {"null_values": ["NA", "-"], "true_values": ["ja"], "false_values": ["nein"]}
    lines = [{"location_id": "NA", "is_deleted": "JA"}, {"location_id": "", "is_deleted": "-"}, {"is_deleted": "yes"}]
    found = conform(*(LINE | {"location_id": "x"} | line for line in lines), notation=notation)
    assert column(found, "location_id") == [None, None]
    assert column(found, "is_deleted") == [True, None]
    assert reasons(found) == [(3, "not_a_boolean", "is_deleted")]


def test_local_time_is_that_of_the_notation_else_of_the_company() -> None:
    summer, twice, never = "2025-07-01 12:00:00", "2025-10-26 02:30:00", "2025-03-30 02:30:00"
    lines = [LINE | {"ordered_at": stamp} for stamp in (summer, twice, never, "2025-07-01 12:00:00Z")]
    found = conform(*lines, zone="Europe/Berlin")
    assert column(found, "ordered_at") == [
        at(2025, 7, 1, 10),
        at(2025, 10, 26, 0, 30),  # the first of the two hours
        at(2025, 7, 1, 12),
    ]
    assert reasons(found) == [(3, "nonexistent_local_time", "ordered_at")]
    kathmandu = conform(*lines, zone="Europe/Berlin", notation={"time_zone": "Asia/Kathmandu"})
    assert column(kathmandu, "ordered_at")[0] == at(2025, 7, 1, 6, 15)
    assert kathmandu.rejects == []


# ---------------------------------------------------------------------------------------------------------- rejections


def test_the_first_failing_column_of_the_contract_names_the_reason_once_per_record() -> None:
    found = conform(LINE | {"unit_price": "x", "line_no": "y", "currency": "z"})
    assert reasons(found) == [(1, "not_an_integer", "line_no")]


def test_personal_values_are_not_shown() -> None:
    record = {"feedback_id": "F1", "submitted_at": "2025-01-01 10:00", "feedback_channel": "survey", "scale": "none"}
    found = conform(record | {"comment_text": "secret" * 200_000}, feed="feedback")
    assert reasons(found) == [(1, "too_long", "comment_text")]
    assert "secret" not in found.rejects[0].message


def test_long_values_are_shown_in_part_and_origins_named() -> None:
    record = {key: value for key, value in LINE.items() if key != "quantity"} | {"Menge": "9" * 300}
    message = conform(record, columns={"quantity": "Menge"}).rejects[0].message
    assert "quantity (from Menge)" in message
    assert len(message) < 200


def test_rejects_of_the_reader_are_handed_on_in_file_order() -> None:
    earlier = Reject(2, 9, "field_count", None, "short", "x")
    chunk = chunk_of([LINE | {"quantity": "x"}, LINE], first=3, rejects=[earlier])
    assert [number for number, _, _ in reasons(conformer_of(source_of()).conform(chunk))] == [2, 3]


# ----------------------------------------------------------------------------------- filters, duplicates, delivery days


def test_where_leaves_records_out_and_counts_them() -> None:
    lines = [LINE | {"Kind": kind} for kind in ("sale", "test", "", "sale")]
    found = conform(*lines, where="Kind <> 'test'", columns={"line_no": {"ordinal_within": ["order_id"]}})
    assert (found.filtered, column(found, "_record_no"), column(found, "line_no")) == (2, [1, 4], [1, 2])


def test_a_condition_that_fails_refuses_its_record() -> None:
    found = conform(LINE, LINE | {"quantity": "x"}, LINE | {"quantity": "0"}, where="quantity::int > 0")
    assert (found.filtered, reasons(found)) == (1, [(2, "expression_failed", "where")])


def test_identical_records_are_duplicates_across_chunks_before_ordinals() -> None:
    source = source_of(identical_records="duplicate", columns={"line_no": {"ordinal_within": ["order_id"]}})
    conformer = conformer_of(source)
    found = conformer.conform(chunk_of([LINE, LINE, LINE | {"quantity": "3"}]))
    assert (found.duplicates, column(found, "line_no")) == (1, [1, 2])
    assert (found.amount_loaded, found.amount_duplicate) == (Decimal("49.95"), Decimal("19.98"))
    later = conformer.conform(chunk_of([LINE | {"quantity": "3"}, LINE | {"quantity": "4"}], first=4))
    assert (later.duplicates, column(later, "line_no")) == (1, [3])


def test_cells_do_not_run_together_when_records_are_compared() -> None:
    lines = [LINE | {"a": "x:1", "b": "y"}, LINE | {"a": "x", "b": "1:y"}, LINE | {"a": "", "b": "x"}]
    assert conform(*lines, identical_records="duplicate").duplicates == 0


def test_the_delivery_day_of_a_column_is_a_day_or_the_local_day_of_a_moment() -> None:
    days = ["2025-03-01", "2025-03-01 23:30:00", "2025-03-01T23:30:00Z", "", "soon"]
    found = conform(*(LINE | {"day": day} for day in days), zone="Europe/Berlin", delivered_on={"column": "day"})
    assert column(found, "_delivered_on") == [date(2025, 3, 1), date(2025, 3, 1), date(2025, 3, 2)]
    assert reasons(found) == [(4, "no_delivery_day", "day"), (5, "no_delivery_day", "day")]


def test_a_record_whose_amount_no_money_column_holds_is_refused() -> None:
    """Each number fits its column; their product, 10 ** 14, has one digit more than DECIMAL(18, 4)."""
    large = LINE | {"quantity": "100000", "unit_price": "1000000000"}
    back = LINE | {"quantity": "-100000", "unit_price": "1000000000"}
    fits = LINE | {"quantity": "99999.999", "unit_price": "1000000000"}
    found = conform(LINE, large, back, fits)
    assert reasons(found) == [(2, "number_too_large", "quantity"), (3, "number_too_large", "quantity")]
    assert found.amount_loaded == Decimal("19.98") + Decimal("99999999000000")
    assert found.amount_quarantined == 0


def test_control_amounts_cover_refused_records_whose_amount_could_be_read() -> None:
    lines = [LINE, LINE | {"currency": "?"}, LINE | {"unit_price": "x"}, LINE | {"discount_amount": "x"}]
    found = conform(*({"discount_amount": ""} | line for line in lines))
    assert (found.amount_loaded, found.amount_quarantined) == (Decimal("19.98"), Decimal("19.98"))
    assert conform({"from_currency": "EUR"}, feed="exchange_rates").amount_loaded is None


# ------------------------------------------------------------------------------------------------------------- lookups


def test_lookups_add_columns_one_after_the_other() -> None:
    source = source_of(
        lookups={
            "header": {"path": "h.csv", "key": {"id": "order_id"}},
            "shop": {"path": "s.csv", "key": {"shop": "header.shop"}, "notation": {"decimal": ","}},
        },
        columns={
            "ordered_at": "header.at",
            "unit_price": "shop.price",
            "status": {"expression": "case when header.state = '1' then 'open' end"},
            "location_id": {"expression": '"header.shop"'},
        },
        where="header.state is distinct from '9'",
    )
    header = pa.table(
        {
            "id": ["O1", "O2", "O9"],
            "at": ["2025-01-01 00:00", "2025-01-02 00:00", "2025-01-03 00:00"],
            "shop": ["A", "", "A"],
            "state": ["1", "", "9"],
        }
    )
    conformer = conformer_of(source, lookups={"header": header, "shop": pa.table({"shop": ["A"], "price": ["1,5"]})})
    assert conformer.required_columns >= {"order_id", "quantity"}
    assert not any("." in name for name in conformer.required_columns | conformer.used_columns)
    found = conformer.conform(chunk_of([LINE | {"order_id": number} for number in ("O1", "O2", "O3", "O9")]))
    assert found.rows.select(["ordered_at", "unit_price", "status", "location_id"]).to_pylist() == [
        {"ordered_at": at(2025, 1, 1), "unit_price": Decimal("1.5"), "status": "open", "location_id": "A"}
    ]
    assert found.filtered == 1
    assert reasons(found) == [(2, "missing_required", "unit_price"), (3, "missing_required", "ordered_at")]


@pytest.mark.parametrize("table", [{"id": ["1", "1"]}, {"ID": ["1"]}])
def test_a_lookup_without_a_key_of_one_row_is_refused(table: dict[str, list[str]]) -> None:
    source = source_of(lookups={"header": {"path": "h.csv", "key": {"id": "order_id"}}})
    with pytest.raises(FileRefusedError) as raised:
        conformer_of(source, lookups={"header": pa.table(table)})
    assert raised.value.reason_code == "lookup_failed"


# ------------------------------------------------------------------------------------------------ what a file must have


def test_required_used_and_missing_columns_follow_the_mapping() -> None:
    fillings = {"quantity": "Q", "status": {"expression": "lower(S)"}, "line_no": {"ordinal_within": ["order_id"]}}
    conformer = conformer_of(source_of(columns=fillings, where="Kind = 'x'", delivered_on={"column": "Day"}))
    required = {"order_id", "ordered_at", "product_id", "channel_id", "Q", "unit_price", "currency", "Kind", "Day"}
    assert conformer.required_columns == required
    assert conformer.used_columns >= required | {"S", "promised_on"}
    delivered = required | {"S", "promised_on", "shipped_at", "delivered_at", "customer_id", "location_id"}
    assert conformer.missing_columns(delivered) == ["discount_amount", "tax_amount", "unit_cost", "is_deleted"]


def test_an_optional_column_whose_source_is_missing_is_null() -> None:
    found = conform(LINE, columns={"status": {"expression": "lower(S)"}, "tax_amount": "Tax"})
    assert (column(found, "status"), column(found, "tax_amount")) == ([None], [None])


@pytest.mark.parametrize("keys", [{"where": "Kind = 'x'"}, {"delivered_on": {"column": "Day"}}])
def test_a_missing_column_that_decides_about_records_refuses_the_file(keys: dict[str, Any]) -> None:
    with pytest.raises(FileRefusedError) as raised:
        conform(LINE, **keys)
    assert raised.value.reason_code == "missing_column"


def test_a_constant_that_is_no_value_is_the_profiles_fault() -> None:
    with pytest.raises(ProfileError, match=r"order_lines\.columns\.quantity"):
        conformer_of(source_of(columns={"quantity": {"constant": "many"}}))


# --------------------------------------------------------------------------------------------------------- typed input


def typed(name: str, values: pa.Array, zone: str = "UTC", **keys: Any) -> Conformed:
    table = pa.table({**{key: [value] * len(values) for key, value in LINE.items()}, name: values})
    return conformer_of(source_of(**keys), zone=zone).conform(chunk_of(table))


@pytest.mark.parametrize(
    ("name", "delivered", "expected"),
    [
        ("order_id", pa.array([12345, 7]), ["12345", "7"]),
        ("order_id", pa.array([12345.0, 0.5]), ["12345", "0.5"]),
        ("order_id", pa.array(["007", "8"], pa.large_string()), ["007", "8"]),
        ("order_id", pa.array(["007", "8"]).dictionary_encode(), ["007", "8"]),
        ("line_no", pa.array([1.0, 2.0]), [1, 2]),
        ("line_no", pa.array([Decimal("5.00"), Decimal("6.00")]), [5, 6]),
        ("line_no", pa.array([1, 2], pa.uint8()), [1, 2]),
        ("quantity", pa.array([0.1, 17.5]), [Decimal("0.1"), Decimal("17.5")]),
        ("quantity", pa.array([1, 2], pa.int32()), [Decimal(1), Decimal(2)]),
        ("quantity", pa.array([Decimal("1.50000"), Decimal(2)]), [Decimal("1.5"), Decimal(2)]),
        ("promised_on", pa.array([at(2025, 1, 2), None]), [date(2025, 1, 2), None]),
        ("promised_on", pa.nulls(2), [None, None]),
        ("is_deleted", pa.array([True, None]), [True, None]),
        ("is_deleted", pa.array([1, 0]), [True, False]),
        ("ordered_at", pa.array([date(2025, 7, 1)] * 2), [at(2025, 6, 30, 22)] * 2),
        ("ordered_at", pa.array([at(2025, 7, 1, 12)] * 2), [at(2025, 7, 1, 10)] * 2),
        (
            "ordered_at",
            pa.array([datetime(2025, 7, 1, 12, tzinfo=UTC)] * 2, pa.timestamp("ns", "America/New_York")),
            [at(2025, 7, 1, 12)] * 2,
        ),
    ],
)
def test_typed_columns_are_taken_without_loss(name: str, delivered: pa.Array, expected: list[Any]) -> None:
    found = typed(name, delivered, zone="Europe/Berlin")
    assert found.rejects == []
    assert column(found, name) == expected


@pytest.mark.parametrize(
    ("name", "delivered", "code"),
    [
        ("line_no", pa.array([1.0, 2.5]), "not_an_integer"),
        ("line_no", pa.array([1, 2**63], pa.uint64()), "number_too_large"),
        ("line_no", pa.array([Decimal("5.0"), Decimal("5.5")]), "not_an_integer"),
        ("quantity", pa.array([0.5, 0.1 + 0.2]), "too_many_decimals"),
        ("quantity", pa.array([0.5, float("nan")]), "not_finite"),
        ("quantity", pa.array([0.5, float("inf")]), "not_finite"),
        ("quantity", pa.array([0.5, 1e20]), "number_too_large"),
        ("quantity", pa.array([Decimal("1.0000"), Decimal("1.0001")]), "too_many_decimals"),
        ("promised_on", pa.array([at(2025, 1, 2), at(2025, 1, 2, 1)]), "not_a_date"),
        ("ordered_at", pa.array([at(2025, 7, 1), at(2025, 3, 30, 2, 30)]), "nonexistent_local_time"),
        ("ordered_at", pa.array([10**18, 10**18 + 1], pa.timestamp("ns")), "not_a_timestamp"),
        ("ordered_at", pa.array([1, 2]), "not_a_timestamp"),
        ("is_deleted", pa.array([1, 2]), "not_a_boolean"),
    ],
)
def test_typed_values_that_would_change_are_refused(name: str, delivered: pa.Array, code: str) -> None:
    found = typed(name, delivered, zone="Europe/Berlin")
    assert reasons(found)[-1] == (2, code, name)


def test_expressions_may_give_typed_values() -> None:
    fillings = {
        "quantity": {"expression": "quantity::decimal(10,5) / 4"},
        "ordered_at": {"expression": "ordered_at::timestamp"},
    }
    found = conform(LINE, LINE | {"quantity": "0.001"}, columns=fillings, zone="Europe/Berlin")
    assert column(found, "quantity") == [Decimal("0.5")]
    assert column(found, "ordered_at") == [at(2025, 3, 1, 9)]
    assert reasons(found) == [(2, "too_many_decimals", "quantity")]


def test_an_expression_that_fails_refuses_its_record_alone() -> None:
    found = conform(LINE, LINE | {"quantity": "x"}, LINE, columns={"quantity": {"expression": "quantity::int * 2"}})
    assert column(found, "quantity") == [Decimal(4), Decimal(4)]
    assert reasons(found) == [(2, "expression_failed", "quantity")]


def test_ids_that_differ_only_by_blanks_are_one_id() -> None:
    """Otherwise two records of one key would look like two, and one would be lost where keys are compared trimmed."""
    identifiers = {column.name for column in contract("order_lines").columns if column.is_identifier}
    assert identifiers == {"order_id", "product_id", "customer_id", "channel_id", "location_id"}
    profile = load_profile("online_retail")
    source = profile.feeds["order_lines"][0].model_copy(update={"columns": {}, "identical_records": "keep"})
    cells = {
        "order_id": ["A", "A ", "\tB"],
        "line_no": ["1", "2", "3"],
        "ordered_at": ["2026-01-01 10:00:00"] * 3,
        "product_id": [" P", "P", "P "],
        "channel_id": ["web"] * 3,
        "quantity": ["1"] * 3,
        "unit_price": ["1"] * 3,
        "currency": ["GBP"] * 3,
    }
    records = pa.table({name: pa.array(values, pa.string()) for name, values in cells.items()})
    chunk = Chunk(records, pa.array([1, 2, 3], pa.int64()), None, lambda index: str(index))
    rows = Conformer(source, contract("order_lines"), profile).conform(chunk).rows
    assert rows["order_id"].to_pylist() == ["A", "A", "B"]
    assert rows["product_id"].to_pylist() == ["P", "P", "P"]
