"""Profiles: how one company's files become feeds. Shipped ones lie beside this module; anyone can write their own.

A profile says where each feed's files are, how they are written, which column is which, and what the company's
currency, time zone and first delivery day are. It is checked completely on load: an error names file, key and remedy.
"""

import difflib
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

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
REMEDY = "docs/profiles.md says what each key means."
SOURCE_DEPTH = 3  # of a source in a profile: feeds, its feed, its number
SHOWN_KEYS = 10
SHOWN_VALUE = 80  # characters
# What keys and types ask for, in words.
FORMS = {
    "company": "a name of small letters, digits and _ that begins with a letter, such as acme",
    "base_currency": "an ISO 4217 code of three capitals, such as EUR",
    "country": "an ISO 3166 code of two capitals, such as DE",
    "delimiter": 'one sign, such as ";" or "\\t" for the tab',
    "quote": "one sign",
    "starts_on": "a day as YYYY-MM-DD",
}
TYPES = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "tuple_type": "a list, such as [a, b]",
    "too_short": "at least one",
    "bool_type": "true or false",
}


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
                return {"kind": "ordinal_within", "within": (argument,) if isinstance(argument, str) else argument}
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
        if unknown := [feed for feed in value if feed not in FEEDS]:
            named = ", ".join(f"{feed!r}{_perhaps(feed, FEEDS)}" for feed in unknown)
            raise ValueError(f"names unknown feed {named}; use {', '.join(FEEDS)}")
        return {feed: (sources if isinstance(sources, (list, tuple)) else [sources]) for feed, sources in value.items()}

    @field_validator("feeds")
    @classmethod
    def _known_columns(cls, feeds: dict[str, tuple[Source, ...]]) -> dict[str, tuple[Source, ...]]:
        wrong = []
        for feed, sources in feeds.items():
            known = {column.name for column in contract(feed).columns}
            unknown = sorted({name for source in sources for name in source.columns} - known)
            if unknown:
                named = ", ".join(f"{name}{_perhaps(name, known)}" for name in unknown)
                wrong.append(
                    f"{feed}.columns names {named}, which the contract does not have; it has {', '.join(sorted(known))}"
                )
        if wrong:
            raise ValueError("; ".join(wrong))
        return feeds

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
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
        return Profile.model_validate(document)
    except ValidationError as error:
        raise _refusal(path, error.errors()) from error


def _refusal(path: Path, wrong: list[ErrorDetails]) -> ProfileError:
    """All that is wrong with a profile, in words and with the keys as they are written."""
    keys = [(_key(each["loc"]), _in_words(each)) for each in wrong]
    if len(keys) == 1:
        return ProfileError(f"{path}, key {keys[0][0]}", keys[0][1], REMEDY)
    shown = [f"\n  key {key}: {words}" for key, words in keys[:SHOWN_KEYS]]
    left = f"\n  and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return ProfileError(str(path), f"{len(keys)} keys are wrong{''.join(shown)}{left}", REMEDY)


def _key(location: tuple[str | int, ...]) -> str:
    """feeds.order_lines.columns, or feeds.order_lines[1].columns for the second source of a feed."""
    parts = [str(part) for part in location if part != "[key]"]
    if len(location) > SOURCE_DEPTH - 1 and location[0] == "feeds":
        number = parts.pop(SOURCE_DEPTH - 1)
        parts[SOURCE_DEPTH - 2] += f"[{number}]" if number != "0" else ""
    return ".".join(parts) or "profile"


def _in_words(wrong: ErrorDetails) -> str:
    """What pydantic says of a key, for people who do not know it."""
    location, kind, value = wrong["loc"], wrong["type"], wrong["input"]
    written = f"is {value!r}; " if isinstance(value, (str, int, float)) and len(str(value)) <= SHOWN_VALUE else ""
    form = FORMS.get(str(location[-1])) if location and kind.startswith(("string", "missing")) else None
    if kind == "value_error":
        return str(wrong["ctx"]["error"])
    if kind in ("extra_forbidden", "invalid_key"):
        return _no_key_of(location)
    if kind == "missing":
        return "is missing" + (f"; write {form}" if form else "")
    if form:
        return f"{written}write {form}"
    if kind.startswith("date"):
        return f"{written}write a day as YYYY-MM-DD"
    if kind == "string_type":
        return f"{written}write text, in quotes" if written else "write text"
    if kind in TYPES:
        return f"{written}write {TYPES[kind]}"
    return written + wrong["msg"].replace("Input should be", "write")


def _no_key_of(location: tuple[str | int, ...]) -> str:
    name, (owner, model) = location[-1], _owner(location[:-1])
    known = [*model.model_fields] if model else []
    near = _perhaps(name, known)
    return f"is no key of {owner}{near}" + (f"; those are {', '.join(known)}" if known and not near else "")


def _owner(location: tuple[str | int, ...]) -> tuple[str, type[_Strict] | None]:
    if not location:
        return "a profile", Profile
    if location[-1] == "notation":
        return "notation", Notation
    if len(location) == SOURCE_DEPTH:
        return "a source", Source
    return ("a lookup", Lookup) if location[-2:-1] == ("lookups",) else ("this mapping", None)


def _perhaps(name: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
