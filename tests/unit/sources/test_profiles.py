"""Profiles are checked completely on load; an error names file, key and remedy."""

from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import ProfileError
from pipelines.sources.profiles import Profile, load_profile, shipped_profiles

GOOD = """
company: shop
base_currency: EUR
starts_on: 2024-01-01
feeds:
  products: {path: "{delivered_on}/products.csv"}
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "profile.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", shipped_profiles())
def test_shipped_profiles_load(name: str) -> None:
    assert load_profile(name).company == name


def test_a_small_profile_has_sensible_defaults(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, GOOD))
    (source,) = profile.feeds["products"]
    assert (profile.time_zone, profile.starts_on, profile.ends_on) == ("UTC", date(2024, 1, 1), None)
    assert (source.file_format, source.delivered_on.kind, source.notation.encoding) == ("csv", "path", "utf-8")
    assert (source.identical_records, source.identical_files, source.key_versions) == ("keep", "duplicate", "refuse")


@pytest.mark.parametrize(
    ("path", "file_format"),
    [("p.csv", "csv"), ("p.JSONL.gz", "jsonl"), ("p.parquet", "parquet"), ("p.xls", "excel"), ("p.dat.zst", "csv")],
)
def test_the_format_follows_the_suffix(tmp_path: Path, path: str, file_format: str) -> None:
    text = GOOD.replace("{delivered_on}/products.csv", "{delivered_on}/" + path)
    assert load_profile(written(tmp_path, text)).feeds["products"][0].file_format == file_format


WRONG = {
    "company: shop": ("company: My Shop", "key company"),
    "base_currency: EUR": ("base_currency: Euro", "key base_currency: is 'Euro'; write an ISO 4217 code"),
    "starts_on: 2024-01-01": ("starts_on: 2024-02-30", "day is out of range"),
    "feeds:": ("time_zone: Mars/Base\nfeeds:", "IANA"),
    "  products:": ("  produce:", "unknown feed 'produce' (did you mean products?); use order_lines"),
    '{path: "{delivered_on}/products.csv"}': ("{}", "give either path or query"),
    '"{delivered_on}/products.csv"': ("products.csv", "delivered_on: arrival"),
    'products.csv"}': (
        'products.csv", sheets: a}',
        "key feeds.products.sheets: is no key of a source (did you mean sheet?)",
    ),
    '/products.csv"}': ('/products.csv", sheet: 2024}', "key feeds.products.sheet: is 2024; write text, in quotes"),
    's.csv"}': ('s.csv", notation: ";"}', "key feeds.products.notation: is ';'; write a mapping of keys"),
    '.csv"}': (
        '.csv", columns: {unit_cots: Cost}}',
        "names unit_cots (did you mean unit_cost?), which the contract does not have",
    ),
    'csv"}': ('csv", columns: {product_name: {join: x}}}', "must be a source column name"),
    'v"}': ('v", notation: {encoding: klingon}}', "is not an encoding"),
    '"}': ('", notation: {decimal: ",", thousands: ","}}', "must differ"),
}


@pytest.mark.parametrize("right", WRONG)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, right: str) -> None:
    wrong, told = WRONG[right]
    assert right in GOOD
    path = written(tmp_path, GOOD.replace(right, wrong))
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    assert error.value.place.startswith(path)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ('{query: "select 1"}', "needs database"),
        ('{query: "select 1", database: URL}', "asked day by day"),
        ('{query: "select :delivered_on", database: URL, delivered_on: {fixed: 2024-01-01}}', "asked day by day"),
        ('{query: "select 1", database: URL, delivered_on: arrival}', "no arrival"),
        ('{query: "select 1", path: a.csv, database: URL}', "either path or query"),
    ],
)
def test_queries_must_say_where_their_day_comes_from(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load_profile(written(tmp_path, GOOD.replace('{path: "{delivered_on}/products.csv"}', source)))


@pytest.mark.parametrize(
    ("content", "told"), [("a: [", "is not YAML"), ("- a", "is not a mapping"), ("\x00", "is not YAML")]
)
def test_what_is_no_profile_at_all_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        load_profile(written(tmp_path, content))


def test_all_wrong_keys_are_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("company: shop", "company: My Shop\ncountri: DE\n1: x").replace("starts_on: 2024-01-01", "")
        + """
  suppliers:
    - path: "{delivered_on}/a.csv"
    - path: "{delivered_on}/b.csv"
      identical_records: no
      notation: {decimals: ",", delimiter: ";;", null_values: NA}
      lookups:
        terms: {path: terms.csv, key: {supplier: supplier}, form: csv}
      delivered_on: {colum: Day}
