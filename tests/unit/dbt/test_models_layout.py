"""The dbt project keeps its own rules: folders, directions, names, descriptions, privacy, one place per engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.modelling import dbt_sources as ml_sources
from pipelines.modelling.stage import TABLES
from pipelines.settings import DBT_PROJECT
from pipelines.sources.contracts import contracts
from pipelines.sources.dbt_sources import SOURCES_FILE, sources_text, write_sources

MODELS = DBT_PROJECT / "models"
# Folder -> folders its models may read.
READS = {
    "staging": set(),
    "intermediate": {"staging", "intermediate"},
    "marts": {"intermediate", "marts", "seeds"},
    "kpis": {"intermediate", "marts", "kpis", "reports", "ops"},
    "reports": {"intermediate", "marts", "kpis", "reports", "seeds"},
    "ops": {"staging", "intermediate", "marts", "reports", "ops"},
}
PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_", "bridge_")}
DISPATCHED = re.compile(r"\{% macro (duckdb|spark)__.*?\{%-? endmacro", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
# What only some engines have; it belongs in a macro that is dispatched by engine.
ENGINE_SQL = re.compile(
    r"::|\btry_cast\b|\bunnest\b|\bqualify\b|\bexclude\b|\bstrftime\b|\btimezone\s*\(|\blist_\w+\s*\(|\bmd5\w*\s*\(|"
    r"\bhash\s*\(|\bstruct_pack\b|\bfilter\s*\(",
    re.IGNORECASE,
)


def sql_files() -> list[Path]:
    return sorted(MODELS.rglob("*.sql"))


def layer(path: Path) -> str:
    return path.relative_to(MODELS).parts[0]


def code(path: Path) -> str:
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def described(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))
    (model,) = document["models"]
    return model


def all_tests() -> list[dict[str, Any]]:
    return [
        {"model": path.stem, **next(iter(test.values()))}
        for path in sql_files()
        for test in described(path).get("data_tests", [])
    ]


def test_raw_sources_are_what_the_contracts_say() -> None:
    assert SOURCES_FILE.read_text(encoding="utf-8") == sources_text(), "run `python -m pipelines.sources.dbt_sources`"


def test_ml_sources_are_what_the_producers_declare(tmp_path: Path) -> None:
    written = ml_sources.SOURCES_FILE.read_text(encoding="utf-8")
    assert written == ml_sources.sources_text(), "run `python -m pipelines.modelling.dbt_sources`"
    ml_sources.write_sources(tmp_path / "sources.yml")
    tables = yaml.safe_load((tmp_path / "sources.yml").read_text(encoding="utf-8"))["sources"][0]["tables"]
    assert [table["name"] for table in tables] == [table.name for table in TABLES]
    assert [list(table.columns) for table in TABLES] == [[each["name"] for each in t["columns"]] for t in tables]


def test_sources_file_is_written_where_asked(tmp_path: Path) -> None:
    write_sources(tmp_path / "sources.yml")
    tables = yaml.safe_load((tmp_path / "sources.yml").read_text(encoding="utf-8"))["sources"][0]["tables"]
    assert [table["name"] for table in tables] == [feed.feed for feed in contracts()]
    assert [column["name"] for column in tables[0]["columns"]][-3:] == ["_file_id", "_record_no", "_delivered_on"]


def test_every_model_has_a_twin_that_describes_it() -> None:
    twinless = [path.stem for path in sql_files() if not path.with_suffix(".yml").exists()]
    assert not twinless, twinless
    misnamed = [path.stem for path in sql_files() if described(path)["name"] != path.stem]
    assert not misnamed, misnamed
    mute = [path.stem for path in sql_files() if not described(path).get("description", "").strip()]
    mute += [
        f"{path.stem}.{column['name']}"
        for path in sql_files()
        for column in described(path).get("columns", [])
        if not column.get("description", "").strip()
    ]
    assert not mute, mute


def test_every_mart_declares_types_and_an_owner() -> None:
    marts = [described(path) for path in sql_files() if layer(path) == "marts"]
    untyped = [
        f"{model['name']}.{column['name']}"
        for model in marts
        for column in model["columns"]
        if "data_type" not in column
    ]
    assert not untyped, untyped
    ownerless = [model["name"] for model in marts if not model["config"]["meta"]["owner"]]
    assert not ownerless, ownerless


def test_bi_tools_can_read_every_type_of_a_mart() -> None:
    plain = re.compile(r"varchar|bigint|integer|boolean|date|timestamp|decimal\(\d+,\d+\)")
    odd = [
        f"{path.stem}.{column['name']}: {column['data_type']}"
        for path in sql_files()
        if layer(path) == "marts"
        for column in described(path)["columns"]
        if not plain.fullmatch(column["data_type"])
    ]
    assert not odd, odd


@pytest.mark.parametrize("path", sql_files(), ids=lambda path: path.stem)
def test_models_read_in_one_direction(path: Path) -> None:
    home = {other.stem: layer(other) for other in sql_files()}
    home |= {seed.stem: "seeds" for seed in (DBT_PROJECT / "seeds").glob("*.csv")}
    read = set(re.findall(r"\bref\(\s*'(\w+)'\s*\)", code(path)))
    wrong = {name for name in read if home[name] not in READS[layer(path)]}
    assert not wrong, f"{path.stem} is in {layer(path)} and may not read {sorted(wrong)}"


def test_only_staging_opens_raw() -> None:
    openers = {path.stem for path in sql_files() if re.search(r"source\(\s*'raw'|delivered\(", code(path))}
    assert openers == {path.stem for path in sql_files() if layer(path) == "staging"}


def test_prefix_names_the_folder() -> None:
    strays = [path.stem for path in sql_files() if not path.stem.startswith(PREFIXES.get(layer(path), ("",)))]
    assert not strays, strays


def test_personal_columns_end_in_staging() -> None:
    personal = {name for feed in contracts() for name in feed.personal_columns}
    found = [
        f"{path.stem}.{column['name']}"
        for path in sql_files()
        for column in described(path).get("columns", [])
        if column["name"] in personal
    ]
    found += [path.stem for path in sql_files() if layer(path) != "staging" for name in personal if name in code(path)]
    assert personal
    assert not found, found


def test_every_data_test_has_a_name_of_its_own() -> None:
    tests = all_tests()
    names = [test.get("name") for test in tests]
    assert None not in names, [test["model"] for test in tests if "name" not in test]
    assert len(set(names)) == len(names), sorted({name for name in names if names.count(name) > 1})


def test_every_mart_has_a_blocking_key_test() -> None:
    unguarded = [
        path.stem
        for path in sql_files()
        if layer(path) == "marts"
        and not any(
            "keys_are_unique" in test and "severity" not in test["keys_are_unique"].get("config", {})
            for test in described(path)["data_tests"]
        )
    ]
    assert not unguarded, unguarded


def test_what_differs_between_engines_is_dispatched() -> None:
    places = [
        *sql_files(),
        *sorted((DBT_PROJECT / "macros").glob("*.sql")),
        *sorted((DBT_PROJECT / "tests").rglob("*.sql")),
    ]
    offenders = [
        f"{path.relative_to(DBT_PROJECT)}: {found.group()}"
        for path in places
        for found in ENGINE_SQL.finditer(DISPATCHED.sub("", code(path)))
    ]
    assert not offenders, offenders
