"""What a newcomer is told about a profile of their own."""

from pathlib import Path

import pytest

from pipelines.sources.check import Finding, check_profile

PROFILE = """
company: shop
base_currency: EUR
starts_on: 2024-01-01
feeds:
  products:
    path: "{delivered_on}/products.csv"
    columns:
      product_id: SKU
      list_price: Price
      currency: {constant: EUR}
"""
CSV = "SKU,Price,Colour\nA,1.50,red\nB,2.00,blue\n"


class Newcomer:
    def __init__(self, folder: Path) -> None:
        self.profile = folder / "profile.yml"
        self.landing = folder / "landing"
        self.landing.mkdir()

    def check(self, profile: str = PROFILE, **files: str) -> list[Finding]:
        self.profile.write_text(profile)
        for day, content in files.items():
            path = self.landing / day.removeprefix("on_").replace("_", "-") / "products.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        return check_profile(str(self.profile), str(self.landing))


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def problems(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity != "ok" and finding.place != "feeds"]


def test_a_sound_profile_is_told_what_it_finds(newcomer: Newcomer) -> None:
    findings = newcomer.check(on_2024_01_01=CSV, on_2024_01_03=CSV)
    assert problems(findings) == []
    said = [finding.message for finding in findings]
    assert "finds 2 deliveries, 2024-01-01 to 2024-01-03" in said
    assert "not used: Colour" in said
    assert "all 2 records tried are sound" in said
    assert "there is no order_lines, customers" in said[-1]


def test_it_is_said_that_only_the_newest_file_is_read(newcomer: Newcomer) -> None:
    findings = newcomer.check(on_2024_01_01="no header", on_2024_01_02=CSV, on_2024_01_03=CSV)
    assert problems(findings) == []
    (said,) = [finding for finding in findings if "not read" in finding.message]
    assert said.place == "feeds.products, 2024-01-03/products.csv"
    assert said.message == "is the newest of 3 files; the others are not read here"


def test_files_that_name_no_day_have_a_last_one(newcomer: Newcomer) -> None:
    profile = PROFILE.replace("{delivered_on}", "*").replace(
        "    columns", "    delivered_on: {column: Day}\n    columns"
    )
    content = "SKU,Price,Day\nA,1.50,2024-02-01\n"
    said = [finding.message for finding in newcomer.check(profile, on_2024_01_01=content, on_2024_01_02=content)]
    assert "is the last by name of 2 files; the others are not read here" in said


def test_a_profile_that_cannot_be_read_is_one_error(newcomer: Newcomer) -> None:
    (finding,) = newcomer.check("feeds: [")
    assert (finding.severity, finding.place) == ("error", str(newcomer.profile))


def test_files_of_another_name_are_shown(newcomer: Newcomer) -> None:
    (newcomer.landing / "2024-01-01").mkdir()
    (newcomer.landing / "2024-01-01" / "product.csv").write_text(CSV)
    (finding,) = problems(newcomer.check())
    assert finding.severity == "error"
    assert "{delivered_on}/products.csv" in finding.message
    assert "2024-01-01/product.csv" in finding.message


def test_an_empty_landing_is_said_to_be_empty(newcomer: Newcomer) -> None:
    (finding,) = problems(newcomer.check())
    assert "the landing holds no file" in finding.message


def test_a_column_of_another_name_is_suggested(newcomer: Newcomer) -> None:
    (finding, optional) = problems(newcomer.check(on_2024_01_01="sku,List Price\nA,1.50\n"))
    assert finding.severity == "error"
    assert "no column 'SKU', which product_id needs" in finding.message
    assert finding.remedy == "Perhaps columns: {product_id: sku} is meant."
    assert optional.severity == "warning"
    assert "list_price stays empty" in optional.message


@pytest.mark.parametrize(("sign", "written"), [(";", '";"'), ("\t", '"\\t"'), ("|", '"|"')])
def test_another_delimiter_is_suggested_instead_of_columns(newcomer: Newcomer, sign: str, written: str) -> None:
    (finding,) = problems(newcomer.check(on_2024_01_01=CSV.replace(",", sign)))
    assert finding.severity == "error"
    assert (
        finding.remedy == f"Write notation: {{delimiter: {written}}}, which makes the columns SKU, Price, Colour of it."
    )


