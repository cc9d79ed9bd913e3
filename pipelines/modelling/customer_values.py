"""Which customers are still customers and what their next year is worth, as of each day, and how right that was.

One row per customer is kept for the newest as-of day of a month, one for the whole company for every as-of day. The
models are fitted as of the end of the month before, or of the company's first day in its first month, so that the
days of a month differ by their customers and not by the estimate. How they work is in `models_ml.customers`.
"""

from datetime import date, timedelta
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from models_ml import customers
from models_ml.customers import ALIVE_FROM, CustomerModel
from pipelines.modelling.context import Context, keep_newest_of_month
from pipelines.modelling.registry import register
from pipelines.modelling.tables import MlTable

AS_OF = ("DATE NOT NULL", "Day at whose end everything used was known.")
MONTH = ("DATE NOT NULL", "First day of the month of as_of; a month keeps its newest as-of day.")
BASIS = ("VARCHAR NOT NULL", "What value means: margin where nine tenths of revenue have a cost, else revenue.")

CUSTOMER_LTV = MlTable(
    "customer_ltv",
    "One row per month, as of its newest as-of day, and customer who had bought: whether they are still one, and what "
    "the next 365 days with them are worth (BG/NBD and Gamma-Gamma). Empty while too few customers have come back.",
    {
        "as_of": AS_OF,
        "month_start_on": MONTH,
        "customer_id": ("VARCHAR NOT NULL", "Customer number of the company."),
        "purchases": ("BIGINT NOT NULL", "Days with a purchase so far; orders of one day are one purchase."),
        "p_alive_at_month_start": ("DOUBLE", "The same at the end of trained_on; null for customers who came later."),
        "p_alive": ("DOUBLE NOT NULL", "Probability of being a customer still, 0 to 1."),
        "is_active": ("BOOLEAN NOT NULL", "True when that is at least 0.2."),
        "expected_orders_365d": ("DOUBLE NOT NULL", "Days with a purchase to expect in the next 365 days."),
        "expected_value_amount_base": ("DOUBLE", "Value to expect of one of them, by value_basis; null while unknown."),
        "clv_365d_amount_base": ("DECIMAL(18,4)", "Value to expect of the 365 days, discounted at a tenth a year."),
        "value_basis": BASIS,
        "trained_on": ("DATE NOT NULL", "Day at whose end the models were fitted."),
    },
    deps=("marts.fct_order_lines",),
    owner="team:marketing",
)  # fmt: skip
CUSTOMER_BASE = MlTable(
    "customer_base",
    "One row per as-of day: the customers of the company as a whole, and the models they were judged by.",
    {
        "as_of": AS_OF,
        "customers": ("BIGINT NOT NULL", "Customers who had bought."),
        "active_customers": ("BIGINT NOT NULL", "Those of them who are customers still with probability 0.2 or more."),
        "active_at_month_start": ("BIGINT NOT NULL", "Customers who were so at the end of trained_on."),
        "newly_inactive": ("BIGINT NOT NULL", "Those of them who are so no more: churn."),
        "expected_orders_365d": ("DECIMAL(24,4) NOT NULL", "Days with a purchase to expect of all in 365 days."),
        "active_clv_365d_amount_base": ("DECIMAL(24,4)", "Sum of clv_365d_amount_base over the active."),
        "value_basis": BASIS,
        "model": ("VARCHAR NOT NULL", "The likelier of bg_nbd (no one leaves before the second purchase) and mbg_nbd."),
        "r": ("DOUBLE NOT NULL", "Shape of the purchase rates, per week."),
        "alpha": ("DOUBLE NOT NULL", "Rate parameter of the purchase rates, weeks."),
        "a": ("DOUBLE NOT NULL", "First parameter of the probabilities of leaving; a / (a + b) is their mean."),
        "b": ("DOUBLE NOT NULL", "Second parameter of them."),
        "log_likelihood": ("DOUBLE NOT NULL", "Of the histories the model was fitted to."),
        "trained_on": ("DATE NOT NULL", "Day at whose end the models were fitted."),
    },
    deps=("marts.fct_order_lines",),
    owner="team:marketing",
)
CUSTOMER_LTV_ACCURACY = MlTable(
    "customer_ltv_accuracy",
    "One row per month, as of its newest as-of day, and number of repeat purchases: what a model that knew nothing of "
    "the last days expected of them, and what came.",
    {
        "as_of": AS_OF,
        "month_start_on": MONTH,
        "trained_on": ("DATE NOT NULL", "Last day of the purchases, as known on as_of, that the model was fitted to."),
        "holdout_days": ("INTEGER NOT NULL", "Days after it: half of the history, 182 at most."),
        "repeat_group": ("VARCHAR NOT NULL", "Purchases after the first one by trained_on; all for everyone."),
        "customers": ("BIGINT NOT NULL", "Customers of the group."),
        "expected_purchases": ("DOUBLE NOT NULL", "Days with a purchase that were expected of them."),
        "actual_purchases": ("BIGINT NOT NULL", "Days with a purchase that came."),
    },
    deps=("marts.fct_order_lines",),
    owner="team:marketing",
)


