"""No record is lost, doubled or bent: every generated file ends as a second, independent reading says it must.

The golden model (`golden`, `golden_company`) shares no code with the product. Files come in the dialects of `dialects`,
half of them with dirt from `dirty_files`; hundreds are taken by one ingestion.
"""

import gzip
import hashlib
import os
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipelines.sources.landed import LandedCopies
from tests.promises.dialects import DIALECTS, ZONE, Dialect, feeds
from tests.promises.dirty_files import Writer, Written
from tests.promises.golden_company import GoldenCompany, GoldenFile, Standing
from tests.unit.ingestion.shop import Shop

DAYS = [date(2025, 3, day) for day in range(1, 6)]
FILES_OF_A_HOME = 250
SEED = 20251122
COUNTS = "records_seen, records_loaded, records_duplicate, records_quarantined, records_filtered"
AMOUNTS = ("seen", "loaded", "duplicate", "quarantined")


class Delivered:
    """A landing, the product's home and the golden model, all told the same."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.shop = Shop(folder, feeds(), time_zone=ZONE)
        self.golden = GoldenCompany(ZONE)
        self.writer = Writer(seed)
        self.chance = random.Random(seed)
        self.landing: dict[str, tuple[bytes, Dialect, date | None]] = {}

    def write(self) -> tuple[str, Written]:
        """One more file in the landing."""
        dialect = self.chance.choice(DIALECTS)
        day = None if dialect.day_column else self.chance.choice(DAYS)
        written = self.writer.write(dialect, DAYS)
        path = f"{dialect.folder(str(day))}/{written.name}"
        self.put(path, written.content, dialect, day)
        return path, written

    def put(self, path: str, content: bytes, dialect: Dialect, day: date | None) -> None:
        self.shop.put_bytes(path, content)
        self.landing[path] = (content, dialect, day)

    def ingest(self) -> dict[str, Standing]:
        """What stands afterwards, as the golden model says."""
        self.shop.ingest()
        for path, (content, dialect, day) in self.landing.items():
            self.golden.deliver(path, content, dialect.kind, day)
        return self.golden.settle()


def test_every_file_ends_as_the_golden_model_says(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    files, records, clean = trials(1_000, 20_000), 0, 0
    for home in range(files // FILES_OF_A_HOME):
        delivered = Delivered(tmp_path / str(home), SEED + home)
        written = dict(delivered.write() for _ in range(FILES_OF_A_HOME))
        standing = delivered.ingest()
        assert_as_golden(delivered, standing)
        clean += assert_clean_files_are_whole(written, standing)
        records += sum(each.file.seen for each in standing.values())
    evidence(
        "P1",
        f"files in 12 dialects, half of them dirty, reconcile with an independent model: {records:,} records",
        trials=files,
        seed=SEED,
    )
    evidence(
        "P2",
        "each of their records is loaded with the values the model reads, or quarantined with its reason and place",
        trials=records,
        seed=SEED,
    )
    evidence(
        "P2", "every record of their clean files is loaded with the values it was written from", trials=clean, seed=SEED
    )


def assert_as_golden(delivered: Delivered, standing: dict[str, Standing]) -> None:
    """Ledger, raw tables and quarantine of the home against the golden model."""
    shop = delivered.shop
    assert_ledger(shop, standing, delivered.golden)
    rows = rows_of(shop)
    quarantine = quarantine_of(shop)
    wholes = shop.query(
        "select source_path, q.reason_code from ops.quarantine as q join ops.files using (file_id) "
        "where record_no is null and q.status = 'open' order by all"
    )
    assert wholes == sorted((path, why) for path, found in delivered.golden.refused.items() for _, why in found)
    for path, each in standing.items():
        expected = (
            {}
            if each.owner
            else {
                number: values | {"_delivered_on": each.file.days[number]}
                for number, values in each.file.loaded.items()
            }
        )
        assert rows.pop(path, {}) == expected, path
        assert_quarantine(shop, path, GoldenFile("duplicate") if each.owner else each.file, quarantine.pop(path, {}))
    assert not rows
    assert not any(quarantine.values())


def assert_ledger(shop: Shop, standing: dict[str, Standing], golden: GoldenCompany) -> None:
    amounts = ", ".join(f"amount_{part}" for part in AMOUNTS)
    found = shop.query(
        f"select source_path, f.status, (select source_path from ops.files as o where o.file_id = f.duplicate_of), "
        f"content_sha256, reason_code, {COUNTS}, {amounts} from ops.files as f where f.status <> 'superseded'"
    )
    refused = {(row[0], row[3], row[4]) for row in found if row[1] == "refused"}
    assert refused == {(path, *file) for path, files in golden.refused.items() for file in files}
    ledger = {row[0]: row for row in found if row[1] != "refused"}
    assert ledger.keys() == standing.keys()
    for path, each in standing.items():
        _, status, owner, content, _, *numbers = ledger[path]
        assert content == hashlib.sha256(each.file.content).hexdigest()
        assert owner == each.owner
        assert status == ("duplicate" if owner else each.file.status), path
        seen = each.file.seen
        assert tuple(numbers[:5]) == ((seen, 0, seen, 0, 0) if owner else each.file.counts), path
        if not owner:
            expected = each.file.amounts or dict.fromkeys(AMOUNTS)
            assert [amount or 0 for amount in numbers[5:]] == [expected[part] or 0 for part in AMOUNTS], path


def rows_of(shop: Shop) -> dict[str, dict[int, dict[str, Any]]]:
    """Path -> record number -> values of all raw rows."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for feed in {dialect.feed for dialect in DIALECTS}:
        with shop.warehouse.read() as connection:
            table = connection.execute(
                f"select source_path, r.* exclude (_file_id) from raw.{feed} as r join ops.files on file_id = _file_id"
            ).to_arrow_table()
        for row in table.to_pylist():
            number = row.pop("_record_no")
            records = found.setdefault(row.pop("source_path"), {})
            assert number not in records
            records[number] = row
    return found


