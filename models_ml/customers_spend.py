"""What a customer's purchase is worth, and what their next year is worth today: Gamma-Gamma and discounting.

The value of a customer's purchases varies around a mean of their own (gamma with shape p); that mean varies between
customers (gamma with shape q and scale gamma, of its rate). A mean of few purchases is drawn towards that of all
customers (Fader and Hardie 2013, The Gamma-Gamma model of monetary value). How often they buy: `customers_lifetime`.
"""

from dataclasses import dataclass

import numpy as np

from models_ml.customers_lifetime import Histories, LifetimeModel
from models_ml.periods import Floats

# Logarithms of p, q - 1 and gamma over the mean value; the mean of all customers exists for q above 1 only.
BOUNDS = ((-5.0, 8.0), (-5.0, 8.0), (-8.0, 12.0))
START = (1.0, 1.0, 0.0)
FEWEST_CUSTOMERS = 30
# A year is discounted in quarters, each at its middle.
STEPS = 4


@dataclass(frozen=True)
class SpendModel:
    """A fitted Gamma-Gamma model; `gamma` is in the unit of the values."""

    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float:
        """Mean value of a purchase of a customer nothing is known of."""
        return self.p * self.gamma / (self.q - 1)

    def expected(self, purchases: Floats, values: Floats) -> Floats:
        """Mean value to expect of each customer's purchases, from their number and mean value so far.

        Linear in `values`, so customers who cost money have an answer too, though the model says they cannot be.
        """
        return self.p * (self.gamma + purchases * values) / (self.p * purchases + self.q - 1)


def fit(purchases: Floats, values: Floats) -> SpendModel:
    """The model by maximum likelihood, from the customers whose purchases were worth something.

    Args:
        purchases: number of purchases of each customer, at least 1.
        values: mean value of them.

    Raises:
        ValueError: fewer than FEWEST_CUSTOMERS have a value above zero.
    """
    from scipy.optimize import minimize

    usable = (values > 0) & (purchases > 0)
    if int(usable.sum()) < FEWEST_CUSTOMERS:
        raise ValueError(f"{FEWEST_CUSTOMERS} customers with a value above zero are needed")
    # Sorted, so that sums do not depend on the order.
    rows = np.unique(np.column_stack([purchases[usable], values[usable]]), axis=0, return_counts=True)
    (x, value), counts = rows[0].T, rows[1].astype(float)
    unit = float(counts @ value / counts.sum())

    def loss(logs: Floats) -> float:
        p, excess, gamma = np.exp(logs)
        return -float(counts @ log_likelihoods(SpendModel(p, 1 + excess, gamma), x, value / unit) / counts.sum())

    best = minimize(loss, START, method="L-BFGS-B", bounds=BOUNDS, options={"ftol": 1e-12})
    p, excess, gamma = (float(each) for each in np.exp(best.x))
    return SpendModel(p, 1 + excess, gamma * unit)


def log_likelihoods(model: SpendModel, purchases: Floats, values: Floats) -> Floats:
    """Log-likelihood of each customer's mean value (equation 1a of the paper)."""
    from scipy.special import gammaln

    px = model.p * purchases
    result: Floats = (
        gammaln(px + model.q) - gammaln(px) - gammaln(model.q)
        + model.q * np.log(model.gamma) + (px - 1) * np.log(values) + px * np.log(purchases)
        - (px + model.q) * np.log(model.gamma + purchases * values)
    )  # fmt: skip
    return result


def discounted_purchases(
    model: LifetimeModel, histories: Histories, *, horizon: float, discount: float, steps: int = STEPS
) -> Floats:
    """Purchases to expect over the horizon, later ones counting less.

    Args:
        model: how often customers buy.
        histories: the customers.
        horizon: time looked ahead, in the model's unit.
        discount: rate for the whole horizon; 0.1 makes a purchase at its end count 1 / 1.1.
        steps: parts of the horizon; the purchases of a part count as if made at its middle.
    """
    total = np.zeros(len(histories))
    before = np.zeros(len(histories))
    for step in range(1, steps + 1):
        until = model.expected(histories, horizon * step / steps)
        total += (until - before) / (1 + discount) ** ((step - 0.5) / steps)
        before = until
    return total
