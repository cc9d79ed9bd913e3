"""Groups of customers who buy alike: KMeans on scaled logarithms, and the same numbers for them month after month.

How many groups there are is decided once a year, as the most that two halves of the customers agree upon. Between those
months the centres of the month before are where the next ones start from, so a group keeps its number while it moves. A
chain of months is a function of the months' customers alone. Names of groups are made here too; who is a customer, and
when a month ends, are the caller's business.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.periods import Floats, Ints

FEATURES = ("recency_days", "purchases", "revenue")
MOST_GROUPS = 6
FEWEST_GROUPS = 3
# Two halves agree on the groups when the adjusted Rand index of what they say of all customers is at least this.
AGREEMENT = 0.8
FEWEST_CUSTOMERS = 100
MONTHS_BETWEEN_CHOICES = 12
DAYS_OF_MONTH = 30.0
SEED = 7
# Words for a group's medians, each for values below its number; recency and revenue in medians of all customers.
RECENCY_WORDS = ((0.67, "recent"), (1.5, "resting"), (np.inf, "lapsed"))
PURCHASE_WORDS = ((1.5, "one-time"), (4.5, "occasional"), (np.inf, "regular"))
REVENUE_WORDS = ((0.5, "small"), (2.0, "medium"), (10.0, "big"), (np.inf, "very big"))
# Centres are cut to these decimals: the last digits of a sum depend on how it was added up.
DECIMALS = 9


@dataclass(frozen=True, eq=False)
class Grouping:
    """The groups of one month.

    Attributes:
        centres: in logarithms, shape (groups, features).
        numbers: number of each group, kept from month to month.
        scale: standard deviations of the features of the month.
        agreement: adjusted Rand index of two halves when the number of groups was chosen.
        months: months since then.
    """

    centres: Floats
    numbers: Ints
    scale: Floats
    agreement: float
    months: int

    def numbers_of(self, features: Floats) -> Ints:
        """The number of the group of each row of `features`."""
        distances = ((features[:, None, :] - self.centres) / self.scale) ** 2
        found: Ints = self.numbers[np.argmin(distances.sum(axis=2), axis=1)]
        return found


def features_of(customers: pd.DataFrame) -> Floats:
    """Logarithms of (1 +) months since the last purchase, purchases and revenue; shape (customers, 3).

    Months: in days the logarithm sees more between yesterday and last week than between last month and last year.
    """
    columns = [np.maximum(customers[name].to_numpy(float), 0) for name in FEATURES]
    columns[FEATURES.index("recency_days")] /= DAYS_OF_MONTH
    found: Floats = np.log1p(np.column_stack(columns))
    return found


def next_month(previous: Grouping | None, features: Floats) -> Grouping | None:
    """The groups of a month, given those of the month before; None while there are too few different customers."""
    rows = features[np.lexsort(features.T)]
    if len(np.unique(rows, axis=0)) < FEWEST_CUSTOMERS:
        return previous
    scale = _scale(rows)
    if previous is not None and previous.months < MONTHS_BETWEEN_CHOICES - 1:
        centres = _fit(rows / scale, len(previous.centres), start=previous.centres / scale) * scale
        return Grouping(centres.round(DECIMALS), previous.numbers, scale, previous.agreement, previous.months + 1)
    count, agreement = _choose(rows / scale)
    centres = (_fit(rows / scale, count) * scale).round(DECIMALS)
    numbers = _numbers(centres, scale, previous)
    return Grouping(centres, numbers, scale, agreement, 0)


def agreement(left: Ints, right: Ints) -> float:
    """Adjusted Rand index of two groupings of the same customers: 1 the same, 0 as by chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(left, right))


def profiles(customers: pd.DataFrame) -> pd.DataFrame:
    """Each group in figures and words, by number.

    Args:
        customers: FEATURES and `number` of each customer.
    """
    rows = []
    usual = customers[list(FEATURES)].median()
    for number, members in customers.groupby("number"):
        recency, purchases, revenue = (float(members[name].median()) for name in FEATURES)
        name = " ".join(
            (
                _word(recency / max(usual["recency_days"], 1.0), RECENCY_WORDS),
                _word(purchases, PURCHASE_WORDS),
                _word(revenue / max(usual["revenue"], 0.01), REVENUE_WORDS),
            )
        )
        rows.append((int(str(number)), name, len(members), recency, purchases, float(members["revenue"].mean())))
    found = pd.DataFrame(rows, columns=["number", "name", "customers", "recency_days", "purchases", "mean_revenue"])
    repeated = found["name"].duplicated(keep=False)
    found.loc[repeated, "name"] += " (" + found.loc[repeated, "number"].astype(str) + ")"
    return found


def _word(value: float, words: tuple[tuple[float, str], ...]) -> str:
    return next(word for below, word in words if value < below)


def _scale(rows: Floats) -> Floats:
    scale = rows.std(axis=0).round(DECIMALS)
    return np.where(scale > 0, scale, 1.0)


def _fit(rows: Floats, count: int, start: Floats | None = None) -> Floats:
    """Centres of `count` groups; from `start` if given, else the best of several starts."""
    from sklearn.cluster import KMeans

    how = {"init": "k-means++", "n_init": 5} if start is None else {"init": start, "n_init": 1}
    found: Floats = KMeans(n_clusters=count, random_state=SEED, **how).fit(rows).cluster_centers_
    return found


def _choose(rows: Floats) -> tuple[int, float]:
    """The largest number of groups that two halves of the (sorted) customers agree upon, and how well they do."""
    agreements = {}
    for count in range(MOST_GROUPS, FEWEST_GROUPS - 1, -1):
        halves = [_nearest(rows, _fit(rows[half::2], count)) for half in (0, 1)]
        agreements[count] = round(agreement(halves[0], halves[1]), 6)
        if agreements[count] >= AGREEMENT:
            return count, agreements[count]
    return max(agreements.items(), key=lambda each: (each[1], each[0]))


def _nearest(rows: Floats, centres: Floats) -> Ints:
    found: Ints = np.argmin(((rows[:, None, :] - centres) ** 2).sum(axis=2), axis=1)
    return found


def _numbers(centres: Floats, scale: Floats, previous: Grouping | None) -> Ints:
    """Numbers for new centres: those of the nearest old ones, each used once, and new numbers for the rest.

    The first groups of all are numbered by revenue, the most first.
    """
    from scipy.optimize import linear_sum_assignment

    if previous is None:
        return np.argsort(np.argsort(-centres[:, FEATURES.index("revenue")])) + 1
    distances = (((centres[:, None, :] - previous.centres) / scale) ** 2).sum(axis=2)
    new, old = linear_sum_assignment(distances)
    numbers = np.zeros(len(centres), dtype=np.int64)
    numbers[new] = previous.numbers[old]
    unmatched = np.flatnonzero(numbers == 0)
    numbers[unmatched] = previous.numbers.max() + 1 + np.arange(len(unmatched))
    return numbers
