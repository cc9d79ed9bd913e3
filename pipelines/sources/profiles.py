"""Profiles: how one company's files become feeds. Shipped ones lie beside this module; anyone can write their own.

A profile says where each feed's files are, how they are written, which column is which, and what the company's
currency, time zone and first delivery day are. It is checked completely on load: an error names file, key and remedy.
"""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import ProfileError
from pipelines.sources.contracts import FEEDS, contract
from pipelines.sources.documents import DuplicateKeyError, load_document

SHIPPED = Path(__file__).parent / "profiles"
DAY_IN_PATH = re.compile(r"\{delivered_on(?::(?P<format>[^}]+))?\}")
DAY_IN_QUERY = re.compile(r"(?<![:\w\\]):delivered_on\b")
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
}
COMPRESSIONS = (".gz", ".zst", ".zip")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeliveryDay(_Strict):
    """Where the delivery day comes from: the path, a column of each record, one fixed day, or the file's arrival."""

    kind: Literal["path", "column", "fixed", "arrival"]
    column: str | None = None
    day: date | None = None

    @classmethod
    def parse(cls, value: object) -> Any:
        if isinstance(value, str) and value in ("path", "arrival"):
            return {"kind": value}
        if isinstance(value, dict) and set(value) == {"column"}:
            return {"kind": "column", "column": value["column"]}
        if isinstance(value, dict) and set(value) == {"fixed"}:
            return {"kind": "fixed", "day": value["fixed"]}
        if isinstance(value, DeliveryDay) or (isinstance(value, dict) and "kind" in value):
            return value
        raise ValueError("must be path, arrival, {column: <source column>} or {fixed: <YYYY-MM-DD>}")


class Mapping(_Strict):
    """How one contract column is filled: from a source column, a constant, an SQL expression, or a running number."""

    kind: Literal["source", "constant", "expression", "ordinal_within"]
    source: str | None = None
    constant: str | None = None
    expression: str | None = None
    within: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: object) -> Any:
        if isinstance(value, str):
            return {"kind": "source", "source": value}
        if isinstance(value, dict) and len(value) == 1:
            ((kind, argument),) = value.items()
            if kind == "constant":
                return {"kind": "constant", "constant": str(argument)}
            if kind == "expression":
                return {"kind": "expression", "expression": str(argument)}
            if kind == "ordinal_within":
                return {"kind": "ordinal_within", "within": tuple(argument)}
        if isinstance(value, Mapping) or (isinstance(value, dict) and "kind" in value):
            return value
        raise ValueError(
            "must be a source column name, {constant: ...}, {expression: <SQL over source columns>} "
            "or {ordinal_within: [<source columns>]}"
        )


