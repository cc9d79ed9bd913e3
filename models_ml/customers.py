"""What to expect of each customer: from a frame of customers to probabilities, purchases and value of the next year.

The frame has one row per customer: customer_id, purchases (days with a purchase, at least 1), first_on and last_on (of
them), revenue, costed_revenue and margin (in one currency; margin is that of the costed part). Nothing here depends on
how a customer is called or on the order of the rows. The two models behind it are `customers_lifetime` and
`customers_spend`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from models_ml import customers_lifetime as lifetime
from models_ml import customers_spend as spend
from models_ml.cards import ModelCard, Source
from models_ml.periods import Floats

Basis = Literal["margin", "revenue"]
DAYS_OF_WEEK = 7.0
HORIZON_WEEKS = 365 / DAYS_OF_WEEK
# Money of a year from now, in today's: a starting default that the owner of the figure sets.
DISCOUNT_RATE = 0.1
# Who is likelier gone than this has churned.
ALIVE_FROM = 0.2
# Value is margin where this share of revenue has a known cost.
COSTED_SHARE = 0.9
# Purchases after the first one by which a hold-out is looked at: 0, 1, 2, 3, 4 to 6, 7 and more.
REPEAT_GROUPS = {"0": 0, "1": 1, "2": 2, "3": 3, "4-6": 4, "7+": 7}


@dataclass(frozen=True)
class CustomerModel:
    """How the customers of one company buy, and what their purchases are worth.

    Attributes:
        learnt_from: the customers it was fitted to, for its card; how they are called is not in it.
        basis: what `spend` speaks of.
        spend: None where too few purchases are worth anything.
    """

    learnt_from: Source
    lifetime: lifetime.LifetimeModel
    basis: Basis
    spend: spend.SpendModel | None

    @property
    def trained_on(self) -> date:
        """Day at whose end it was fitted."""
        return self.learnt_from.trained_on

    def card(self) -> ModelCard:
        """What a registry keeps of the model. Nothing is drawn, so the seed is 0."""
        return ModelCard(
            data=self.learnt_from,
            parameters={"discount_rate": DISCOUNT_RATE, "alive_from": ALIVE_FROM, "costed_share": COSTED_SHARE},
            seed=0,
            metrics={"lifetime": vars(self.lifetime), "spend": self.spend and vars(self.spend), "basis": self.basis},
        )


def histories(customers: pd.DataFrame, day: date) -> lifetime.Histories:
    """Repeat purchases and ages in weeks at the end of the day."""
    first = customers["first_on"].to_numpy("datetime64[D]")
    last = customers["last_on"].to_numpy("datetime64[D]")
    return lifetime.Histories(
        customers["purchases"].to_numpy(float) - 1,
        (last - first).astype(float) / DAYS_OF_WEEK,
        (np.datetime64(day, "D") - first).astype(float) / DAYS_OF_WEEK,
    )


def fit(customers: pd.DataFrame, day: date) -> CustomerModel | None:
    """The models as of the end of `day`; None while too few customers are known, or too few came back."""
    known = histories(customers, day)
    if not known.are_enough:
        return None
    revenue, costed = customers["revenue"].sum(), customers["costed_revenue"].sum()
    basis: Basis = "margin" if costed > 0 and costed >= COSTED_SHARE * revenue else "revenue"
    values = values_per_purchase(customers, basis)
    has_values = int((values > 0).sum()) >= spend.FEWEST_CUSTOMERS
    worth = spend.fit(customers["purchases"].to_numpy(float), values) if has_values else None
    learnt_from = Source.of_rows(customers.drop(columns="customer_id"), day)
    return CustomerModel(learnt_from, lifetime.fit(known), basis, worth)


def values_per_purchase(customers: pd.DataFrame, basis: Basis) -> Floats:
    """Mean margin or revenue of each customer's purchases; 0 where nothing is known of it."""
    values: Floats = customers[basis].to_numpy(float) / customers["purchases"].to_numpy(float)
    return np.nan_to_num(values)


def alive(model: CustomerModel, customers: pd.DataFrame, day: date) -> Floats:
    """Probability of being a customer still at the end of `day`, in the order of the rows."""
    return model.lifetime.alive(histories(customers, day)).round(6)


def expectations(model: CustomerModel, customers: pd.DataFrame, day: date) -> pd.DataFrame:
    """What to expect of each customer from the end of `day` on, in the order of the rows.

    Columns: customer_id, p_alive (0..1), expected_purchases (next 365 days), expected_value (of one purchase, margin or
    revenue by `model.basis`), clv (the value of the 365 days, discounted at DISCOUNT_RATE a year).
    """
    known = histories(customers, day)
    purchases = customers["purchases"].to_numpy(float)
    values = np.full(len(customers), np.nan)
    if model.spend is not None:
        values = model.spend.expected(purchases, values_per_purchase(customers, model.basis))
    discounted = spend.discounted_purchases(model.lifetime, known, horizon=HORIZON_WEEKS, discount=DISCOUNT_RATE)
    return pd.DataFrame(
        {
            "customer_id": customers["customer_id"].to_numpy(),
            "p_alive": alive(model, customers, day),
            "expected_purchases": model.lifetime.expected(known, HORIZON_WEEKS).round(6),
            "expected_value": values.round(4),
            "clv": (values * discounted).round(4),
        }
    )


def holdout_days(first_on: date, day: date) -> int:
    """Days to hold out: half a year, or half of what there is; 0 where that is less than eight weeks."""
    half = (day - first_on).days // 2
    return min(half, 182) if half >= 56 else 0


def grade(model: CustomerModel, before: pd.DataFrame, after: pd.DataFrame, days: int) -> pd.DataFrame:
    """Purchases expected in the days after `model.trained_on` against those that came.

    Args:
        model: fitted to `before`.
        before: the customers as known when the model was fitted.
        after: customer_id and purchases of those who bought in the days held out.
        days: how many days these are.

    Returns:
        One row per number of purchases after the first (REPEAT_GROUPS, and `all`): repeat_group, customers,
        expected_purchases, actual_purchases.
    """
    known = histories(before, model.trained_on)
    expected = model.lifetime.expected(known, days / DAYS_OF_WEEK)
    came = before[["customer_id"]].merge(after, on="customer_id", how="left")["purchases"].fillna(0).to_numpy(float)
    names, bounds = list(REPEAT_GROUPS), list(REPEAT_GROUPS.values())
    group = np.searchsorted(bounds, known.repeats, side="right") - 1
    rows = [("all", np.ones(len(before), bool)), *((name, group == place) for place, name in enumerate(names))]
    return pd.DataFrame(
        [
            (name, int(chosen.sum()), round(float(np.sort(expected[chosen]).sum()), 4), int(came[chosen].sum()))
            for name, chosen in rows
            if chosen.any()
        ],
        columns=["repeat_group", "customers", "expected_purchases", "actual_purchases"],
    )
