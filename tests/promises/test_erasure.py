"""P20: an erased person is in no byte that is kept, and nothing brings them back."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines import erasure, lease
from pipelines.errors import OpscopeError, WarehouseError
from pipelines.ingestion.erased import PSEUDONYM, ErasedPersons
from pipelines.ingestion.quarantine import release
from pipelines.publishing import rollback, versions
from pipelines.publishing.digest import AUDIT_COLUMNS, content_digest, digests
from pipelines.publishing.versions import VersionError
from pipelines.resources import Warehouse
from pipelines.sources.landed import LandedCopies
from pipelines.sources.profiles import load_profile
from pipelines.transforms import Transforms
from tests.promises import erasing
from tests.promises.canaries import found_below
from tests.promises.erasing import DAYS, Shop
from tests.promises.nursery import Nursery
from tests.promises.planted import Planted

SEED = 20
# Tables as of a day that have a row per customer.
NAMING = (
    "ml.customer_clusters",
    "ml.customer_ltv",
    "reports.fct_customer_rfm_monthly",
    "reports.rpt_customer_360",
)
# What the person's own record says, which is erased with it.
OF_RECORD = ("customer_type", "region", "country_code")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return stocked(Shop(tmp_path))


def stocked(shop: Shop) -> Shop:
    shop.deliver()
    shop.ingest()
    shop.correct()
    shop.ingest()
    return shop


def test_no_byte_of_the_erased_stays_and_all_else_does(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """Every format and every way of being refused, filtered, superseded or a duplicate; with other people each time."""
    people = 0
    for trial in range(trials(2, 40)):
        shop = stocked(Shop(tmp_path / str(trial), seed=SEED + trial))
        gone = random.Random(SEED + trial).sample(shop.people, 1 + trial % 3)
        staying = [person for person in shop.people if person not in gone]
        assert gone[0].values <= shop.left_of(gone).keys(), "nobody was there to be erased"
        ledger, rows, before = shop.ledger(), shop.rows(), shop.left_of(staying)

        deliveries = shop.erase(gone)

        assert shop.left_of(gone) == {}
        assert shop.ledger() == ledger
        assert {table: len(found) for table, found in shop.rows().items()} == {
            table: len(found) for table, found in rows.items()
        }
        unchanged = [row for found in rows.values() for row in found if not _names_any(row, gone)]
        after = {row for found in shop.rows().values() for row in found}
        assert [row for row in unchanged if row not in after] == []
        # A card number stood only in copies that cannot be written anew; those are gone.
        kept = {value for value, files in shop.left_of(staying).items() if files & before[value]}
        assert kept == set(before) - {person.card for person in staying}
        assert {path for path in deliveries if path.endswith((".csv", ".jsonl"))} >= {"2024-01-01/customers.csv"}
        people += len(gone)
    evidence(
        "P20",
        "a person in five file formats, in refused, filtered, repeated, replaced and looked-up records is erased: no "
        "byte below the home holds any of eight values of theirs, and every other row and the ledger stay as they were",
        trials=people,
        seed=SEED,
    )


def _names_any(row: tuple, people: list[erasing.Person]) -> bool:
    return any(value in str(row) for person in people for value in person.values)


def test_copies_stay_under_their_name_and_load_as_before(shop: Shop) -> None:
    copies = LandedCopies(shop.settings.landed_path)
    before = set(copies.contents())
    shop.erase(shop.people[:2])
    gone = before - set(copies.contents())
    unkept = {
        path for path, content in shop.query("select source_path, content_sha256 from ops.files") if content in gone
    }
    # A workbook cannot be written, a card number is another number of the person, the others cannot be read.
    assert unkept == {
        "2024-01-02/book.xlsx",
        "2024-01-02/joined.csv",
        "2024-01-03/customers_bare.csv",
        "2024-01-03/customers_cut.csv",
    }


def test_the_facts_keep_their_amounts_under_one_pseudonym(shop: Shop) -> None:
    person = shop.people[1]
    told = "select order_id, line_no, quantity, unit_price from raw.order_lines where customer_id"
    facts = sorted(shop.query(f"{told} = '{person.who}'"))
    shop.erase([person])
    pseudonym = ErasedPersons.load(shop.settings.erased_path).of(person.who)
    assert pseudonym is not None
    assert pseudonym.startswith(PSEUDONYM)
    assert len(facts) >= 5
    assert sorted(shop.query(f"{told} = '{pseudonym}'")) == facts
    assert set(shop.query(f"from raw.feedback where customer_id = '{pseudonym}' and comment_text is not null")) == set()
    own = shop.query(f"select columns(* exclude (_file_id, _record_no, _delivered_on)) from raw.customers "
                     f"where customer_id = '{pseudonym}'")  # fmt: skip
    assert {value for row in own for value in row} == {pseudonym, None}


def test_nothing_brings_an_erased_person_back(
    shop: Shop, tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    gone = shop.people[:3]
    shop.erase(gone)
    ledger, rows = shop.ledger(), shop.rows()

    for _ in range(2):
        shop.ingest()
    assert (shop.ledger(), shop.rows()) == (ledger, rows), "the old files, delivered again, change nothing"
    assert shop.left_of(gone) == {}

    last = DAYS[3]
    for name, content in {
        "customers.csv": shop.customers(), "members.parquet": shop.members(), "people.csv": shop.people_file(),
        "orders.csv": shop.orders("n"), "book.xlsx": shop.book("o"), "lake.parquet": shop.lake("p"),
        "joined.csv": shop.joined("q"), "feedback.jsonl": shop.feedback("r"), "orders_old.csv": shop.orders("a"),
        "customers_cut.csv": shop.customers()[:-9],
    }.items():  # fmt: skip
        shop.put(f"{last}/{name}", content)
    shop.ingest((last, last))
    assert shop.left_of(gone) == {}
    new = f"select count(*) from raw.order_lines where customer_id ^@ '{PSEUDONYM}' and _delivered_on = '{last}'"
    assert shop.query(new) != [(0,)]

    released = release(shop.settings, shop.profile, shop.warehouse, everything=True)
    assert released
    assert shop.left_of(gone) == {}

    again = Shop(tmp_path, home="rebuilt")
    again.settings.root.mkdir()
    shutil.copy(shop.settings.erased_path, again.settings.erased_path)
    again.ingest()
    assert again.left_of(gone) == {}
    without_day_one_twice = "from raw.order_lines order by all"
    assert again.query(without_day_one_twice) == shop.query(without_day_one_twice)
    evidence(
        "P20",
        "old files again, a backfill, new files of all formats, a release of all refused records and a rebuild in a "
        "new home bring none of the erased back; the rebuilt orders are equal",
        trials=len(gone),
        seed=shop.seed,
    )


def test_a_list_that_cannot_be_read_stops_all_loading(shop: Shop) -> None:
    shop.erase(shop.people[:1])
    shop.settings.erased_path.write_text("{")
    with pytest.raises(WarehouseError, match=r"erased\.json"):
        shop.ingest()


def test_a_number_that_is_nowhere_changes_nothing(shop: Shop) -> None:
    with pytest.raises(OpscopeError, match="is in no record"):
        shop.erase([erasing.Person(99, 99)])
    assert not shop.settings.erased_path.exists()


def test_the_list_says_nothing_of_whom_and_only_its_owner_reads_it(shop: Shop) -> None:
    shop.erase(shop.people[:2])
    path = shop.settings.erased_path
    assert path.stat().st_mode & 0o777 == 0o600
    assert found_below(path.parent) == {} or path.name not in set().union(*found_below(path.parent).values())
    assert shop.query("select count(*), count(completed_at) from ops.erasures") == [(2, 0)]


# ------------------------------------------------------------------------------------------------------------- killed


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    found = Nursery(erasing.warm)
    yield found
    found.close()


def test_a_killed_erasure_is_finished_by_the_next(
    tmp_path: Path, nursery: Nursery, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    template = stocked(Shop(tmp_path))
    whole = nursery.run(erasing.erase_in, tmp_path, _home(template, "whole"), 2).or_fail()
    assert whole["left"] == {}
    chance = random.Random(SEED)
    killed = 0
    for trial in range(trials(6, 200)):
        home = _home(template, f"killed{trial}")
        child = nursery.start(erasing.erase_in, tmp_path, home, 2)
        killed += child.killed_after(chance.uniform(0, 1.1 * whole["seconds"])).was_killed
        assert nursery.run(erasing.erase_in, tmp_path, home, 2).or_fail()["left"] == {}, trial
        found = nursery.run(erasing.state_of, tmp_path, home).or_fail()
        assert found == whole["state"], trial
        shutil.rmtree(tmp_path / home)
    assert killed
    evidence("P20", "an erasure killed at a random moment is finished by starting it again", trials=killed, seed=SEED)


def _home(template: Shop, name: str) -> str:
    shutil.copytree(template.settings.root, template.folder / name)
    return name


# ------------------------------------------------------------------------------------------------- a whole pipeline


def test_an_erased_person_is_gone_from_a_whole_home_for_good(
    planted: Planted, tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """Erase, deliver the old files again under new names, backfill all days, roll back: scan every byte each time."""
    settings = planted.copy(tmp_path / "home")
    people = planted.customers(trials(5, 20))
    values = {value for person in people for value in planted.values_of(person)}
    warehouse = Warehouse(settings)
    before = _figures(warehouse)
    assert _customers_of_tables(warehouse, people), "no table as of a day names the people"
    assert values <= found_below(settings.root).keys()

    with lease.writer(settings, "erase"):
        erasure.erase(settings, load_profile(settings.profile), warehouse, Transforms(settings), people)
    assert values & found_below(settings.root).keys() == set()
    assert _figures(warehouse) == before, "an erasure changes no number"
    assert _customers_of_tables(warehouse, people) == set()
    assert _said_of_pseudonyms(warehouse) == {(None,) * len(OF_RECORD)}
    assert _checksums_of_pseudonyms(warehouse) == set()
    assert len(versions(settings)) == 1
    with pytest.raises(VersionError):
        rollback(settings)

    settings = planted.redelivered(settings, tmp_path / "landing")
    assert planted.run(settings).is_success
    assert values & found_below(settings.root).keys() == set()
    figures = _figures(warehouse)
    assert {table: figures[table] for table in NAMING} == {table: before[table] for table in NAMING}, "by other names"
    rollback(settings)
    assert values & found_below(settings.root).keys() == set()
    evidence(
        "P20",
        "erased from a company with marts, forecasts, reports and versions: no byte left, no forecast or KPI changed; "
        "none back after redelivery under new names, a full backfill and a rollback",
        trials=len(people),
        seed=planted.seed,
    )


def _figures(warehouse: Warehouse) -> dict[str, str]:
    """A digest of all that tables as of a day say, but for how a customer is called and who that is."""
    with warehouse.read() as connection:
        return {
            table: content_digest(connection, table, AUDIT_COLUMNS | {"customer_id", *OF_RECORD})
            for table in digests(connection, ("ml", "reports"))
        }


def _customers_of_tables(warehouse: Warehouse, people: list[str]) -> set[str]:
    """Those of the people who are named in a table as of a day."""
    with warehouse.read() as connection:
        return {
            name
            for table in NAMING
            for (name,) in connection.execute(
                f"select distinct customer_id from {table} where list_contains(?, customer_id)", [people]
            ).fetchall()
        }


def _said_of_pseudonyms(warehouse: Warehouse) -> set[tuple]:
    """What the profiles of the erased still say of who they were."""
    told = f"select distinct {', '.join(OF_RECORD)} from reports.rpt_customer_360 where customer_id ^@ '{PSEUDONYM}'"
    with warehouse.read() as connection:
        return set(connection.execute(told).fetchall())


def _checksums_of_pseudonyms(warehouse: Warehouse) -> set[tuple]:
    """What would tell whether a guessed comment is one of the erased."""
    with warehouse.read() as connection:
        return set(
            connection.execute(
                f"""
                select comment_checksum from intermediate.int_feedback_versioned
                where customer_id ^@ '{PSEUDONYM}' and comment_checksum is not null
                """
            ).fetchall()
        )
