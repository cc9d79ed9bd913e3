"""Erasing persons: out of raw, quarantine and landed copies, then out of every byte of the warehouse and the versions.

First the list of erased persons grows; from then on nothing brings them back. Every step after that finds what is left
to do from what is there, so an erasure that was killed is finished by starting it again. How records lose a person is
in `pipelines.ingestion.erased`, how copies do in `cleansing`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from pipelines.durable import sync
from pipelines.errors import FileRefusedError, OpscopeError
from pipelines.ingestion.cleansing import cleanse, may_name
from pipelines.ingestion.erased import ERASED, MESSAGE, PERSON, ErasedPersons, knows_persons, lost_columns
from pipelines.ingestion.loading import Reading, business_from, day_facts
from pipelines.ingestion.marks import note_days
from pipelines.modelling.stage import build_ml
from pipelines.ops import REFUSALS, prepare
from pipelines.quality.checks import run_checks
from pipelines.quality.report import write_report
from pipelines.quality.versions import stamp_versions
from pipelines.release import release
from pipelines.resources import Warehouse, in_transaction
from pipelines.settings import Settings, audit_time
from pipelines.sources.contracts import Contract, contracts
from pipelines.sources.landed import LandedCopies
from pipelines.sources.landing import source_of
from pipelines.sources.lookup_files import Lookups
from pipelines.sources.profiles import Profile
from pipelines.stages import build_marts, build_reports
from pipelines.transforms import DbtGraph, Transforms

# Shorter values of a personal column are shared by too many to tell a person.
TELLING_LENGTH = 6
RUN_ID = "erasure"
# Schemas whose tables are kept as of days that an erasure does not compute again.
AS_OF_SCHEMAS = ("kpis", "ml", "reports")


@dataclass(frozen=True)
class Standing:
    """How many records of a person stand in raw, per feed."""

    identifier: str
    records: dict[str, int]


@dataclass(frozen=True)
class Erased:
    """What an erasure did.

    `deliveries` are the paths in the landing, which is not ours to change, of files that speak of the persons.
    """

    pseudonyms: tuple[str, ...]
    records_changed: int
    deliveries: tuple[str, ...]


def standing(warehouse: Warehouse, identifiers: Sequence[str]) -> list[Standing]:
    """What raw holds of persons."""
    with warehouse.read() as connection:
        return [
            Standing(
                identifier,
                {
                    feed.feed: _count(connection, f"select count(*) from {feed.table} where {PERSON} = ?", identifier)
                    for feed in contracts()
                    if knows_persons(feed)
                },
            )
            for identifier in identifiers
        ]


def erase(
    settings: Settings, profile: Profile, warehouse: Warehouse, transforms: Transforms, identifiers: Sequence[str]
) -> Erased:
    """Erase the persons with these customer numbers, and publish. Hold the write lease.

    Raises:
        OpscopeError: a number is nowhere; nothing was changed.
        PublishRefusedError: the gate refused; the versions before are served still, and hold the persons.
    """
    taken = take_out(settings, profile, warehouse, identifiers)
    graph = DbtGraph(transforms.manifest())
    _compute(settings, profile, warehouse, transforms, graph)
    rewrite(warehouse)
    release(settings, warehouse, graph, run_id=RUN_ID, anew=True)
    with warehouse.transaction() as connection:
        connection.execute(
            "update ops.erasures set completed_at = ? where list_contains(?, pseudonym)",
            [audit_time(), list(taken.pseudonyms)],
        )
    write_report(settings, warehouse)
    return taken


def take_out(settings: Settings, profile: Profile, warehouse: Warehouse, identifiers: Sequence[str]) -> Erased:
    """The part of an erasure up to raw: list, raw, quarantine, landed copies."""
    identifiers = [identifier.strip() for identifier in identifiers]
    erased = _listed(settings, warehouse, identifiers)
    pseudonyms = tuple(erased.of(identifier) or "" for identifier in identifiers)
    with warehouse.write() as connection:
        prepare(connection, profile)
        records = _take_out_of_tables(connection, profile, erased, pseudonyms)
        deliveries = _take_out_of_copies(connection, settings, profile, erased, identifiers)
    return Erased(pseudonyms, records, tuple(deliveries))


def _listed(settings: Settings, warehouse: Warehouse, identifiers: Sequence[str]) -> ErasedPersons:
    """The list with these persons on it, stored."""
    erased = ErasedPersons.load(settings.erased_path)
    with warehouse.read() as connection:
        for identifier in identifiers:
            found = sum(count for each in standing(warehouse, [identifier]) for count in each.records.values())
            if not found and erased.of(identifier) is None:
                raise OpscopeError(
                    f"customer {identifier!r}", "is in no record", "Take the number as it is delivered, case and all."
                )
            erased = erased.with_person(identifier, _telling_values(connection, identifier))
    erased.save(settings.erased_path)
    return erased


def _telling_values(connection: duckdb.DuckDBPyConnection, identifier: str) -> list[str]:
    """Personal values that only this person has: a refused record without its number may still be told by them."""
    found = []
    for feed in contracts():
        for name in feed.personal_columns if feed.key == (PERSON,) else ():
            rows = connection.execute(
                f'select "{name}" from {feed.table} where length("{name}") >= {TELLING_LENGTH} '
                f'group by "{name}" having min({PERSON}) = $person and max({PERSON}) = $person',
                {"person": identifier},
            ).fetchall()
            found += [value for (value,) in rows]
    return found


def _count(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> int:
    row = connection.execute(sql, list(parameters)).fetchone()
    return int(row[0]) if row else 0


# ---------------------------------------------------------------------------------------------------------- the tables


def _take_out_of_tables(
    connection: duckdb.DuckDBPyConnection, profile: Profile, erased: ErasedPersons, pseudonyms: Sequence[str]
) -> int:
    """Raw and quarantine without the persons, in one transaction; how many records changed."""
    with in_transaction(connection):
        feeds = [feed for feed in contracts() if knows_persons(feed)]
        changed = sum(_take_out_of_raw(connection, feed, profile, erased) for feed in feeds)
        changed += sum(_take_out_of_quarantine(connection, feed, profile, erased) for feed in feeds)
        _take_out_of_as_of_tables(connection, erased)
        connection.executemany(
            "insert into ops.erasures values (?, ?, ?, null) on conflict do update set completed_at = null",
            [[pseudonym, audit_time(), changed] for pseudonym in pseudonyms],
        )
    return changed


def _take_out_of_raw(
    connection: duckdb.DuckDBPyConnection, feed: Contract, profile: Profile, erased: ErasedPersons
) -> int:
    names = connection.execute(f"select distinct {PERSON} from {feed.table}").fetchall()
    persons = [(name, erased.of(name)) for (name,) in names]
    renamed = [(name, pseudonym) for name, pseudonym in persons if pseudonym is not None and name != pseudonym]
    connection.register(
        "erased_names", pa.table({"name": [name for name, _ in renamed], "pseudonym": [each for _, each in renamed]})
    )
    try:
        condition = f"{PERSON} in (select name from erased_names)"
        facts = day_facts(connection.table(feed.table).filter(condition), feed)
        lost = "".join(f', "{name}" = null' for name in lost_columns(feed))
        connection.execute(
            f"update {feed.table} set {PERSON} = (select pseudonym from erased_names where name = {PERSON}){lost} "
            f"where {condition}"
        )
    finally:
        connection.unregister("erased_names")
    touched = {day.delivered_on: business_from(day, profile) for day in facts}
    if touched:
        # As-of days stay current: no count, amount or forecast of theirs can tell a person from the pseudonym.
        note_days(connection, feed.feed, touched)
        stamp_versions(connection, [feed.table], touched, RUN_ID)
    return sum(day.rows for day in facts)


def _take_out_of_as_of_tables(connection: duckdb.DuckDBPyConnection, erased: ErasedPersons) -> None:
    """Rows per customer get the pseudonym where they stand, and lose what the person's own record said.

    Computing them again would write the same figures: none depends on how a customer is called or who that is. So what
    was judged of them holds, and they get no new version.
    """
    tables = connection.execute(
        """
        select table_schema || '.' || table_name as place, list(column_name) as names
        from information_schema.columns join information_schema.tables using (table_schema, table_name)
        where table_type = 'BASE TABLE' and list_contains(?, table_schema)
        group by place having list_contains(names, ?)
        """,
        [list(AS_OF_SCHEMAS), PERSON],
    ).fetchall()
    said = {column for feed in contracts() if feed.key == (PERSON,) for column in lost_columns(feed)}
    for table, names in tables:
        found = [name for (name,) in connection.execute(f"select distinct {PERSON} from {table}").fetchall()]
        pseudonyms = {name: erased.of(name) for name in found if name is not None}
        lost = "".join(f', "{name}" = null' for name in sorted(said.intersection(names)))
        for name, pseudonym in pseudonyms.items():
            if pseudonym not in (None, name):
                connection.execute(f"update {table} set {PERSON} = ?{lost} where {PERSON} = ?", [pseudonym, name])


def _take_out_of_quarantine(
    connection: duckdb.DuckDBPyConnection, feed: Contract, profile: Profile, erased: ErasedPersons
) -> int:
    """Refused records of the persons keep their place and nothing else; refused files lose what quotes them."""
    rows = connection.execute(
        """
        select q.quarantine_id, concat_ws(chr(10), q.raw_text, q.mended_text), f.source_path
        from ops.quarantine as q join ops.files as f using (file_id)
        where q.feed = ? and coalesce(q.raw_text, q.mended_text, '') <> ''
        """,
        [feed.feed],
    ).fetchall()
    delimiters = {source.notation.delimiter for source in profile.feeds.get(feed.feed, ())} or {","}
    named = [each for each, text, _ in rows if any(erased.named_in(text, delimiter) for delimiter in delimiters)]
    connection.execute(
        "update ops.quarantine set raw_text = null, mended_text = null, reason_code = ?, column_name = null, "
        "message = ? where list_contains(?, quarantine_id)",
        [ERASED, MESSAGE, named],
    )
    for code, remedy in REFUSALS.items():
        connection.execute(
            "update ops.quarantine set message = ? where feed = ? and record_no is null and reason_code = ?",
            [remedy, feed.feed, code],
        )
    return len(named)


# ---------------------------------------------------------------------------------------------------------- the copies


def _take_out_of_copies(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    profile: Profile,
    erased: ErasedPersons,
    identifiers: Sequence[str],
) -> list[str]:
    """Every landed copy without the persons; the delivered paths of those that had one."""
    copies = LandedCopies(settings.landed_path)
    copies.holds_back = True
    copies.clean()
    lookups = Lookups(copies, settings.landing_url)
    files: dict[str, list[tuple[str, str, date | None]]] = {}
    for content, *file in connection.execute(
        "select content_sha256, feed, source_path, delivered_on from ops.files order by all"
    ).fetchall():
        files.setdefault(content, []).append((file[0], file[1], file[2]))
    paths: set[str] = set()
    for content in copies.contents():
        if content not in files:
            continue
        try:
            readings = _readings(files[content], content, profile, copies, lookups)
        except FileRefusedError:
            readings = []
        may_hold = not readings or any(may_name(reading, name) for reading in readings for name in identifiers)
        if not readings:
            copies.set_aside(content)
        if may_hold and (not readings or cleanse(copies, content, readings, erased)):
            paths |= {path for _, path, _ in files[content]}
    for content in set(copies.contents()) - set(files):
        # A lookup file, perhaps landed just now: it is landed again when it is needed.
        copies.set_aside(content)
    copies.clean()
    return sorted(paths)


def _readings(
    files: Sequence[tuple[str, str, date | None]],
    content: str,
    profile: Profile,
    copies: LandedCopies,
    lookups: Lookups,
) -> list[Reading]:
    """All that the profile reads from one copy; nothing where what once read it is no longer in the profile."""
    found: dict[tuple[str, int], Reading] = {}
    by_name = {feed.feed: feed for feed in contracts()}
    for delivered_feed, path, day in files:
        for feed in profile.feeds:
            source = source_of(profile, feed, path)
            if source is None and feed == delivered_feed:
                return []
            if source is not None and (feed, id(source)) not in found:
                found[feed, id(source)] = Reading(
                    file_id="",
                    feed=by_name[feed],
                    source=source,
                    profile=profile,
                    path=copies.path_of(content),
                    source_path=path,
                    delivered_on=day,
                    lookups=lookups.of(source, day),
                )
        if delivered_feed not in profile.feeds:
            return []
    return list(found.values())


# ---------------------------------------------------------------------------------------------------- what follows


def _compute(
    settings: Settings, profile: Profile, warehouse: Warehouse, transforms: Transforms, graph: DbtGraph
) -> None:
    """Bring the marts to what raw says now, and whatever else was waiting to be computed."""
    with warehouse.read() as connection:
        days = [row[0] for row in connection.execute("select distinct delivered_on from ops.stale_days").fetchall()]
    run_checks(warehouse, "raw", days, run_id=RUN_ID)
    with _as_of_days_stay(warehouse):
        build_marts(warehouse, transforms, graph, days, run_id=RUN_ID)
    waiting = _stale_as_of_days(warehouse, "ml")
    if waiting:
        written = build_ml(settings, profile, warehouse, waiting, run_id=RUN_ID, progress=lambda *_: None)
        run_checks(warehouse, "ml", written, run_id=RUN_ID)
    waiting = _stale_as_of_days(warehouse, "reports")
    if waiting:
        build_reports(warehouse, transforms, graph, waiting, run_id=RUN_ID)


@contextmanager
def _as_of_days_stay(warehouse: Warehouse) -> Iterator[None]:
    """As-of days that are current before the block are so after it; a crash inside leaves them to the next run."""
    with warehouse.read() as connection:
        current = connection.execute("select stage, as_of from ops.as_of_days where not is_stale").fetchall()
    yield
    if current:
        with warehouse.transaction() as connection:
            connection.executemany("update ops.as_of_days set is_stale = false where stage = ? and as_of = ?", current)


def _stale_as_of_days(warehouse: Warehouse, stage: str) -> list[date]:
    with warehouse.read() as connection:
        rows = connection.execute(
            "select as_of from ops.as_of_days where stage = ? and is_stale order by as_of", [stage]
        ).fetchall()
    return [row[0] for row in rows]


def rewrite(warehouse: Warehouse) -> None:
    """Write the warehouse into a new file: DuckDB keeps deleted rows in the blocks of the old one."""
    fresh = warehouse.path.with_name(f"{warehouse.path.name}.new")
    fresh.unlink(missing_ok=True)
    location = str(fresh).replace("'", "''")
    with warehouse.write() as connection:
        connection.execute(f"attach '{location}' as fresh")
        connection.execute(f'copy from database "{warehouse.path.stem}" to fresh')
        connection.execute("checkpoint fresh")
        connection.execute("detach fresh")
        connection.execute("checkpoint")
    fresh.chmod(0o640)
    sync(fresh)
    fresh.replace(warehouse.path)
    sync(fresh.parent)
