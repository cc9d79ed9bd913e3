"""Planted bugs: small changes to our own code, each of which a test must notice. `test_mutants` plants them.

One mutant is one idea of how such a system goes wrong. `old` must stand exactly once in the file, so a mutant that no
longer fits is noticed at once; `tests` are the quickest that must turn red.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS_FAILED = 1


@dataclass(frozen=True)
class Mutant:
    """A change of one place of one file, and the pytest arguments that must notice it."""

    name: str
    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, tree: Path) -> None:
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"{self.name}: its place stands {text.count(self.old)} times in {self.file}"
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


INGEST = ("tests/unit/ingestion/test_ingest.py",)
PUBLISH = ("tests/unit/publishing/test_publish.py",)

MUTANTS = (
    Mutant(
        "rows are committed before the ledger",
        "P7",
        "pipelines/ingestion/register.py",
        "            self._ledger.write(self._connection, self._run_id, audit_time())\n",
        "            self._connection.commit()\n            self._connection.begin()\n"
        "            self._ledger.write(self._connection, self._run_id, audit_time())\n",
        (*INGEST, "-k", "crash"),
    ),
    Mutant(
        "refused records are dropped",
        "P1",
        "pipelines/ingestion/loading.py",
        '    connection.from_arrow(pa.Table.from_pylist(rows, QUARANTINE_SCHEMA)).insert_into("ops.quarantine")\n',
        "",
        ("tests/unit/ingestion/test_quarantine.py",),
    ),
    Mutant(
        "a repeated record of a file is loaded twice",
        "P1",
        "pipelines/ingestion/loading.py",
        "    if not len(repeated):\n        return\n",
        "    return\n",
        (*INGEST, "-k", "equal_records or one_key"),
    ),
    Mutant(
        "equal files under two names are both loaded",
        "P4",
        "pipelines/ingestion/register.py",
        '            alone = holder.file_id if source.identical_files == "keep" else ""\n',
        "            alone = holder.file_id\n",
        (*INGEST, "-k", "equal_files"),
    ),
    Mutant(
        "a file is known by its name alone",
        "P4",
        "pipelines/ingestion/register.py",
        "        file_id = file_id_of(delivery.feed, delivery.source_path, landed.content_sha256)\n",
        '        file_id = file_id_of(delivery.feed, delivery.source_path, "")\n',
        (*INGEST, "-k", "new_content"),
    ),
    Mutant(
        "a correction empties its table first",
        "P4",
        "pipelines/ingestion/register.py",
        '        self._connection.execute(f"delete from {feed.table} where {condition}")\n',
        '        self._connection.execute(f"truncate {feed.table}")\n',
        INGEST,
    ),
    Mutant(
        "columns are bound by position",
        "P2",
        "pipelines/sources/delimited.py",
        "    schema = pa.schema([pa.field(name, pa.string()) for name in header])\n",
        "    header = sorted(header)\n    schema = pa.schema([pa.field(name, pa.string()) for name in header])\n",
        (*INGEST, "-k", "swapped"),
    ),
    Mutant(
        "a landed copy gets its name before its bytes are on the disk",
        "P7",
        "pipelines/sources/landed.py",
        "        os.fsync(handle)\n        path.parent.mkdir(exist_ok=True)\n",
        "        path.parent.mkdir(exist_ok=True)\n",
        ("tests/promises/test_durability.py",),
    ),
    Mutant(
        "a version is switched to before its bytes are checked",
        "P15",
        "pipelines/publishing/publication.py",
        "    manifest = verify(settings, version)\n    point_to(settings, version)\n",
        "    point_to(settings, version)\n    manifest = verify(settings, version)\n",
        ("tests/promises/test_readers.py", "-k", "before_the_switch"),
    ),
    Mutant(
        "the published folder is not forced to disk after the switch",
        "P9",
        "pipelines/publishing/versions.py",
        '    _link(published / "current", f"versions/{version}")\n    sync(published)\n',
        '    _link(published / "current", f"versions/{version}")\n',
        ("tests/promises/test_durability.py",),
    ),
    Mutant(
        "the switch takes two steps",
        "P9",
        "pipelines/publishing/versions.py",
        "    fresh.replace(path)\n",
        "    path.unlink(missing_ok=True)\n    fresh.replace(path)\n",
        ("tests/promises/test_exhaustion.py", "-k", "any_call"),
    ),
    Mutant(
        "nobody asks the gate",
        "P10",
        "pipelines/publishing/publication.py",
        "    with warehouse.write() as connection:\n        gate(connection)\n",
        "    with warehouse.write() as connection:\n",
        PUBLISH,
    ),
    Mutant(
        "an outcome of an older table still counts",
        "P10",
        "pipelines/quality/gate.py",
        "        where r.passed is null or r.table_version <> v.version or not r.passed\n",
        "        where r.passed is null or not r.passed\n",
        ("tests/unit/quality/test_gate_refusals.py",),
    ),
    Mutant(
        "retention removes the version that is served",
        "P9",
        "pipelines/publishing/versions.py",
        "    staying = {served, *(earlier[-room:] if room else [])}\n",
        "    staying = {*(earlier[-room:] if room else [])}\n",
        PUBLISH,
    ),
    Mutant(
        "everybody gets the write lease",
        "P12",
        "pipelines/lease.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n            return\n",
        "            return\n",
        ("tests/unit/test_lease.py",),
    ),
    Mutant(
        "links in the landing are followed",
        "P21",
        "pipelines/sources/landing.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC",
        "os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC",
        ("tests/unit/sources/test_landing.py", "tests/promises/test_hostile_files.py"),
    ),
    Mutant(
        "checksums of archives are not looked at",
        "P5",
        "pipelines/sources/archives.py",
        '        with gzip.GzipFile(fileobj=stream, mode="rb") as member:\n'
        '            yield from iter(lambda: member.read(BLOCK_BYTES), b"")\n',
        "        yield zlib.decompressobj(31 | 32).decompress(stream.read()[:-8])\n",
        ("tests/unit/sources/test_archives.py",),
    ),
    Mutant(
        "versions of a key follow the order in which files were read",
        "P8",
        "dbt_project/macros/versions.sql",
        "' order by _delivered_on, _source_path, _record_no)'",
        "' order by _file_id, _record_no)'",
        ("tests/integration/test_transform.py",),
    ),
    Mutant(
        "a night looks back three days only",
        "P8",
        "dbt_project/macros/versions.sql",
        "        where _delivered_on in ({{ stale_days([feed]) }})\n        union\n",
        "        where _delivered_on in ({{ stale_days([feed]) }})\n"
        "            and _delivered_on > (select max(_delivered_on) - 3 from {{ ref('stg_' ~ feed) }})\n"
        "        union\n",
        ("tests/integration/test_transform.py",),
    ),
    Mutant(
        "a forecast knows what came later",
        "P16",
        "pipelines/modelling/demand.py",
        "                where known_from <= $day and (known_to is null or known_to > $day)\n",
        "                where known_to is null and $day is not null\n",
        ("tests/promises/test_models.py",),
    ),
)


def notices(mutant: Mutant, tree: Path) -> tuple[bool, str]:
    """Plant the bug in a copy of the project and run its tests there: (whether one failed, what pytest said)."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    mutant.plant(tree)
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tree / 'tmp'}",
            *mutant.tests,
        ],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    return ran.returncode == TESTS_FAILED, ran.stdout + ran.stderr