def test_the_delimiter_of_quoted_names_is_suggested_too(newcomer: Newcomer) -> None:
    (finding,) = problems(newcomer.check(on_2024_01_01='"SKU";"Price, net"\r\n"A";"1.50"\r\n'))
    assert 'notation: {delimiter: ";"}' in finding.remedy
    assert "SKU, Price, net" in finding.remedy


def test_the_delimiter_of_a_lookup_is_suggested_too(newcomer: Newcomer) -> None:
    (newcomer.landing / "costs.csv").write_text("SKU;Cost\nA;1.00\n")
    lookups = "    lookups: {costs: {path: costs.csv, key: {SKU: SKU}}}\n    columns:\n      unit_cost: costs.Cost\n"
    profile = PROFILE.replace("    columns:\n", lookups)
    (finding,) = problems(newcomer.check(profile, on_2024_01_01=CSV))
    assert finding.severity == "error"
    assert 'Write notation: {delimiter: ";"}' in finding.remedy


def test_a_file_of_one_column_with_a_sign_in_its_name_is_sound(newcomer: Newcomer) -> None:
    profile = PROFILE.replace("SKU", '"SKU;EAN"').replace("      list_price: Price\n", "")
    assert problems(newcomer.check(profile, on_2024_01_01="SKU;EAN\nA\n")) == []


def test_an_unmapped_required_column_is_an_error(newcomer: Newcomer) -> None:
    (finding,) = problems(
        newcomer.check(PROFILE.replace("      product_id: SKU\n", ""), on_2024_01_01="Code,Price\nA,1\n")
    )
    assert "no column 'product_id'" in finding.message
    assert "{product_id: <delivered column>}" in finding.remedy


def test_refused_records_are_counted_by_reason_with_an_example(newcomer: Newcomer) -> None:
    content = CSV + "C,3,50,green\nD,1.2.3,red\nE,x,red\n"
    first, second = problems(newcomer.check(on_2024_01_01=content))
    assert first.message.startswith("1 of 5 records tried would be refused (field_count)")
    assert second.message.startswith("2 of 5 records tried would be refused (not_a_number in list_price); record 4")
    assert "D,1.2.3,red" in second.message
    assert second.remedy


ORDERS = """
company: shop
base_currency: EUR
starts_on: 2024-01-01
feeds:
  order_lines:
    path: "{delivered_on}/products.csv"
    notation: {timestamp_format: "%d.%m.%Y %H:%M"}
    columns:
      channel_id: {constant: store}
      currency: {constant: EUR}
"""
LINES = ["order_id,line_no,ordered_at,product_id,quantity,unit_price,shipped_at,promised_on"] + [
    f"O{number},1,02.01.2024 08:15,A,1,1.50,," for number in range(20)
]


def read_wrongly(newcomer: Newcomer, old: str, new: str, profile: str = ORDERS, lines: int = 3) -> Finding:
    (finding,) = problems(newcomer.check(profile, on_2024_01_01="\n".join(LINES[: 1 + lines]).replace(old, new) + "\n"))
    return finding


def test_a_profile_that_would_load_nothing_is_an_error_that_names_the_key(newcomer: Newcomer) -> None:
    finding = read_wrongly(newcomer, "02.01.2024 08:15", "2024-01-02 08:15")
    assert finding.severity == "error"
    assert finding.message.startswith("3 of 3 records tried would be refused (not_a_timestamp in ordered_at)")
    assert "'2024-01-02 08:15'" in finding.message
    assert "Look at notation.timestamp_format (now '%d.%m.%Y %H:%M')." in finding.remedy


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("1.50", '"1,50"', "Look at notation.decimal (now '.') and notation.thousands (now '')."),
        (",,\n", ",,05.01.2024\n", "Look at notation.date_format (now '%Y-%m-%d')."),
        (",A,", ",,", "Look at notation.null_values (now '') and columns.product_id."),
        ("1.50,", "1.50", "Look at notation.delimiter (now ',') and notation.quote (now '\"')."),
        (",1,02", ",-1,02", "Look at columns.line_no."),
    ],
)
def test_the_remedy_names_the_key_that_decides(newcomer: Newcomer, old: str, new: str, told: str) -> None:
    finding = read_wrongly(newcomer, old, new, lines=12)
    assert (finding.severity, told in finding.remedy) == ("error", True)