class Notation(_Strict):
    """How values are written. Defaults are RFC 4180 and ISO 8601."""

    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    date_format: str = "%Y-%m-%d"
    timestamp_format: str | None = Field(
        default=None, description="strptime format; None: ISO 8601 with T or space, with or without fraction and zone."
    )
    time_zone: str | None = Field(default=None, description="Zone of stamps without one; None: the company's zone.")
    null_values: tuple[str, ...] = ("",)
    true_values: tuple[str, ...] = ("true", "t", "yes", "y", "1")
    false_values: tuple[str, ...] = ("false", "f", "no", "n", "0")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError as error:
            raise ValueError(f"{value!r} is not an encoding Python knows") from error
        return value

    @model_validator(mode="after")
    def _distinct_signs(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ")
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote must differ")
        return self


class Lookup(_Strict):
    """A second file whose columns enrich each record: `key` maps its column names to the record's own."""

    path: str
    key: dict[str, str] = Field(min_length=1, description="{column of the lookup: column of the record}")
    notation: Notation = Notation()
    format: Literal["csv", "jsonl", "parquet", "excel"] | None = None
    sheet: str | None = None

    @property
    def file_format(self) -> str:
        return self.format or format_of(self.path)


class Source(_Strict):
    """One kind of file (or query) that fills a feed."""

    path: str | None = Field(default=None, description="Relative to the landing; * ** ? and {delivered_on[:format]}.")
    query: str | None = Field(default=None, description="SQL select; may use :delivered_on.")
    database: str | None = Field(default=None, description="Name of the environment variable with the SQLAlchemy URL.")
    format: Literal["csv", "jsonl", "parquet", "excel", "sql"] | None = None
    sheet: str | None = None
    delivered_on: Annotated[DeliveryDay, BeforeValidator(DeliveryDay.parse)] = DeliveryDay(kind="path")
    notation: Notation = Notation()
    identical_records: Literal["keep", "duplicate"] = Field(
        default="keep", description="Whether a record equal to an earlier one of its file is a duplicate."
    )
    key_versions: Literal["refuse", "last_wins"] = Field(
        default="refuse", description="What two records of one file with the same key and different content mean."
    )
    identical_files: Literal["duplicate", "keep"] = Field(
        default="duplicate",
        description="Whether a file equal to an earlier one of the feed is a duplicate. Say keep for full dumps: there "
        "a file equal to one of an earlier day says that everything is again as it was on that day.",
    )
    lookups: dict[str, Lookup] = Field(default_factory=dict)
    columns: dict[str, Annotated[Mapping, BeforeValidator(Mapping.parse)]] = Field(
        default_factory=dict,
        description="Contract column -> mapping; a contract column not named maps to its own name.",
    )
    where: str | None = Field(
        default=None, description="SQL condition over source columns; other records are filtered."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.query is None):
            raise ValueError("give either path or query")
        if self.query is not None and self.database is None:
            raise ValueError("a query needs database, the name of the environment variable that holds the URL")
        asks_by_day = self.query is not None and DAY_IN_QUERY.search(self.query)
        if self.query is not None and bool(asks_by_day) != (self.delivered_on.kind == "path"):
            raise ValueError(
                "a query is asked day by day when it uses :delivered_on, and then delivered_on: is left out; "
                "otherwise say delivered_on: {column: ...} or {fixed: ...}"
            )
        if self.query is not None and self.delivered_on.kind == "arrival":
            raise ValueError("a query has no arrival; say delivered_on: {column: ...} or {fixed: ...}")
        if self.path is not None and self.delivered_on.kind == "path" and not DAY_IN_PATH.search(self.path):
            raise ValueError(
                "delivered_on: path needs {delivered_on} in the path, such as {delivered_on}/orders.csv; "
                "otherwise say delivered_on: arrival, {column: ...} or {fixed: ...}"
            )
        return self

    @property
    def file_format(self) -> str:
        """csv, jsonl, parquet, excel or sql: as declared, else by the path's suffix."""
        if self.format:
            return self.format
        if self.query is not None:
            return "sql"
        return format_of(self.path or "")


def format_of(path: str) -> str:
    """The format a path's suffix names, compression suffixes skipped; csv when it names none."""
    name = path.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return FORMATS.get(Path(name).suffix, "csv")


class Profile(_Strict):
    """One company."""

    company: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: str = ""
    base_currency: str = Field(pattern=r"^[A-Z]{3}$")
    time_zone: str = "UTC"
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="For public holidays.")
    starts_on: date
    ends_on: date | None = Field(default=None, description="Last delivery day, for a company that no longer delivers.")
    feeds: dict[str, tuple[Source, ...]]

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone, such as Europe/Berlin")
        return value

    @field_validator("feeds", mode="before")
    @classmethod
    def _lists_of_sources(cls, value: object) -> object:
        if not isinstance(value, dict) or not value:
            raise ValueError("name at least one feed")
        for feed in value:
            if feed not in FEEDS:
                raise ValueError(f"unknown feed {feed!r}; use {', '.join(FEEDS)}")
        return {feed: (sources if isinstance(sources, (list, tuple)) else [sources]) for feed, sources in value.items()}

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        for feed, sources in self.feeds.items():
            known = {column.name for column in contract(feed).columns}
            for source in sources:
                unknown = sorted(set(source.columns) - known)
                if unknown:
                    raise ValueError(
                        f"feeds.{feed}.columns names {', '.join(unknown)}, which the contract does not have; "
                        f"it has {', '.join(sorted(known))}"
                    )
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def shipped_profiles() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yml")))


def load_profile(name_or_path: str) -> Profile:
    """The profile of that shipped name, or in that file.

    Raises ProfileError that names the file, the key and what to write there.
    """
    path = SHIPPED / f"{name_or_path}.yml" if name_or_path in shipped_profiles() else Path(name_or_path)
    if not path.is_file():
        raise ProfileError(
            f"profile {name_or_path!r}",
            "is neither a shipped profile nor a file",
            f"Shipped are {', '.join(shipped_profiles())}; or give the path of a profile file.",
        )
    try:
        document = load_document(path)
    except DuplicateKeyError as error:
        first, second = error.lines
        cause = f"stands twice, on lines {first} and {second}; only one of them would count"
        remedy = "Keep one. The sources of a feed that has several are one list under its name."
        raise ProfileError(f"{path}, key {error.key}", cause, remedy) from error
    except (yaml.YAMLError, ValueError) as error:  # an impossible day is a ValueError of the parser
        raise ProfileError(str(path), f"is not YAML ({error})", "Mend the place it names.") from error
    if not isinstance(document, dict):
        raise ProfileError(str(path), "is not a mapping of keys", "Start with company:, base_currency:, feeds:.")
    try:
        return Profile(**document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "profile"
        more = f" ({error.error_count() - 1} more wrong)" if error.error_count() > 1 else ""
        raise ProfileError(f"{path}, key {key}", first["msg"] + more, "See `opscope profile check --help`.") from error
