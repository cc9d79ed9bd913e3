"""The evidence tables (`ops.*`): what came in, what was refused, what was checked, what must be rebuilt.

Their shape and their closed lists of codes live here; who writes which is said at each table. `prepare` makes a fresh
warehouse usable: all schemas, the raw table of every feed (also of feeds the company lacks) and these tables.
"""

import duckdb

from pipelines.errors import WarehouseError
from pipelines.resources import in_transaction
from pipelines.sources.contracts import Contract, contracts
from pipelines.sources.profiles import Profile

SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "ml", "kpis", "reports")

# Provenance of every raw row: the file it came from, its record number there (from 1, the header not counted),
# and the day the company learnt it.
PROVENANCE = {"_file_id": "VARCHAR", "_record_no": "BIGINT", "_delivered_on": "DATE"}

TABLES = {
    # Written by ingestion, in the transaction of the rows.
    "files": """
        file_id VARCHAR PRIMARY KEY,
        feed VARCHAR NOT NULL,
        source_path VARCHAR NOT NULL,
        delivered_on DATE,
        content_sha256 VARCHAR NOT NULL,
        delivered_bytes BIGINT NOT NULL,
        status VARCHAR NOT NULL,
        reason_code VARCHAR,
        message VARCHAR,
        duplicate_of VARCHAR,
        superseded_by VARCHAR,
        records_seen BIGINT NOT NULL,
        records_loaded BIGINT NOT NULL,
        records_duplicate BIGINT NOT NULL,
        records_quarantined BIGINT NOT NULL,
        records_filtered BIGINT NOT NULL,
        amount_seen DECIMAL(38,8),        -- no sum is rounded
        amount_loaded DECIMAL(38,8),
        amount_duplicate DECIMAL(38,8),
        amount_quarantined DECIMAL(38,8),
        ignored_columns VARCHAR,
        missing_columns VARCHAR,
        contract_version VARCHAR NOT NULL,
        mapping_digest VARCHAR NOT NULL,
        run_id VARCHAR,
        ingested_at TIMESTAMP NOT NULL
    """,
    # One row per refused record, or per refused file (record_no null). Written by ingestion.
    "quarantine": """
        quarantine_id VARCHAR PRIMARY KEY, -- hash of file_id and record_no
        file_id VARCHAR NOT NULL,
        feed VARCHAR NOT NULL,
        delivered_on DATE,
        record_no BIGINT,
        byte_offset BIGINT,                -- of the record in the decompressed file, where the format has one
        reason_code VARCHAR NOT NULL,      -- one of REASONS or REFUSALS
        column_name VARCHAR,
        message VARCHAR NOT NULL,
        raw_text VARCHAR,                  -- as delivered
        mended_text VARCHAR,               -- what was let in instead, when a release mended it
        status VARCHAR NOT NULL,           -- open, released, or superseded with its file
        released_at TIMESTAMP,
        released_by VARCHAR
    """,
    # Delivery days whose raw rows changed since the transforms last ran. Written by ingestion, cleared by transforms.
    "stale_days": """
        feed VARCHAR NOT NULL,
        delivered_on DATE NOT NULL,
        business_from DATE NOT NULL,       -- earliest business day the change can touch
        PRIMARY KEY (feed, delivered_on)
    """,
    # Every as-of day ever asked of a stage (ml, reports); stale when knowledge up to it changed since it was computed.
    # Marked by ingestion, cleared by the stage (pipelines/scope.py).
    "as_of_days": """
        stage VARCHAR NOT NULL, as_of DATE NOT NULL, is_stale BOOLEAN NOT NULL, PRIMARY KEY (stage, as_of)
    """,
    # The as-of days the running step computes. The only thing dbt is told about time.
    "build_scope": "as_of DATE PRIMARY KEY",
    # Per dbt build, of what its views were made. Written by transforms (pipelines/standing_views.py).
    "standing_views": "build VARCHAR PRIMARY KEY, print VARCHAR NOT NULL",
    # One row: what the transforms must know of the company.
    "company": """
        company VARCHAR, title VARCHAR, base_currency VARCHAR, time_zone VARCHAR, country VARCHAR, starts_on DATE
    """,
    # Which version of each partition (delivery day, or as-of day) of each table stands: every rewrite gives a new one.
    "table_versions": """
        table_name VARCHAR NOT NULL,       -- schema.table
        partition_on DATE NOT NULL,
        version VARCHAR NOT NULL,
        written_at TIMESTAMP NOT NULL,
        PRIMARY KEY (table_name, partition_on)
    """,
    # Written by the checks of each stage.
    "check_results": """
        asset VARCHAR NOT NULL,
        check_name VARCHAR NOT NULL,
        partition_on DATE NOT NULL,
        stage VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        is_blocking BOOLEAN NOT NULL,
        passed BOOLEAN NOT NULL,
        failed_rows BIGINT,
        observed VARCHAR,
        message VARCHAR,
        table_version VARCHAR NOT NULL,
        run_id VARCHAR,
        checked_at TIMESTAMP NOT NULL,
        PRIMARY KEY (asset, check_name, partition_on)
    """,
    # One row per person erased. Written by the erasure; says nothing of who it was.
    "erasures": """
        pseudonym VARCHAR PRIMARY KEY,     -- stands for the person in facts
        requested_at TIMESTAMP NOT NULL,
        records_changed BIGINT NOT NULL,   -- in raw and quarantine
        completed_at TIMESTAMP             -- null while bytes may be left; erasing the person again finishes
    """,
    # Written by publishing.
    "publications": """
        version VARCHAR PRIMARY KEY,
        as_of DATE,
        content_digest VARCHAR NOT NULL,
        published_at TIMESTAMP NOT NULL,
        run_id VARCHAR
    """,
}