class CustomerValues:
    """Fits once per month, looks at every customer once per as-of day."""

    tables: ClassVar[tuple[MlTable, ...]] = (CUSTOMER_LTV, CUSTOMER_BASE, CUSTOMER_LTV_ACCURACY)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._connection = context.connection
        self._models: dict[date, CustomerModel | None] = {}

    def write(self, day: date) -> None:
        is_kept = keep_newest_of_month(self._connection, (CUSTOMER_LTV, CUSTOMER_LTV_ACCURACY), day)
        self._connection.execute("delete from ml.customer_base where as_of = ?", [day])
        purchases = self._context.purchases
        model = self._model(self._context.training_day(day, lambda origin: not purchases.known(origin).empty))
        register(self._connection, day, CUSTOMER_BASE.name, None if model is None else model.card())
        if model is None:
            return
        values = self._values(model, day)
        self._insert(CUSTOMER_BASE, _company(model, values, day))
        if is_kept:
            self._insert(CUSTOMER_LTV, values.drop(columns="was_active").assign(month_start_on=day.replace(day=1)))
            self._grade(day)

    def _model(self, day: date) -> CustomerModel | None:
        if day not in self._models:
            self._models[day] = customers.fit(self._context.purchases.known(day), day)
        return self._models[day]

    def _values(self, model: CustomerModel, day: date) -> pd.DataFrame:
        known = self._context.purchases.known(day)
        before = self._context.purchases.known(day, until=model.trained_on)
        expected = customers.expectations(model, known, day)
        at_start = customers.alive(model, before, model.trained_on)
        start = known[["customer_id"]].merge(
            pd.DataFrame({"customer_id": before["customer_id"], "p_alive": at_start}), on="customer_id", how="left"
        )["p_alive"]
        return pd.DataFrame(
            {
                "as_of": day,
                "customer_id": expected["customer_id"],
                "purchases": known["purchases"],
                "p_alive_at_month_start": start,
                "p_alive": expected["p_alive"],
                "is_active": expected["p_alive"] >= ALIVE_FROM,
                "was_active": start >= ALIVE_FROM,
                "expected_orders_365d": expected["expected_purchases"],
                "expected_value_amount_base": expected["expected_value"],
                "clv_365d_amount_base": expected["clv"],
                "value_basis": model.basis,
                "trained_on": model.trained_on,
            }
        )

    def _grade(self, day: date) -> None:
        known = self._context.purchases.known(day)
        days = customers.holdout_days(known["first_on"].min().date(), day) if len(known) else 0
        trained_on = day - timedelta(days)
        # Purchases up to then as they are known now: a company may have delivered years of them on its first day.
        before = self._context.purchases.known(day, until=trained_on)
        model = customers.fit(before, trained_on) if days else None
        if model is None:
            return
        graded = customers.grade(model, before, self._context.purchases.between(day, trained_on), days)
        graded = graded.assign(as_of=day, month_start_on=day.replace(day=1), trained_on=trained_on, holdout_days=days)
        self._insert(CUSTOMER_LTV_ACCURACY, graded)

    def _insert(self, table: MlTable, rows: pd.DataFrame) -> None:
        self._connection.register("customer_rows", pa.Table.from_pandas(rows, preserve_index=False))
        self._connection.execute(f"insert into {table.full_name} by name select * from customer_rows")
        self._connection.unregister("customer_rows")


def _company(model: CustomerModel, values: pd.DataFrame, day: date) -> pd.DataFrame:
    """The row of the whole company; sums are of whole ten-thousandths, so their order does not show."""
    active = values["is_active"]
    row = {
        "as_of": day,
        "customers": len(values),
        "active_customers": int(active.sum()),
        "active_at_month_start": int(values["was_active"].sum()),
        "newly_inactive": int((values["was_active"] & ~active).sum()),
        "expected_orders_365d": _sum(values["expected_orders_365d"]),
        "active_clv_365d_amount_base": _sum(values["clv_365d_amount_base"][active]) if model.spend else np.nan,
        "value_basis": model.basis,
        "model": model.lifetime.name,
        "trained_on": model.trained_on,
    }
    parameters = {name: round(getattr(model.lifetime, name), 6) for name in ("r", "alpha", "a", "b")}
    found = pd.DataFrame([row | parameters | {"log_likelihood": round(model.lifetime.log_likelihood, 4)}])
    return found.astype({"active_clv_365d_amount_base": float})


def _sum(values: pd.Series) -> float:
    return int((values.to_numpy(float) * 1e4).round().astype(np.int64).sum()) / 1e4
