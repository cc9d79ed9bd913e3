"""What is wrong with a profile, told to the person who writes it: reads a little of what it finds and loads nothing."""

import difflib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

import pyarrow as pa

from pipelines.errors import FileRefusedError, OpscopeError, ProfileError
from pipelines.ops import REASONS
from pipelines.sources.chunks import Reject
from pipelines.sources.conform import Conformer
from pipelines.sources.contracts import FEEDS, Contract, contract
from pipelines.sources.delimited import delimiter_advice
from pipelines.sources.expressions import parse_expression
from pipelines.sources.formats import read_header, read_records
from pipelines.sources.landed import LandedCopies
from pipelines.sources.landing import Delivery, find_deliveries, list_landing
from pipelines.sources.lookup_files import Lookups
from pipelines.sources.profiles import Profile, Source, load_profile

SAMPLE_RECORDS = 1_000
SHOWN_PATHS = 5
SHOWN_CHARACTERS = 200
# Of at least so many records such a part refused is no matter of bad records: the profile reads them wrongly.
MISREAD_RECORDS, MISREAD_PART = 10, 0.9
# Why records are refused -> the keys of the profile that decide it. Of others the column's mapping does.
NOTATION_KEYS = {
    "field_count": ("delimiter", "quote"),
    "stray_quote": ("delimiter", "quote"),
    "unterminated_quote": ("quote",),
    "control_character": ("encoding",),
    "invalid_encoding": ("encoding",),
    "missing_required": ("null_values",),
    "not_an_integer": ("thousands",),
    "not_a_number": ("decimal", "thousands"),
    "number_too_large": ("decimal", "thousands"),
    "too_many_decimals": ("decimal", "thousands"),
    "not_a_date": ("date_format",),
    "not_a_timestamp": ("timestamp_format",),
    "nonexistent_local_time": ("time_zone",),
    "not_a_boolean": ("true_values", "false_values"),
    "no_delivery_day": ("date_format", "timestamp_format"),
}


@dataclass(frozen=True)
class Finding:
    """One thing worth saying; `remedy` is empty when there is nothing to do."""

    severity: Literal["ok", "warning", "error"]
    place: str
    message: str
    remedy: str = ""


def check_profile(name_or_path: str, landing_url: str, *, sample_records: int = SAMPLE_RECORDS) -> list[Finding]:
    """Everything a profile can be told before its first run.

    Checks the file itself, its expressions, which deliveries each source finds, and the header and first records of
    each source's newest one.

    Args:
        name_or_path: A shipped profile or a profile file.
        landing_url: Where the deliveries lie.
        sample_records: How many records of each source are tried.
    """
    try:
        profile = load_profile(name_or_path)
    except ProfileError as error:
        return [_error(error)]
    findings = [finding for feed, number, source in _sources(profile) for finding in _expressions(feed, number, source)]
    if findings:
        return findings
    try:
        deliveries = find_deliveries(profile, landing_url)
    except ProfileError as error:
        return [_error(error)]
    with tempfile.TemporaryDirectory() as folder:
        copies = LandedCopies(Path(folder))
        checker = _Checker(profile, landing_url, copies, Lookups(copies, landing_url), sample_records)
        for feed, number, source in _sources(profile):
            found = [each for each in deliveries if each.feed == feed and each.source is source]
            findings += checker.check(_place(feed, number), source, contract(feed), found)
    return [*findings, *_without_rates(profile), *_lacking(profile)]


def _sources(profile: Profile) -> list[tuple[str, int, Source]]:
    return [(feed, number, source) for feed, sources in profile.feeds.items() for number, source in enumerate(sources)]


def _place(feed: str, number: int) -> str:
    return f"feeds.{feed}" + (f"[{number}]" if number else "")


def _error(error: OpscopeError, place: str = "") -> Finding:
    return Finding("error", place or error.place, error.cause, error.remedy)


def _expressions(feed: str, number: int, source: Source) -> Iterator[Finding]:
    texts = {f"columns.{name}": mapping.expression for name, mapping in source.columns.items()} | {
        "where": source.where
    }
    for key, text in texts.items():
        if text is not None:
            try:
                parse_expression(text, key)
            except ProfileError as error:
                yield _error(error, f"{_place(feed, number)}.{key}")


def _lacking(profile: Profile) -> list[Finding]:
    lacking = [feed for feed in FEEDS if feed not in profile.feeds]
    if not lacking:
        return []
    return [Finding("warning", "feeds", f"there is no {', '.join(lacking)}; what depends on them stays empty")]