# What readers of the published ones are told: of the table (None) and of every column, as comments of the database.
DESCRIPTIONS: dict[str, dict[str | None, str]] = {
    "files": {
        None: "One row per delivered file and content: what came in, and what became of its records.",
        "file_id": "Hash of feed, path and content.",
        "feed": "Kind of delivery.",
        "source_path": "Path as found in the landing.",
        "delivered_on": "Delivery day; null when each record carries its own day.",
        "content_sha256": "SHA-256 of the decompressed bytes; names the landed copy.",
        "delivered_bytes": "Size as delivered, in bytes.",
        "status": "loaded, loaded_with_quarantine, duplicate, superseded or refused.",
        "reason_code": "Why the whole file was refused; null for others.",
        "message": "What was found wrong with the file, in words.",
        "duplicate_of": "file_id of the file that holds the same content; null where there is none.",
        "superseded_by": "file_id of the new content under the same path; null for the newest.",
        "records_seen": "Records read from the file, the header not counted.",
        "records_loaded": "Records that became raw rows.",
        "records_duplicate": "Records left out because an equal one is loaded already.",
        "records_quarantined": "Records refused, each with a reason.",
        "records_filtered": "Records left out by the condition of the company's profile.",
        "amount_seen": "Sum of the feed's control amount over the records seen; null for feeds without one.",
        "amount_loaded": "Control amount of the records loaded.",
        "amount_duplicate": "Control amount of the duplicates.",
        "amount_quarantined": "Control amount of the refused records whose amount could be read.",
        "ignored_columns": "Columns that were delivered and are not mapped, comma separated.",
        "missing_columns": "Optional columns that were not delivered, comma separated.",
        "contract_version": "Version of the feed's contract the file was read with.",
        "mapping_digest": "Digest of the profile's source; with another digest the file is read anew.",
        "run_id": "Run that read the file.",
        "ingested_at": "When the file was read, UTC.",
    },
    "check_results": {
        None: "One row per check, table and partition: the newest outcome.",
        "asset": "Table that was judged, as schema.table.",
        "check_name": "Name of the check.",
        "partition_on": "Delivery day or as-of day that was judged.",
        "stage": "raw, marts, ml or reports.",
        "source": "Who judged: gx (Great Expectations) or dbt.",
        "is_blocking": "Whether a failure stops publication; otherwise it warns.",
        "passed": "Whether the check passed.",
        "failed_rows": "Rows that broke the rule; null where rows were not counted.",
        "observed": "What was measured, as text; never a delivered value of a personal column.",
        "message": "Why the rule matters.",
        "table_version": "Version of the partition that was judged; an outcome on another version counts for nothing.",
        "run_id": "Run that judged.",
        "checked_at": "When it was judged, UTC.",
    },
    "publications": {
        None: "One row per published version.",
        "version": "Name of the version: running number, as-of day and the beginning of its digest.",
        "as_of": "Day the content is knowledge of.",
        "content_digest": "Digest of all tables and comments; equal content is not published twice.",
        "published_at": "When it was published, UTC.",
        "run_id": "Run that published it.",
    },
}

FILE_STATUSES = ("loaded", "loaded_with_quarantine", "duplicate", "superseded", "refused")

