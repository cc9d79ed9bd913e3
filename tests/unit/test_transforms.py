"""What the orchestrator reads from a dbt manifest."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines import transforms
from pipelines.transforms import MANIFEST, DbtGraph, DbtTest


def node(kind: str, schema: str, name: str, *parents: str, **more: Any) -> dict[str, Any]:
    unique_id = f"{kind}.opscope.{name}"
    return {
        "unique_id": unique_id,
        "resource_type": kind,
        "schema": schema,
        "name": name,
        "depends_on": {"nodes": list(parents)},
        "config": {"severity": "error"},
        **more,
    }


RAW = "source.opscope.raw.order_lines"
OPS = "source.opscope.ops.stale_days"
NODES = [
    node("model", "staging", "stg_order_lines", RAW, OPS),
    node("model", "intermediate", "int_order_lines", "model.opscope.stg_order_lines"),
    node("model", "marts", "dim_products", "model.opscope.int_order_lines"),
    node("model", "marts", "fct_order_lines", "model.opscope.int_order_lines", "model.opscope.dim_products"),
    node("model", "reports", "rpt_sales", "model.opscope.fct_order_lines"),
    node(
        "test", "tests", "keys_unique", "model.opscope.fct_order_lines", attached_node="model.opscope.fct_order_lines"
    ),
    node(
        "test",
        "tests",
        "no_orphans",
        "model.opscope.dim_products",
        "model.opscope.fct_order_lines",
        attached_node="model.opscope.fct_order_lines",
        config={"severity": "WARN"},
    ),
    node("test", "tests", "versions_do_not_overlap", "model.opscope.int_order_lines"),
]
GRAPH = DbtGraph(
    {
        "nodes": {each["unique_id"]: each for each in NODES},
        "sources": {RAW: {"schema": "raw", "name": "order_lines"}, OPS: {"schema": "ops", "name": "stale_days"}},
        "child_map": {
            "model.opscope.stg_order_lines": ["model.opscope.int_order_lines"],
            "model.opscope.int_order_lines": ["model.opscope.dim_products", "model.opscope.fct_order_lines"],
        },
    }
)


def test_lineage_skips_hidden_models_and_evidence_tables() -> None:
    assert GRAPH.upstream_tables("model.opscope.fct_order_lines") == {"raw.order_lines", "marts.dim_products"}
    assert GRAPH.upstream_tables("model.opscope.rpt_sales") == {"marts.fct_order_lines"}


def test_only_tables_that_people_read_are_shown() -> None:
    assert GRAPH.tables_of(("marts",)) == ["marts.dim_products", "marts.fct_order_lines"]
    assert GRAPH.tables_of(("reports",)) == ["reports.rpt_sales"]


def test_each_test_belongs_to_one_shown_table_and_warnings_do_not_block() -> None:
    tests = {test.name: test for test in GRAPH.tests_of(("marts",))}
    assert tests["keys_unique"] == DbtTest("test.opscope.keys_unique", "keys_unique", "marts.fct_order_lines", True, "")
    assert not tests["no_orphans"].is_blocking
    assert tests["no_orphans"].table == "marts.fct_order_lines"


def test_a_test_of_a_hidden_model_is_shown_with_the_first_table_made_of_it() -> None:
    tests = {test.name: test.table for test in GRAPH.tests_of(("marts",))}
    assert tests["versions_do_not_overlap"] == "marts.dim_products"


def test_a_test_of_a_hidden_model_stays_with_the_marts_when_a_report_reads_it_first() -> None:
    children = GRAPH.manifest["child_map"] | {
        "model.opscope.int_order_lines": ["model.opscope.rpt_sales", "model.opscope.dim_products"]
    }
    graph = DbtGraph(GRAPH.manifest | {"child_map": children})
    assert {test.name for test in graph.tests_of(("reports",))} == set()
    assert "versions_do_not_overlap" in {test.name for test in graph.tests_of(("marts",))}


@pytest.mark.parametrize("change", ["nothing", "edited", "added", "deleted", "in the parsed"])
def test_a_parse_is_current_until_a_file_is_edited_added_or_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    parsed = tmp_path / "target"
    models = tmp_path / "models" / "marts"
    models.mkdir(parents=True)
    parsed.mkdir()
    model = models / "a.sql"
    for path in (model, parsed / MANIFEST):
        path.write_text("x")
    for path in (model, models, models.parent):
        os.utime(path, (1, 1))
    os.utime(parsed / MANIFEST, (2, 2))
    monkeypatch.setattr(transforms, "DBT_PROJECT", tmp_path)
    monkeypatch.setattr(transforms, "PARSED", parsed)
    if change == "edited":
        model.write_text("y")
    elif change == "added":
        (models / "b.sql").write_text("y")
        os.utime(models / "b.sql", (1, 1))
    elif change == "deleted":
        model.unlink()
    elif change == "in the parsed":
        (parsed / "compiled.sql").write_text("y")
    assert transforms._is_parse_current(parsed) is (change in ("nothing", "in the parsed"))


def test_a_test_without_a_description_says_what_its_arguments_hold() -> None:
    nodes = {unique_id: dict(node) for unique_id, node in GRAPH.manifest["nodes"].items()}
    keys = {"keys": [["order_id", "line_no"], ["record_no"]]}
    nodes["test.opscope.keys_unique"]["test_metadata"] = {"name": "keys_are_unique", "kwargs": keys}
    nodes["test.opscope.no_orphans"]["test_metadata"] = {
        "name": "rules_hold",
        "kwargs": {"rules": {"day_is_known": ""}},
    }
    told = {test.name: test.description for test in DbtGraph(GRAPH.manifest | {"nodes": nodes}).tests_of(("marts",))}
    assert told["keys_unique"] == "No two rows have the same order_id, line_no or the same record_no."
    assert told["no_orphans"] == "In every row: day is known."
