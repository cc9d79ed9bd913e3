"""A small demo company with a canary in every personal field it delivers, sound or refused, after a Dagster run."""

import csv
import gzip
import io
import json
import os
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.definitions import installation_of
from pipelines.demo import generate
from pipelines.launch import Launched, launch
from pipelines.settings import Settings
from pipelines.sources.contracts import contracts
from pipelines.sources.landing import delivery_days
from pipelines.sources.profiles import load_profile
from tests.promises.canaries import canary, in_bytes
from tests.promises.installed import settings_in
from tests.promises.payloads import PAYLOADS

NUMBER = re.compile(rb"K\d{7}")
# Columns of the deliveries by feed: what the contracts call personal, under the sender's names.
PERSONAL = {
    "customers": {"name": "full_name", "email": "email", "phone": "phone", "postal_code": "postal_code"},
    "feedback": {"text": "comment_text"},
    "suppliers": {"contact_email": "contact_email"},
}


@dataclass(frozen=True)
class Planted:
    """The company in a home.

    `of_person` has per customer number (a canary too) the values of that person; `personal` are all values that no
    place outside raw, quarantine and landed copies may hold.
    """

    settings: Settings
    days: list[date]
    seed: int
    of_person: dict[str, set[str]]
    personal: set[str]
    run_id: str

    def copy(self, home: Path) -> Settings:
        shutil.copytree(self.settings.root, home, symlinks=True)
        return Settings.model_validate(self.settings.model_dump() | {"home": home})

    def run(self, settings: Settings) -> Launched:
        return run(settings, self.days)

    def customers(self, count: int) -> list[str]:
        """Those of whom most is known."""
        return sorted(self.of_person, key=lambda number: (-len(self.of_person[number]), number))[:count]

    def values_of(self, number: str) -> set[str]:
        return {number, *self.of_person[number]}

    def redelivered(self, settings: Settings, landing: Path) -> Settings:
        """The same home with a landing that has every old file of persons again, on the last day, whole and in part."""
        shutil.copytree(self.settings.landing, landing)
        last = str(self.days[-1])
        for path in [*landing.glob("20*/customers.csv"), *landing.glob("20*/web_orders.csv")]:
            again = landing / last / f"{path.stem}_again_{path.parent.name}.csv"
            again.write_bytes(path.read_bytes())
            lines = path.read_bytes().splitlines(keepends=True)
            again.with_name(f"{path.stem}_part_{path.parent.name}.csv").write_bytes(
                b"".join(lines[: 1 + len(lines) // 2])
            )
        return Settings.model_validate(settings.model_dump() | {"landing": str(landing)})


def run(settings: Settings, days: list[date]) -> Launched:
    """One in-process Dagster run over all days, with the rights that the command line gives to what it writes."""
    before = os.umask(0o027)
    try:
        return launch(installation_of(settings), "nightly", days[0], days[-1])
    finally:
        os.umask(before)


def plant(folder: Path, *, days: int = 2, seed: int = 7) -> None:
    """Deliver the company, run it as one in-process Dagster run over all days, and note what was planted."""
    landing = folder / "landing"
    generate(landing, days=days, scale=0.02, history_days=60, seed=seed)
    of_person: dict[str, set[str]] = defaultdict(set)
    for path in sorted(landing.glob("20*/**/*")):
        if path.suffix in (".csv", ".jsonl", ".gz"):
            _plant_file(path, seed, of_person)
    settings = settings_in(folder)
    delivered = _days(settings)
    _refusals(landing / str(delivered[0]), seed, of_person)
    _payloads(landing, delivered)
    launched = run(settings, delivered)
    assert launched.is_success, launched.failures
    noted = {number: sorted(values) for number, values in of_person.items()}
    (folder / "planted.json").write_text(
        json.dumps({"seed": seed, "run_id": launched.run_id, "of_person": noted}, indent=1), encoding="utf-8"
    )


def planted_in(folder: Path) -> Planted:
    """The company that was planted in a folder."""
    noted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    of_person = {number: set(values) for number, values in noted["of_person"].items()}
    persons = {number: values for number, values in of_person.items() if number}
    personal = set().union(*of_person.values())
    settings = settings_in(folder)
    return Planted(settings, _days(settings), noted["seed"], persons, personal, noted["run_id"])


def _days(settings: Settings) -> list[date]:
    return delivery_days(load_profile(settings.profile), settings.landing_url)


def _plant_file(path: Path, seed: int, of_person: dict[str, set[str]]) -> None:
    content = path.read_bytes()
    is_packed = path.suffix == ".gz"
    if is_packed:
        try:
            content = gzip.decompress(content)
        except EOFError:
            return
    content = NUMBER.sub(lambda found: canary(seed, "number", found.group().decode()).encode(), content)
    if path.name.startswith(("customers", "suppliers")):
        content = _in_table(content, PERSONAL[path.name.partition(".")[0].partition("_")[0]], seed, of_person)
    elif path.name.startswith("feedback"):
        content = b"".join(_in_answer(line, seed, of_person) for line in content.splitlines(keepends=True))
    path.write_bytes(gzip.compress(content, mtime=0) if is_packed else content)


def _in_table(content: bytes, columns: dict[str, str], seed: int, of_person: dict[str, set[str]]) -> bytes:
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    lines = [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]
    header = next(csv.reader(lines[:1]))
    changed = io.StringIO()
    changed.write(lines[0])
    for line in lines[1:]:
        cells = next(csv.reader([line]))
        if len(cells) == len(header) and line.count('"') % 2 == 0 and line.endswith("\n"):
            number = cells[0] if header[0] == "customer_id" else ""
            for name in columns:
                place = header.index(name)
                cells[place] = canary(seed, cells[0], name)
                of_person[number].add(cells[place])
            csv.writer(changed, lineterminator="\n").writerow(cells)
        else:
            changed.write(line)
    return changed.getvalue().encode("utf-8", "surrogateescape")


def _in_answer(line: bytes, seed: int, of_person: dict[str, set[str]]) -> bytes:
    try:
        answer = json.loads(line)
    except ValueError:
        return line
    if not isinstance(answer, dict) or not answer.get("text"):
        return line
    text = canary(seed, answer.get("id"), answer["text"])
    of_person[answer.get("customer") or ""].add(text)
    return (json.dumps(answer | {"text": f"Ich bin {text}, = Käse"}, ensure_ascii=False) + "\n").encode()


def _refusals(day: Path, seed: int, of_person: dict[str, set[str]]) -> None:
    """Persons in every kind of refused record and file."""
    said = [canary(seed, "refused", number) for number in range(12)]
    header = '"customer_id","name","email","phone","postal_code","city","country","kind","registered"\n'
    number = sorted(each for each in of_person if each)[0]
    lines = [
        f"{number}X,{said[0]},{said[1]},,,Bonn,DE,consumer,31.12.2023\n",
        f"{number}Y,{said[2]}\n",
        f'{number}Z,{said[3]}"x,{said[4]},,,Bonn,DE,consumer,2023-12-31\n',
        f"{number}Q,{said[5]},{'x' * 600},,{said[6]},Bonn,DE,consumer,2023-12-31\n",
    ]
    (day / "customers_refused.csv").write_text(header + "".join(lines))
    (day / "customers_without_header.csv").write_text(lines[0].replace(said[0], said[7]).replace(said[1], said[8]))
    (day / "customers_cut.csv").write_text((header + lines[0].replace(said[0], said[9]))[:-4])
    answer = {"id": "R1", "at": "never", "channel": "web", "scale": "none", "score": None, "text": f"I am {said[10]}"}
    (day / "feedback_refused.jsonl").write_text(json.dumps(answer) + "\n" + json.dumps({"text": said[11]})[:-1] + "\n")
    of_person[""].update(in_bytes(" ".join(said).encode()))


def _payloads(landing: Path, days: list[date]) -> None:
    """Orders for products whose numbers would do harm if anybody took them for more than text."""
    header = next(csv.reader((landing / str(days[0]) / "web_orders.csv").read_text().splitlines()))
    for day in days:
        with (landing / str(day) / "web_orders_payloads.csv").open("w", newline="") as opened:
            writer = csv.DictWriter(opened, header, restval="")
            writer.writeheader()
            for number, payload in enumerate(PAYLOADS):
                order = {"order": f"PL{day:%d}{number}", "position": 1, "created": f"{day}T10:00:00Z", "sku": payload}
                order |= {
                    "customer": payload,
                    "qty": 1 + number % 5,
                    "price": "2.50",
                    "discount": "0.00",
                    "cost": "1.00",
                }
                writer.writerow(order | {"currency": "EUR", "state": "open", "void": "false"})


def personal_columns() -> set[str]:
    """feed.column of every personal column of the contracts."""
    return {f"{feed.feed}.{name}" for feed in contracts() for name in feed.personal_columns}