# Why a record is in quarantine -> what to do.
REASONS = {
    "field_count": "The record has more or fewer fields than the header; have it sent again or mend and release it.",
    "stray_quote": "A quote stands inside an unquoted field; have the sender quote the field.",
    "unterminated_quote": "A quote is opened and not closed; the record up to the next sound one is kept here.",
    "control_character": "The record holds a NUL or another control character.",
    "invalid_encoding": "The bytes are not valid in the declared encoding.",
    "cell_too_long": "A cell is longer than a value of this column can be.",
    "missing_required": "A column that must be filled is empty.",
    "not_an_integer": "A whole number was expected.",
    "not_a_number": "A number in the declared notation was expected.",
    "not_finite": "NaN and infinity are not values.",
    "number_too_large": "The number does not fit the column.",
    "too_many_decimals": "The number has more decimals than the column keeps.",
    "not_a_date": "A real day in the declared format was expected.",
    "not_a_timestamp": "A moment in the declared format was expected.",
    "nonexistent_local_time": "The clocks were put forward over this local time; it never was.",
    "not_a_boolean": "One of the declared true and false values was expected.",
    "not_allowed": "The value is not one the contract allows.",
    "below_minimum": "The value is below the contract's minimum.",
    "above_maximum": "The value is above the contract's maximum.",
    "pattern_mismatch": "The value does not have the form the contract asks for.",
    "too_long": "The text is longer than the contract allows.",
    "no_delivery_day": "The column that gives the delivery day is empty or is no day.",
    "duplicate_key": "Two records of the file have the same key and differ; neither is trusted.",
    "expression_failed": "The profile's expression could not be computed for this record.",
    "not_json": "The line is not one JSON object.",
    "repeated_header": "The header stands again among the records.",
    "erased": "The record is of a person who was erased; nothing of it is kept.",
}

# Why a whole file is refused -> what to do.
REFUSALS = {
    "empty_file": "The file has no bytes; have it sent again.",
    "unreadable": "The file cannot be opened; check its rights and the link.",
    "not_a_regular_file": "Only regular files are read; a link, pipe or folder is not.",
    "wrong_encoding": "The file is not in the declared encoding; set notation.encoding in the profile.",
    "missing_column": "A mapped column is not in the header; compare the header with the profile.",
    "duplicate_header": "Two columns have the same name.",
    "no_header": "The first line is not the header the profile expects.",
    "no_final_newline": "The last line does not end; the file may be cut. Have it sent again.",
    "bad_archive": "The compressed file is cut or damaged.",
    "archive_too_large": "Decompressed, the file is larger than allowed or grows more than a hundredfold.",
    "unsafe_archive": "The archive holds more than one file, a path, a link or an encrypted member.",
    "wrong_format": "The file is not of the declared format.",
    "too_many_columns": "The file has more columns than a table can have.",
    "lookup_failed": "A lookup file is missing or not usable.",
    "still_being_written": "The file changed while it was read; it is tried again on the next run.",
    "source_failed": "The database or remote path could not be read.",
    "reader_failed": "The reader itself failed on this file.",
}


def raw_table_ddl(feed: Contract) -> str:
    columns = [f'"{column.name}" {column.physical_type}' for column in feed.columns]
    columns += [f'"{name}" {kind} NOT NULL' for name, kind in PROVENANCE.items()]
    return f"create table if not exists {feed.table} ({', '.join(columns)})"


def prepare(connection: duckdb.DuckDBPyConnection, profile: Profile) -> None:
    """Create what is missing of schemas, raw tables and evidence tables, and say whose warehouse this is.

    All in one transaction: after a crash the tables are there with their company, or none is.

    Raises:
        WarehouseError: it is another company's, or its money is in another currency.
    """
    with in_transaction(connection):
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists {schema}")
        for feed in contracts():
            connection.execute(raw_table_ddl(feed))
        for name, columns in TABLES.items():
            connection.execute(f"create table if not exists ops.{name} ({columns})")
        _describe(connection)
        _say_whose(connection, profile)


def _describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the comments that are not there yet; where all are, as on most nights, nothing is written."""
    rows = connection.execute(
        """
        select table_name, null, comment from duckdb_tables()
        where database_name = current_database() and schema_name = 'ops'
        union all
        select table_name, column_name, comment from duckdb_columns()
        where database_name = current_database() and schema_name = 'ops'
        """
    ).fetchall()
    told = {(table, column): comment for table, column, comment in rows}
    for table, texts in DESCRIPTIONS.items():
        for column, text in texts.items():
            if told.get((table, column)) != text:
                place = f"table ops.{table}" if column is None else f"column ops.{table}.{column}"
                literal = text.replace("'", "''")
                connection.execute(f"comment on {place} is '{literal}'")


def require_company(connection: duckdb.DuckDBPyConnection, profile: Profile) -> None:
    """Refuse a profile of another company than the warehouse's.

    Raises:
        WarehouseError: it is another company's, or its money is in another currency.
    """
    found = connection.execute("select company, base_currency from ops.company").fetchone()
    asked = (profile.company, profile.base_currency)
    if found is not None and found != asked:
        raise WarehouseError(
            "warehouse",
            f"holds the company {found[0]} in {found[1]}, the profile is of {asked[0]} in {asked[1]}",
            "Name its own profile with --profile or OPSCOPE_PROFILE; or give another --home, or move this one away.",
        )


def _say_whose(connection: duckdb.DuckDBPyConnection, profile: Profile) -> None:
    require_company(connection, profile)
    columns = ("company", "title", "base_currency", "time_zone", "country", "starts_on")
    facts = [getattr(profile, name) for name in columns]
    connection.execute("delete from ops.company")
    connection.execute("insert into ops.company values (?, ?, ?, ?, ?, ?)", facts)