def test_nearly_all_of_many_refused_is_an_error_and_half_of_them_a_warning(newcomer: Newcomer) -> None:
    bad = [line.replace("02.01.2024", "2024-01-02") for line in LINES[1:]]
    for refused, total, severity in ((18, 20, "error"), (17, 20, "warning"), (8, 9, "warning"), (9, 9, "error")):
        lines = [LINES[0], *bad[:refused], *LINES[1 + refused : 1 + total]]
        (finding,) = problems(newcomer.check(ORDERS, on_2024_01_01="\n".join(lines) + "\n"))
        assert finding.message.startswith(f"{refused} of {total} records tried")
        assert finding.severity == severity


def test_records_that_are_left_out_do_not_hide_that_the_others_are_refused(newcomer: Newcomer) -> None:
    profile = ORDERS.replace("    notation:", "    where: order_id <> 'O0'\n    notation:")
    assert read_wrongly(newcomer, "02.01.2024", "2024-01-02", profile).severity == "error"


def test_a_condition_that_leaves_out_everything_is_told(newcomer: Newcomer) -> None:
    profile = PROFILE.replace("    columns:", "    where: Colour = 'Red'\n    columns:")
    (finding,) = problems(newcomer.check(profile, on_2024_01_01=CSV))
    assert finding.message == "the condition leaves out all 2 records tried"


def test_a_value_of_a_personal_column_is_not_shown(newcomer: Newcomer) -> None:
    profile = (
        PROFILE[: PROFILE.index("feeds")]
        + """feeds:
  customers: {path: "{delivered_on}/products.csv"}
"""
    )
    content = f"customer_id,full_name\nK1,Ada {'Lovelace' * 100}\n"
    finding = problems(newcomer.check(profile, on_2024_01_01=content))[-1]
    assert "too_long in full_name" in finding.message
    assert "Lovelace" not in finding.message + finding.remedy


def test_a_foreign_currency_without_rates_is_told(newcomer: Newcomer) -> None:
    foreign = PROFILE.replace("constant: EUR", "constant: USD")
    (finding,) = problems(newcomer.check(foreign, on_2024_01_01=CSV))
    assert (finding.severity, finding.place) == ("warning", "feeds.products.columns.currency")
    assert "amounts in USD stay null in EUR" in finding.message
    assert finding.remedy.startswith("Add the feed exchange_rates; or write base_currency: USD")
    rates = """
  exchange_rates:
    path: "{delivered_on}/rates.csv"
"""
    (newcomer.landing / "2024-01-01" / "rates.csv").write_text(
        "from_currency,to_currency,rate_on,rate\nUSD,EUR,2024-01-01,0.9\n"
    )
    assert problems(newcomer.check(foreign + rates, on_2024_01_01=CSV)) == []


def test_repeated_keys_are_a_warning_unless_they_are_versions(newcomer: Newcomer) -> None:
    content = CSV + "A,9.00,red\n"
    (finding,) = problems(newcomer.check(on_2024_01_01=content))
    assert "1 keys (product_id) stand more than once" in finding.message
    versions = PROFILE.replace("    columns:", "    key_versions: last_wins\n    columns:")
    assert problems(newcomer.check(versions, on_2024_01_01=content)) == []


def test_wrong_expressions_are_found_before_any_file(newcomer: Newcomer) -> None:
    profile = PROFILE.replace("{constant: EUR}", '{expression: "upper("}').replace(
        "    columns:", '    where: "read_csv(1)"\n    columns:'
    )
    assert [finding.place for finding in newcomer.check(profile)] == [
        "feeds.products.columns.currency",
        "feeds.products.where",
    ]


def test_a_file_that_would_be_refused_says_why(newcomer: Newcomer) -> None:
    (finding,) = problems(newcomer.check(on_2024_01_01=CSV.rstrip("\n")))
    assert (finding.severity, finding.place) == ("error", "feeds.products, 2024-01-01/products.csv")
    assert "may be cut" in finding.message


def test_only_the_first_records_are_tried(newcomer: Newcomer) -> None:
    newcomer.check(on_2024_01_01=CSV + "C,x,red\n")
    findings = check_profile(str(newcomer.profile), str(newcomer.landing), sample_records=2)
    assert "all 2 records tried are sound" in [finding.message for finding in findings]