def _without_rates(profile: Profile) -> Iterator[Finding]:
    """Sources whose amounts are in a currency that nothing converts."""
    for feed, number, source in _sources(profile):
        mapping = source.columns.get("currency")
        currency = mapping.constant if mapping else None
        has_amounts = any(column.unit == "currency" for column in contract(feed).columns)
        if has_amounts and currency not in (None, profile.base_currency) and "exchange_rates" not in profile.feeds:
            yield Finding(
                "warning",
                f"{_place(feed, number)}.columns.currency",
                f"there is no exchange_rates feed, so amounts in {currency} stay null in {profile.base_currency}, the "
                "base currency, and are missing from every total",
                f"Add the feed exchange_rates; or write base_currency: {currency} if the company reports in it.",
            )


@dataclass
class _Tried:
    """What came of the records that were tried."""

    seen: int = 0
    filtered: int = 0
    rejects: list[Reject] = field(default_factory=list)
    keys: list[pa.Table] = field(default_factory=list)

    @property
    def is_misread(self) -> bool:
        """Whether all records, or of many nearly all, are refused; those that `where` leaves out do not count."""
        refused, wanted = len(self.rejects), self.seen - self.filtered
        return 0 < wanted <= refused or (wanted >= MISREAD_RECORDS and refused >= MISREAD_PART * wanted)


@dataclass(frozen=True)
class _Checker:
    profile: Profile
    landing_url: str
    copies: LandedCopies
    lookups: Lookups
    sample_records: int

    def check(self, place: str, source: Source, feed: Contract, found: Sequence[Delivery]) -> Iterator[Finding]:
        if not found:
            yield self._nothing_found(place, source)
            return
        days = sorted(each.delivered_on for each in found if each.delivered_on is not None)
        span = f", {' to '.join(dict.fromkeys(map(str, (days[0], days[-1]))))}" if days else ""
        yield Finding("ok", place, f"finds {len(found)} deliver{'y' if len(found) == 1 else 'ies'}{span}")
        newest = found[-1]
        if len(found) > 1:
            which = "newest" if newest.delivered_on else "last by name"
            message = f"is the {which} of {len(found)} files; the others are not read here"
            yield Finding("ok", f"{place}, {newest.source_path}", message)
        try:
            landed = self.copies.land(newest.source_path, newest.open)
            tables = {name: each.records for name, each in self.lookups.of(source, newest.delivered_on).items()}
            with closing(Conformer(source, feed, self.profile, tables)) as conformer:
                header = read_header(landed.path, source, newest.source_path)
                missing = list(_header_findings(f"{place}, {newest.source_path}", source, feed, header, conformer))
                yield from missing
                if not any(finding.severity == "error" for finding in missing):
                    yield from self._records(f"{place}, {newest.source_path}", landed.path, newest, conformer)
        except (FileRefusedError, ProfileError) as error:
            yield _error(error, f"{place}, {newest.source_path}")

    def _nothing_found(self, place: str, source: Source) -> Finding:
        paths = [entry.path for entry in list_landing(self.landing_url) if not entry.is_folder]
        near = difflib.get_close_matches(source.path or "", paths, n=SHOWN_PATHS, cutoff=0.4) or paths[:SHOWN_PATHS]
        there = f"there are {', '.join(map(repr, near))}" if near else "the landing holds no file"
        return Finding(
            "error",
            place,
            f"no file in {self.landing_url} matches {source.path!r}; {there}",
            "Write the path relative to the landing; * stands for part of a name, {delivered_on:%Y%m%d} for the day.",
        )

    def _records(self, place: str, path: Path, delivery: Delivery, conformer: Conformer) -> Iterator[Finding]:
        tried = self._try(path, delivery, conformer)
        by_rule = sorted(tried.rejects, key=lambda each: (each.reason_code, each.column_name or ""))
        for (code, column), group in groupby(by_rule, key=lambda each: (each.reason_code, each.column_name)):
            yield self._refused(place, list(group), tried, delivery, code, column)
        if 0 < tried.seen == tried.filtered:
            message = f"the condition leaves out all {tried.seen} records tried"
            yield Finding("warning", place, message, "Compare the condition with what the file writes.")
        if delivery.source.key_versions == "refuse":
            yield from _key_findings(place, contract(delivery.feed), tried)
        if not tried.rejects and tried.seen > tried.filtered:
            yield Finding("ok", place, f"all {tried.seen} records tried are sound")

    def _refused(
        self, place: str, rejects: list[Reject], tried: _Tried, delivery: Delivery, code: str, column: str | None
    ) -> Finding:
        """What to say of the records that one rule of one column refuses, with the first of them as example."""
        feed = contract(delivery.feed)
        where = f" in {column}" if column else ""
        example = f"record {rejects[0].record_no}: {rejects[0].message}"
        if column not in feed.personal_columns:
            example += f" | {rejects[0].raw_text[:SHOWN_CHARACTERS]}"
        message = f"{len(rejects)} of {tried.seen} records tried would be refused ({code}{where}); {example}"
        keys = " and ".join(_deciding_keys(delivery.source, feed, code, column, self.profile))
        remedy = f"{REASONS[code]} Look at {keys}." if keys else REASONS[code]
        return Finding("error" if tried.is_misread else "warning", place, message, remedy)

    def _try(self, path: Path, delivery: Delivery, conformer: Conformer) -> _Tried:
        tried = _Tried()
        key = [*contract(delivery.feed).key]
        for chunk in read_records(path, delivery.source, conformer.required_columns, delivery.source_path):
            conformed = conformer.conform(chunk.head(self.sample_records - tried.seen))
            tried.rejects += conformed.rejects
            tried.filtered += conformed.filtered
            days = [name for name in conformed.rows.column_names if name == "_delivered_on"]
            tried.keys.append(conformed.rows.select([*key, *days]))
            tried.seen += min(chunk.records_seen, self.sample_records - tried.seen)
            if tried.seen >= self.sample_records:
                break
        return tried