"""
    )
    with pytest.raises(ProfileError) as error:
        load_profile(written(tmp_path, text))
    head, *lines = error.value.cause.splitlines()
    assert head == "10 keys are wrong"
    assert sorted(line.strip().removeprefix("key ") for line in lines) == [
        f"1: is no key of a profile; those are {', '.join(Profile.model_fields)}",
        "company: is 'My Shop'; write a name of small letters, digits and _ that begins with a letter, such as acme",
        "countri: is no key of a profile (did you mean country?)",
        "feeds.suppliers[1].delivered_on: must be path, arrival, {column: <source column>} or {fixed: <YYYY-MM-DD>}",
        "feeds.suppliers[1].identical_records: is False; write 'keep' or 'duplicate'",
        "feeds.suppliers[1].lookups.terms.form: is no key of a lookup (did you mean format?)",
        "feeds.suppliers[1].notation.decimals: is no key of notation (did you mean decimal?)",
        'feeds.suppliers[1].notation.delimiter: is \';;\'; write one sign, such as ";" or "\\t" for the tab',
        "feeds.suppliers[1].notation.null_values: is 'NA'; write a list, such as [a, b]",
        "starts_on: is missing; write a day as YYYY-MM-DD",
    ]
    assert "docs/profiles.md" in error.value.remedy


def test_of_very_many_wrong_keys_ten_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="13 keys are wrong") as error:
        load_profile(written(tmp_path, GOOD + "".join(f"wrong_{number}: 1\n" for number in range(13))))
    assert len(error.value.cause.splitlines()) == 1 + 10 + 1
    assert error.value.cause.endswith("and 3 more")


def test_a_number_runs_within_one_column_as_within_a_list_of_it(tmp_path: Path) -> None:
    text = GOOD.replace('csv"}', 'csv", columns: {product_id: {ordinal_within: Order}}}')
    (source,) = load_profile(written(tmp_path, text)).feeds["products"]
    assert source.columns["product_id"].within == ("Order",)
    with pytest.raises(ProfileError, match="write a list"):
        load_profile(written(tmp_path, text.replace("Order", "3")))


TWICE = {
    "a feed": (
        """
  products: {path: "{delivered_on}/other.csv"}
""",
        "products",
        (6, 8),
    ),
    "a mapping": (
        """
  suppliers:
    path: "{delivered_on}/suppliers.csv"
    columns:
      supplier_id: Id
      supplier_name: Name
      supplier_id: Number
""",
        "supplier_id",
        (11, 13),
    ),
    "a key in braces": (
        """
  suppliers: {path: "{delivered_on}/a.csv",
    path: "{delivered_on}/b.csv"}
""",
        "path",
        (8, 9),
    ),
}


@pytest.mark.parametrize("what", TWICE)
def test_what_stands_twice_is_refused_with_both_lines(tmp_path: Path, what: str) -> None:
    text, key, lines = TWICE[what]
    path = written(tmp_path, GOOD + text)
    with pytest.raises(ProfileError) as error:
        load_profile(path)
    assert error.value.place == f"{path}, key {key}"
    assert f"on lines {lines[0]} and {lines[1]}" in error.value.cause


def test_one_key_in_two_mappings_and_a_merged_key_stand_once_each(tmp_path: Path) -> None:
    text = (
        GOOD
        + """
  suppliers:
    - &first {path: "{delivered_on}/a.csv", notation: {delimiter: ";"}}
    - &second {<<: *first, path: "{delivered_on}/b.csv"}
    - {<<: *second, path: "{delivered_on}/c.csv"}
"""
    )
    sources = load_profile(written(tmp_path, text)).feeds["suppliers"]
    assert [source.path[-5:] for source in sources if source.path] == ["a.csv", "b.csv", "c.csv"]
    assert {source.notation.delimiter for source in sources} == {";"}


def test_a_missing_profile_names_the_shipped_ones() -> None:
    with pytest.raises(ProfileError, match="online_retail"):
        load_profile("no_such_profile")
