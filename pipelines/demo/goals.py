"""The demo company's plan: what its controller wants to reach, and the goal that is changed half-way.

Amounts are of scale 1, where June brings some 88,000 euro; they grow with the scale as the company does.
"""

from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from pipelines.demo.plan import ENDS_ON


@dataclass(frozen=True)
class Goal:
    """A target for a KPI, or for a part of it, within a timeframe; `is_amount` when it grows with the company."""

    kpi: str
    first_on: date
    last_on: date
    target: float
    owner: str
    channel: str = ""
    is_amount: bool = False
    at_least: float | None = None
    at_most: float | None = None


_YEAR = (date(ENDS_ON.year, 1, 1), date(ENDS_ON.year, 12, 31))
_QUARTER = (date(ENDS_ON.year, 4, 1), date(ENDS_ON.year, 6, 30))
_MONTH = (date(ENDS_ON.year, 6, 1), date(ENDS_ON.year, 6, 30))

GOALS = (
    Goal("SAL-01", *_YEAR, 1_350_000, "management", is_amount=True),
    Goal("SAL-01", *_QUARTER, 300_000, "sales", is_amount=True),
    Goal("SAL-01", *_MONTH, 90_000, "sales", is_amount=True),
    Goal("SAL-01", *_MONTH, 46_000, "web shop", "web", is_amount=True),
    Goal("SAL-01", *_MONTH, 46_000, "stores", "store", is_amount=True),
    Goal("SAL-02", *_YEAR, 0.42, "sales"),
    Goal("FBK-01", *_YEAR, 40, "customer_care"),
    Goal("SUP-01", *_YEAR, 0.85, "procurement"),
    Goal("INV-02", *_YEAR, 35, "supply_chain", at_least=20, at_most=50),
    Goal("INV-04", *_YEAR, 0.03, "supply_chain"),
)
# Half-way through the deliveries June's goal is raised; what it was before stays true of the days before.
CHANGED = replace(GOALS[2], target=96_000)


def target_records(goals: tuple[Goal, ...], scale: float) -> pa.Table:
    """The controller's export."""
    rows = [
        {
            "kpi": goal.kpi,
            "cut_by": "channel_id" if goal.channel else "all",
            "part": goal.channel or "all",
            "from": goal.first_on.isoformat(),
            "to": goal.last_on.isoformat(),
            "target": f"{goal.target * (scale if goal.is_amount else 1):.2f}",
            "at_least": None if goal.at_least is None else f"{goal.at_least:.2f}",
            "at_most": None if goal.at_most is None else f"{goal.at_most:.2f}",
            "answers": goal.owner,
        }
        for goal in goals
    ]
    return pa.Table.from_pylist(rows)