def quarantine_of(shop: Shop) -> dict[str, dict[int, tuple[Any, ...]]]:
    """Path -> record number -> (reason, column, offset, text) of what is open."""
    found: dict[str, dict[int, tuple[Any, ...]]] = {}
    for path, number, *rest in shop.query(
        "select source_path, record_no, q.reason_code, column_name, byte_offset, raw_text "
        "from ops.quarantine as q join ops.files using (file_id) where q.status = 'open' and record_no is not null"
    ):
        found.setdefault(path, {})[number] = tuple(rest)
    return found


def assert_quarantine(shop: Shop, path: str, file: GoldenFile, found: dict[Any, tuple[Any, ...]]) -> None:
    """Reason, column, place and text of each refused record; the place holds the very bytes in the landed copy."""
    assert {number: each[:2] for number, each in found.items()} == file.quarantined, path
    landed = LandedCopies(shop.settings.landed_path).path_of(hashlib.sha256(file.content).hexdigest())
    content = landed.read_bytes() if found else b""
    assert content == (file.content if found else b"")
    for number, (_, _, offset, text) in found.items():
        record = file.records[number]
        assert (offset, text) == (record.offset, shown(record.raw)), (path, number)
        assert content[offset:].startswith(record.delivered), (path, number)


def shown(raw: str) -> str:
    """A raw record the way quarantine shows it: bytes that are no text as escapes."""
    errors = "surrogateescape" if all(not "\ud800" <= sign <= "\udc7f" for sign in raw) else "surrogatepass"
    return raw.encode("utf-8", errors).decode("utf-8", "backslashreplace")


def assert_clean_files_are_whole(written: dict[str, Written], standing: dict[str, Standing]) -> int:
    """Files to which nothing was done hold what they were written from; how many records that are."""
    count = 0
    for path, each in written.items():
        if each.rows is None:
            continue
        file = standing[path].file
        assert file.status == "loaded", (path, file.quarantined)
        assert len(file.loaded) == len(each.rows)
        for number, row in enumerate(each.rows, start=1):
            known = {name: value for name, value in row.items() if name in file.loaded[number]}
            assert {name: file.loaded[number][name] for name in known} == {
                name: naive(value) for name, value in known.items()
            }
            count += 1
    return count


def naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


# ------------------------------------------------------------------------------------- the same again, and corrections


def test_redelivery_in_any_way_changes_no_row(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """Same name, new name, later day, packed or not, written again with a new or an old time: the rows stay."""
    delivered = Delivered(tmp_path, SEED)
    originals = [delivered.write()[0] for _ in range(40)]
    delivered.ingest()
    before = content_of(delivered.shop)
    rounds = trials(8, 125)
    for _ in range(rounds):
        for path in delivered.chance.sample(originals, 16):
            redeliver(delivered, path)
        standing = delivered.ingest()
        assert content_of(delivered.shop) == before
    assert_as_golden(delivered, standing)
    evidence(
        "P4",
        "deliveries of known bytes (same or new name or day, packed or not, any time of writing) change no row",
        trials=16 * rounds,
        seed=SEED,
    )


def redeliver(delivered: Delivered, path: str) -> None:
    content, dialect, day = delivered.landing[path]
    chance = delivered.chance
    if chance.random() < 0.5:
        folder, name = path.rsplit("/", 1)
        later = day and chance.choice([each for each in DAYS if each >= day])
        folder = dialect.folder(str(later))
        path, day = f"{folder}/x{chance.randrange(3)}_{name}", later
        is_packed = name.endswith(".gz")
        if not is_packed and chance.random() < 0.5:
            path, content = f"{path}.gz", gzip.compress(content, chance.randint(1, 9))
    delivered.put(path, content, dialect, day)
    moment = chance.randrange(10**9, 2 * 10**9)
    os.utime(delivered.shop.landing / path, (moment, moment))


def test_corrections_and_copies_in_any_order_end_alike(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """New bytes under a known name, copies under earlier names, and all of it in two orders: one end, the model's."""
    rounds = trials(2, 60)
    changes = 0
    for number in range(rounds):
        delivered = Delivered(tmp_path / f"{number}a", SEED + number)
        paths = [delivered.write()[0] for _ in range(25)]
        delivered.ingest()
        for _ in range(3):
            for path in delivered.chance.sample(paths, 12):
                change(delivered, path)
                changes += 1
            standing = delivered.ingest()
            assert_as_golden(delivered, standing)
        at_last = Delivered(tmp_path / f"{number}b", SEED + number)
        order = sorted(delivered.landing)
        delivered.chance.shuffle(order)
        for path in order:
            if not delivered.golden.refused.get(path):
                at_last.put(path, *delivered.landing[path])
                if delivered.chance.random() < 0.2:
                    at_last.ingest()
        at_last.ingest()
        assert_as_golden(at_last, at_last.golden.settle())
    evidence(
        "P4",
        "corrections under a known name and copies under other names end as the model says, in whatever order",
        trials=changes,
        seed=SEED,
    )


def change(delivered: Delivered, path: str) -> None:
    """Another content for the path, or its bytes under a name of any day, at times where they are read differently."""
    content, dialect, day = delivered.landing[path]
    chance = delivered.chance
    if chance.random() < 0.5:
        another = delivered.writer.write(dialect, DAYS).content if chance.random() < 0.6 else content
        delivered.put(path, another, dialect, day)
        return
    if chance.random() < 0.2:
        dialect = chance.choice([each for each in DIALECTS if each.feed == dialect.feed])
    other = None if dialect.day_column else chance.choice(DAYS)
    name = path.rsplit("/", 1)[1]
    delivered.put(f"{dialect.folder(str(other))}/{chance.choice('az')}_{name}", content, dialect, other)


def content_of(shop: Shop) -> list[Any]:
    """All raw rows and all open quarantine."""
    tables = [f"raw.{feed}" for feed in sorted({dialect.feed for dialect in DIALECTS})]
    found = [shop.query(f"from {table} order by all") for table in tables]
    return [*found, shop.query("select * from ops.quarantine where record_no is not null order by quarantine_id")]