def _deciding_keys(source: Source, feed: Contract, code: str, column: str | None, profile: Profile) -> Iterator[str]:
    """The keys of the source that decide whether its records are refused so, with what they say now."""
    mapping = source.columns.get(column or "")
    lookup, dot, _ = (mapping.source or "" if mapping else "").partition(".")
    of_lookup = bool(dot) and lookup in source.lookups
    notation = source.lookups[lookup].notation if of_lookup else source.notation
    for key in NOTATION_KEYS.get(code, ()):
        value = getattr(notation, key)
        if value is None:
            value = profile.time_zone if key == "time_zone" else "ISO 8601"
        written = ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)
        yield f"{f'lookups.{lookup}.' if of_lookup else ''}notation.{key} (now {written})"
    if code == "no_delivery_day":
        yield "delivered_on"
    elif column in {each.name for each in feed.columns} and (code not in NOTATION_KEYS or code == "missing_required"):
        yield f"columns.{column}"


def _header_findings(
    place: str, source: Source, feed: Contract, header: Sequence[str], conformer: Conformer
) -> Iterator[Finding]:
    advice = delimiter_advice(header, source.notation) if source.file_format == "csv" else ""
    if advice and conformer.used_columns.isdisjoint(header):
        yield Finding("error", place, f"its header is one column, {header[0][:SHOWN_CHARACTERS]!r}", advice)
        return
    for name in sorted(conformer.required_columns - set(header)):
        targets = [column.name for column in feed.columns if _reads(source, column.name, name)]
        need = f", which {', '.join(targets)} needs" if targets else ""
        yield Finding(
            "error", place, f"has no column {name!r}{need}; it has {', '.join(header)}", _hint(name, header, targets)
        )
    for name in conformer.missing_columns(header):
        mapping = source.columns.get(name)
        if mapping is not None and not feed.column(name).required:
            written = mapping.source or mapping.expression
            hint = _hint(mapping.source or "", header, [name])
            yield Finding("warning", place, f"{name} stays empty: {written!r} is not in the file", hint)
    if unused := [name for name in header if name not in conformer.used_columns]:
        yield Finding("ok", place, f"not used: {', '.join(unused)}")


def _reads(source: Source, target: str, delivered: str) -> bool:
    mapping = source.columns.get(target)
    return target == delivered if mapping is None else delivered in (mapping.source, *mapping.within)


def _hint(name: str, header: Sequence[str], targets: Sequence[str]) -> str:
    simple = {each.casefold().replace("_", "").replace(" ", ""): each for each in header}
    near = difflib.get_close_matches(name.casefold().replace("_", "").replace(" ", ""), simple, n=1, cutoff=0.5)
    target = targets[0] if targets else name
    if near:
        return f"Perhaps columns: {{{target}: {simple[near[0]]}}} is meant."
    return f"Write columns: {{{target}: <delivered column>}}, or {{{target}: {{constant: <value>}}}}."


def _key_findings(place: str, feed: Contract, tried: _Tried) -> Iterator[Finding]:
    keys = pa.concat_tables(tried.keys) if tried.keys else None
    if keys is None or not keys.num_rows:
        return
    counted = keys.group_by(keys.column_names).aggregate([([], "count_all")])
    repeated = sum(count > 1 for count in counted.column("count_all").to_pylist())
    if repeated:
        yield Finding(
            "warning",
            place,
            f"{repeated} keys ({', '.join(feed.key)}) stand more than once among {tried.seen} records; "
            "records with one key that differ would be refused",
            "If they are versions say key_versions: last_wins; if lines have no number, "
            "line_no: {ordinal_within: [<order column>]}.",
        )
