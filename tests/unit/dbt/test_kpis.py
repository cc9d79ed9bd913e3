"""The KPI catalogue is said once, in each KPI's yml: the list, the reports and docs/kpis.md follow it.

Run as a program, this file writes docs/kpis.md anew.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PROJECT = ROOT / "dbt_project"
PAGE = ROOT / "docs" / "kpis.md"
AREAS = {
    "sal": "Sales",
    "cus": "Customers",
    "fbk": "Feedback",
    "sup": "Suppliers",
    "inv": "Inventory",
    "ful": "Fulfilment",
    "fcs": "Forecasts",
    "dat": "Data",
}
META = {
    "kpi_id", "title", "unit", "direction", "owner_department", "formula", "caveats",
    "grains", "segments", "aggregation", "interval", "min_n", "default_target",
}  # fmt: skip
# Shown in percent, these would be nonsense: none is a share of something or a change.
NOT_IN_PERCENT = {
    "FBK-01": "points",
    "SUP-04": "ppm",
    "SUP-07": "score",
    "INV-01": "times",
    "INV-06": "times",
    "FCS-03": "times",
    "FCS-06": "times",
}
INTERVALS = {
    "wilson": "Wilson, 95 %",
    "clustered": "Wilson with effective n, 95 %",
    "nps": "adjusted Wald, 95 %",
    "mean": "of a mean, 95 %",
    "ratio": "of a ratio of sums, 95 %",
    "order_statistics": "order statistics, 95 %",
    "none": "none",
}


INTRODUCTION = """# KPI catalogue

Written by `python tests/unit/dbt/test_kpis.py` from the yml beside each KPI model (`dbt_project/models/kpis`); change
those.

`reports.fct_kpi_values` holds every KPI per as-of day, period and segment, with numerator, denominator and `n`;
`reports.kpi_values_latest` the newest value of each period beside the one first reported,
`reports.kpi_values_first_reported` the first; `reports.dim_kpis` this page as a table. A value marked
`is_insufficient_data` rests on fewer observations than the KPI asks for. Ratios are stored as 0 to 1; `times` are no
shares, 1 is once. Default targets are a place to start from: the owner sets them. How intervals come
about: docs/decisions/0013.

An as-of day knows what was delivered up to its end, so a value of `as_of` never changes unless deliveries of that past
arrive late; the same period on a later as-of day shows the corrections. `day` values are given for the 28 days up to
the as-of day, `week` for the last four whole ISO weeks, `month` for the last two whole months, `quarter` for the last
whole one, `month_to_date`, `quarter_to_date` and `year_to_date` up to the as-of day, `trailing_<n>d` for the n days
that end with it. Segments of category and country have no values per day and week.

To add a KPI: write `models/kpis/<area>/kpi_<area>_<number>_<name>.sql` and its yml with a unit test, name it in
`kpi_models()` (`macros/kpi_catalogue.sql`), and write this page anew. The model sums facts per business day and stretch
of knowledge (`known_rows`) and hands them to `kpi_values`, which knows periods, segments, currencies and what intervals
need.
"""


def model_files() -> list[Path]:
    return sorted((PROJECT / "models" / "kpis").glob("*/kpi_*.sql"))


def listed_models() -> list[str]:
    """The names in the macro kpi_models, in its order."""
    macro = (PROJECT / "macros" / "kpi_catalogue.sql").read_text(encoding="utf-8")
    body = re.search(r"macro kpi_models\(\).*?endmacro", macro, re.DOTALL)
    assert body
    return re.findall(r"'(kpi_\w+)'", body.group())


def yml_of(model: str) -> dict[str, Any]:
    (path,) = (PROJECT / "models" / "kpis").glob(f"*/{model}.yml")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def meta_of(model: str) -> dict[str, Any]:
    (described,) = yml_of(model)["models"]
    assert described["name"] == model
    meta: dict[str, Any] = described["config"]["meta"]
    return meta


def page() -> str:
    """The catalogue as a page for people, from the yml of every KPI."""
    lines = [INTRODUCTION]
    area = ""
    for model in listed_models():
        if AREAS[model.split("_")[1]] != area:
            area = AREAS[model.split("_")[1]]
            lines += [f"## {area}", ""]
        lines += [*entry(model, meta_of(model)), ""]
    return "\n".join(lines).rstrip() + "\n"


def entry(model: str, meta: dict[str, Any]) -> list[str]:
    target = "set by the owner" if meta["default_target"] is None else meta["default_target"]
    facts = {
        "unit": meta["unit"],
        "better": meta["direction"],
        "owner": meta["owner_department"],
        "periods": ", ".join(meta["grains"]),
        "segments": ", ".join(["all", *meta["segments"]]),
        "combine by": meta["aggregation"],
        "interval": INTERVALS[meta["interval"]],
        "least n": str(meta["min_n"]),
        "default target": str(target),
        "model": f"`{model}`",
    }
    table = [" | ".join(facts), " | ".join(["---"] * len(facts)), " | ".join(facts.values())]
    return [
        f"### {meta['kpi_id']} {meta['title']}",
        "",
        meta["formula"],
        "",
        f"*{meta['caveats']}*",
        "",
        *(f"| {row} |" for row in table),
    ]


def test_the_list_of_kpis_is_the_folder() -> None:
    listed = listed_models()
    assert sorted(listed) == [path.stem for path in model_files()]
    assert len(listed) == len(set(listed))


def test_a_unit_says_how_a_value_is_shown() -> None:
    units = {meta["kpi_id"]: meta["unit"] for meta in map(meta_of, listed_models())}
    assert {kpi_id: units[kpi_id] for kpi_id in NOT_IN_PERCENT} == NOT_IN_PERCENT


@pytest.mark.parametrize("model", listed_models())
def test_every_kpi_says_what_it_is_and_proves_it(model: str) -> None:
    meta = meta_of(model)
    assert set(meta) == META
    area, number = model.split("_")[1:3]
    assert meta["kpi_id"] == f"{area}-{number}".upper()
    assert all(test["model"] == model for test in yml_of(model)["unit_tests"])
    (folder,) = {path.parent.name for path in model_files() if path.stem == model}
    assert folder in ("sales", "customer", "feedback", "supplier", "inventory", "fulfilment", "forecast", "data")


def test_the_page_lists_the_catalogue_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it anew: python {Path(__file__).relative_to(ROOT)}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
