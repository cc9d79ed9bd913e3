"""Who was erased, and how their records lose them on the way in: the list, and the screen that every record passes.

The list holds no identifier, only keyed hashes of them. A record of an erased person stays, so that no count and no
amount changes; the person leaves it. Taking persons out of what is already there is `pipelines.erasure`.
"""

import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.durable import sync
from pipelines.errors import WarehouseError
from pipelines.sources.chunks import Reject
from pipelines.sources.contracts import Contract
from pipelines.sources.profiles import Source

# The column by which every feed that knows persons names them.
PERSON = "customer_id"
PSEUDONYM = "erased-"
ERASED = "erased"
MESSAGE = "the record was refused, and is of a person who was erased"
# What may stand between the values of a record, whatever its format.
BETWEEN = re.compile(r"""[\s,;|:"'{}\[\]]+""")


def knows_persons(feed: Contract) -> bool:
    return any(column.name == PERSON for column in feed.columns)


def lost_columns(feed: Contract) -> tuple[str, ...]:
    """The columns that a record of an erased person loses: the personal ones; in the person's own feed, all others too.

    The key stays as a pseudonym and a withdrawal stays one.
    """
    is_own = feed.key == (PERSON,)
    kept = {PERSON, "is_deleted"}
    return tuple(column.name for column in feed.columns if column.is_personal or (is_own and column.name not in kept))


@dataclass(frozen=True)
class ErasedPersons:
    """The keyed hash of every identifier of an erased person, and the pseudonym that stands for the person now."""

    key: bytes = b""
    pseudonyms: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "ErasedPersons":
        """The list of a home; nobody when it has none.

        Raises:
            WarehouseError: the list cannot be read. Loading without it would bring the persons back.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(bytes.fromhex(found["key"]), dict(found["pseudonyms"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WarehouseError(
                str(path), f"cannot be read ({type(error).__name__})", "Put its backup back; without it they return."
            ) from error

    def save(self, path: Path) -> None:
        """Replace the list of the home, whole or not at all; only its owner may read it."""
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            json.dump({"key": self.key.hex(), "pseudonyms": dict(self.pseudonyms)}, opened, indent=1)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(path)
        sync(path.parent)

    def __bool__(self) -> bool:
        return bool(self.pseudonyms)

    def with_person(self, identifier: str, others: Iterable[str] = ()) -> "ErasedPersons":
        """The list with one more person, known by the identifier and by other values that only this person has."""
        key = self.key or secrets.token_bytes(32)
        named = replace(self, key=key)
        pseudonym = PSEUDONYM + named._hash(identifier)[:32]
        added = {named._hash(value): pseudonym for value in (identifier, *others)}
        return replace(named, pseudonyms={**added, **self.pseudonyms})

    def of(self, value: str | None) -> str | None:
        """The pseudonym of the person whom a value names, also where the value is a pseudonym; None for others."""
        if value is None or not self.pseudonyms:
            return None
        plain = value.strip()
        if plain[: len(PSEUDONYM)].lower() == PSEUDONYM:
            return plain.lower() if plain.lower() in self.pseudonyms.values() else None
        return self.pseudonyms.get(self._hash(plain))

    def _hash(self, value: str) -> str:
        return hmac.digest(self.key, value.strip().encode("utf-8", "surrogatepass"), "sha256").hex()

    # -------------------------------------------------------------------------------------------------- the screen

    def persons_of(self, names: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each name the pseudonym of the erased person, null for everybody else."""
        whole = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
        encoded = pc.dictionary_encode(pc.cast(whole, pa.string()))
        known = pa.array([self.of(value) for value in encoded.dictionary.to_pylist()], pa.string())
        return known.take(encoded.indices)

    def screened(self, feed: Contract, rows: pa.Table) -> pa.Table:
        """Contract rows, those of erased persons under their pseudonym and without what is lost."""
        if not self or not rows.num_rows or not knows_persons(feed):
            return rows
        persons = self.persons_of(rows.column(PERSON))
        if persons.null_count == len(persons):
            return rows
        is_erased = persons.is_valid()
        for name in (PERSON, *lost_columns(feed)):
            place = rows.schema.get_field_index(name)
            column = rows.column(place)
            instead = persons if name == PERSON else pa.scalar(None, column.type)
            rows = rows.set_column(place, rows.schema.field(place), pc.if_else(is_erased, instead, column))
        return rows

    def screened_rejects(self, feed: Contract, source: Source, rejects: list[Reject]) -> list[Reject]:
        """Refused records; those that name an erased person say no more than that."""
        if not self or not knows_persons(feed):
            return rejects
        return [
            Reject(each.record_no, each.byte_offset, ERASED, None, MESSAGE, "")
            if self.named_in(each.raw_text, source.notation.delimiter)
            else each
            for each in rejects
        ]

    def named_in(self, text: str, delimiter: str) -> str | None:
        """The pseudonym of an erased person of whom some value of a record's text speaks."""
        cells = (cell.strip("\"' \t\r\n") for cell in text.split(delimiter))
        return next((found for value in {*BETWEEN.split(text), *cells} if value and (found := self.of(value))), None)


NOBODY = ErasedPersons()
