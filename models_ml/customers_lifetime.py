"""How often customers who owe us nothing will buy again, and whether they still do: BG/NBD and its modified form.

Each customer buys at their own rate (gamma: shape r, rate alpha) until, after a purchase, they leave for good with a
probability of their own (beta: a, b). From every customer's number of repeat purchases, the age at the last one and the
age now, the four parameters follow by maximum likelihood, and from them what to expect of each customer.

* ``bg_nbd``: nobody leaves before the second purchase (Fader, Hardie and Lee 2005, "Counting your customers" the easy
  way, Marketing Science 24). All who bought once are then alive with certainty, however long ago it was.
* ``mbg_nbd``: a customer may leave right after the first purchase (Batislam, Denizel and Filiztekin 2007, Empirical
  validation and comparison of models for customer base analysis, IJRM 24).

Both have four parameters, so the likelier one is the better one. What a purchase is worth is in `customers_spend`; what
a purchase is, and the calendar, are the caller's business. Times are in any one unit; weeks suit the bounds below.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from models_ml.periods import Floats

ModelName = Literal["bg_nbd", "mbg_nbd"]
MODELS: tuple[ModelName, ...] = ("bg_nbd", "mbg_nbd")
# Logarithms of r, alpha, a, b: wide enough for any shop in weeks.
BOUNDS = ((-5.0, 5.0), (-5.0, 8.0), (-5.0, 5.3), (-5.0, 5.3))
STARTS = ((0.0, 2.0, 0.0, 0.0), (-1.0, 1.0, 0.0, 1.0), (1.0, 4.0, -1.0, 1.0))
# Nodes of the quadrature over the probability of leaving: 64 are right to seven digits over all that the bounds allow.
NODES = 64
# Probabilities of leaving below this make no difference, and would divide by zero.
SMALLEST = 1e-12
# Fewer customers, or fewer of them who came back, say too little about four parameters.
FEWEST_CUSTOMERS = 100
FEWEST_REPEATERS = 30


@dataclass(frozen=True, eq=False)
class Histories:
    """What is known of each customer; arrays of one length.

    Attributes:
        repeats: purchases after the first one, x.
        last: time from the first purchase to the last one, t_x; 0 where there is only one.
        age: time from the first purchase to now, T.
    """

    repeats: Floats
    last: Floats
    age: Floats

    def __len__(self) -> int:
        return len(self.repeats)

    @property
    def are_enough(self) -> bool:
        return len(self) >= FEWEST_CUSTOMERS and int((self.repeats > 0).sum()) >= FEWEST_REPEATERS

    def distinct(self) -> tuple["Histories", Floats]:
        """Each distinct history once, sorted, and how many customers have it: sums do not depend on the order."""
        rows, counts = np.unique(np.column_stack([self.repeats, self.last, self.age]), axis=0, return_counts=True)
        return Histories(*rows.T), counts.astype(float)


@dataclass(frozen=True)
class LifetimeModel:
    """A fitted model; `log_likelihood` is that of the histories it was fitted to, with the factorials left out."""

    name: ModelName
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def alive(self, histories: Histories) -> Floats:
        """Probability that each customer has not left, 0..1."""
        from scipy.special import expit

        result: Floats = expit(-self._odds_of_having_left(histories))
        return result

    def expected(self, histories: Histories, horizon: float) -> Floats:
        """Purchases to expect of each customer in the next `horizon` units of time.

        A customer who buys at rate l and leaves with probability p after each purchase is expected to buy
        (1 - exp(-l p t)) / p times in t. This is its mean over what the history leaves open of l (gamma) and p (beta),
        by quadrature; equation 10 of Fader, Hardie and Lee solves it with a hypergeometric function that has poles
        where the mean has none, and overflows for customers with hundreds of purchases.
        """
        from scipy.special import betaincinv

        levels, weights = _nodes()
        chances, place = np.unique(self._chances_to_leave(histories), return_inverse=True)
        p = np.maximum(betaincinv(self.a, self.b + chances[:, None], levels), SMALLEST)[place]
        ahead = (horizon / (self.alpha + histories.age))[:, None]
        while_alive = -np.expm1(-(self.r + histories.repeats)[:, None] * np.log1p(p * ahead)) / p
        result: Floats = np.sum(while_alive * weights, axis=1) * self.alive(histories)
        return result

    def _chances_to_leave(self, histories: Histories) -> Floats:
        return histories.repeats + (1.0 if self.name == "mbg_nbd" else 0.0)

    def _odds_of_having_left(self, histories: Histories) -> Floats:
        """Logarithm of the odds; minus infinity where there was no chance to leave."""
        chances = self._chances_to_leave(histories)
        silence = np.log((self.alpha + histories.age) / (self.alpha + histories.last))
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(self.a / (self.b + chances - 1)) + (self.r + histories.repeats) * silence
        return np.where(chances > 0, odds, -np.inf)


def fit(histories: Histories) -> LifetimeModel:
    """The likelier of both models.

    Raises:
        ValueError: there are too few customers, or too few came back (`Histories.are_enough`).
    """
    return max((fit_one(name, histories) for name in MODELS), key=lambda model: model.log_likelihood)


def fit_one(name: ModelName, histories: Histories) -> LifetimeModel:
    """One model by maximum likelihood.

    Raises:
        ValueError: as `fit`.
    """
    from scipy.optimize import minimize

    if not histories.are_enough:
        raise ValueError(f"{FEWEST_CUSTOMERS} customers are needed, {FEWEST_REPEATERS} of them with a repeat purchase")
    rows, counts = histories.distinct()

    def loss(logs: Floats) -> float:
        return -float(counts @ log_likelihoods(name, np.exp(logs), rows)) / float(counts.sum())

    found = [minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS, options={"ftol": 1e-12}) for start in STARTS]
    best = min(found, key=lambda each: float(each.fun))
    r, alpha, a, b = (float(each) for each in np.exp(best.x))
    return LifetimeModel(name, r, alpha, a, b, -float(best.fun) * float(counts.sum()))


def log_likelihoods(name: ModelName, parameters: Floats, histories: Histories) -> Floats:
    """Log-likelihood of each history under (r, alpha, a, b)."""
    from scipy.special import betaln, gammaln

    r, alpha, a, b = parameters
    x = histories.repeats
    chances = x + (1.0 if name == "mbg_nbd" else 0.0)
    bought = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stayed = betaln(a, b + chances) - betaln(a, b)
    alive = stayed - (r + x) * np.log(alpha + histories.age)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = stayed + np.log(a / (b + chances - 1)) - (r + x) * np.log(alpha + histories.last)
    left = np.where(chances > 0, left, -np.inf)
    result: Floats = bought + np.logaddexp(alive, left)
    return result


@lru_cache(maxsize=1)
def _nodes() -> tuple[Floats, Floats]:
    """Levels of probability and their weights, dense at both ends, where quantiles of a beta distribution are steep."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    at = (nodes + 1) / 2
    return at**3 * (10 - 15 * at + 6 * at**2), weights / 2 * 30 * (at * (1 - at)) ** 2
