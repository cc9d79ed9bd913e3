"""What goes with low scores: a logistic regression of low score and a linear one of the score on facts of the order.

Both say what is associated when the other facts are held equal, not what would follow from a change. Which facts there
are is the caller's business.
"""

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
import pandas as pd

Array = np.ndarray

COLUMNS = (
    "driver",
    "n",
    "low_count",
    "with_driver_count",
    "prevalence",
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "effect_on_low_share",
    "effect_low",
    "effect_high",
    "effect_on_score",
    "score_effect_low",
    "score_effect_high",
    "low_score_share_explained",
    "is_significant",
    "priority",
)
Z95 = 1.959964
# A driver that fewer answers have, or lack, is left out: its effect could not be told from chance.
LEAST_ANSWERS = 10
# Of the rarer outcome, this many answers are needed per driver (Peduzzi et al. 1996 advise ten, later work five).
ANSWERS_PER_DRIVER = 5
# Strength of the ridge penalty on standardised drivers; keeps a driver that always goes with low scores finite.
PENALTY = 0.5
STEPS = 100
FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class Fit:
    """Coefficients of a regression, the intercept first, and their covariance."""

    coefficients: Array
    covariance: Array

    def interval(self, place: int) -> tuple[float, float, float]:
        """Estimate, lower and upper bound at 95 %."""
        estimate = float(self.coefficients[place])
        reach = Z95 * float(np.sqrt(self.covariance[place, place]))
        return estimate, estimate - reach, estimate + reach


def key_drivers(answers: pd.DataFrame, drivers: list[str]) -> pd.DataFrame:
    """Effects of the drivers on one scale.

    Args:
        answers: one row per answer: `score`, points of its scale; `is_low`, whether it counts as low; and the drivers,
            numbers or booleans that are 0 where the driver is absent.
        drivers: columns to weigh, the most important first: where answers are too few for all, the last are left out.

    Returns:
        A row per driver in COLUMNS, in the order of priority; none where too few answers are low or too few are not.
        Effects are per unit of the driver: on the share of low scores (average marginal effect of the logistic
        regression, delta-method interval), on the odds of one, and on the score in points (linear regression, interval
        from heteroscedasticity-consistent errors HC3). `low_score_share_explained` is the part of all low scores the
        model would not expect without the driver. `is_significant` holds the share of false discoveries among all
        drivers of the model at 5 % (Benjamini and Hochberg 1995); priority ranks the significant ones that go with more
        low scores by what they explain, and is null for the rest.
    """
    is_low = answers["is_low"].to_numpy(dtype=float)
    rarer = int(min(is_low.sum(), len(is_low) - is_low.sum()))
    most = rarer // ANSWERS_PER_DRIVER
    chosen = _estimable(answers, drivers)[:most] if most else []
    if not chosen:
        return pd.DataFrame(columns=list(COLUMNS))
    design = _design(answers, chosen)
    logistic = fit_logistic(design, is_low)
    linear = fit_linear(design, answers["score"].to_numpy(dtype=float))
    rows = [_row(name, place + 1, design, is_low, logistic, linear) for place, name in enumerate(chosen)]
    return _ranked(pd.DataFrame(rows, columns=list(COLUMNS[:-1])))


def fit_logistic(design: Array, outcome: Array) -> Fit:
    """Ridge-penalised likelihood by Newton's method; the covariance is the inverse of the penalised information.

    The penalty is on standardised columns and spares the intercept, so units do not matter.
    """
    scale = np.concatenate([[1.0], design[:, 1:].std(axis=0)])
    standardised = design / scale
    penalty = np.diag([0.0] + [PENALTY] * (design.shape[1] - 1))
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = _chance(standardised @ weights)
        information = standardised.T @ (standardised * (chance * (1 - chance))[:, None]) + penalty
        step = np.linalg.solve(information, standardised.T @ (outcome - chance) - penalty @ weights)
        # A step of more than a few units overshoots where chances are near 0 or 1.
        weights += step / max(1.0, float(np.abs(step).max()) / 3)
        if np.abs(step).max() < 1e-10:
            break
    chance = _chance(standardised @ weights)
    information = standardised.T @ (standardised * (chance * (1 - chance))[:, None]) + penalty
    return Fit(weights / scale, np.linalg.inv(information) / np.outer(scale, scale))


def fit_linear(design: Array, score: Array) -> Fit:
    """Least squares with the HC3 covariance of MacKinnon and White (1985): scores end at the ends of their scale."""
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ score)
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    # A row that alone decides a coefficient has leverage 1 and no residual to judge by.
    residual = (score - design @ coefficients) / np.maximum(1 - leverage, 1e-6)
    return Fit(coefficients, inverse @ (design.T @ (design * (residual**2)[:, None])) @ inverse)


def _estimable(answers: pd.DataFrame, drivers: list[str]) -> list[str]:
    """Drivers that enough answers have and enough lack, and that are no mixture of those before them."""
    chosen: list[str] = []
    design = np.ones((len(answers), 1))
    for name in drivers:
        column = answers[name].to_numpy(dtype=float)
        _, counts = np.unique(column, return_counts=True)
        if len(column) - counts.max() < LEAST_ANSWERS:
            continue
        fitted = design @ np.linalg.lstsq(design, column, rcond=None)[0]
        if np.var(column - fitted) < 1e-6 * np.var(column):
            continue
        chosen.append(name)
        design = np.column_stack([design, column])
    return chosen


def _design(answers: pd.DataFrame, chosen: list[str]) -> Array:
    columns = [answers[name].to_numpy(dtype=float) for name in chosen]
    return np.column_stack([np.ones(len(answers)), *columns])


def _row(name: str, place: int, design: Array, is_low: Array, logistic: Fit, linear: Fit) -> tuple[object, ...]:
    column = design[:, place]
    odds = [float(np.exp(min(bound, 50.0))) for bound in logistic.interval(place)]
    effect, reach = _marginal_effect(place, design, logistic)
    score = linear.interval(place)
    without = design.copy()
    without[:, place] = 0.0
    expected = _chance(design @ logistic.coefficients).mean()
    explained = 1 - float(_chance(without @ logistic.coefficients).mean() / expected)
    figures = [*odds, effect, effect - reach, effect + reach, *score, explained]
    return (
        name,
        len(design),
        int(is_low.sum()),
        int((column != 0).sum()),
        round(float((column != 0).mean()), 6),
        *(round(figure, 6) for figure in figures),
        erfc(abs(effect) / max(reach, 1e-12) * Z95 / sqrt(2)),
    )


def _marginal_effect(place: int, design: Array, fit: Fit) -> tuple[float, float]:
    """Average change of the chance of a low score per unit, and the reach of its 95 % interval by the delta method."""
    column = design[:, place]
    if set(np.unique(column)) <= {0.0, 1.0}:
        present, absent = design.copy(), design.copy()
        present[:, place], absent[:, place] = 1.0, 0.0
        with_it, without = _chance(present @ fit.coefficients), _chance(absent @ fit.coefficients)
        effect = float((with_it - without).mean())
        slope = (with_it * (1 - with_it))[:, None] * present - (without * (1 - without))[:, None] * absent
        gradient = slope.mean(axis=0)
    else:
        chance = _chance(design @ fit.coefficients)
        spread = chance * (1 - chance)
        weight = fit.coefficients[place]
        effect = float(spread.mean() * weight)
        gradient = ((spread * (1 - 2 * chance))[:, None] * design).mean(axis=0) * weight
        gradient[place] += spread.mean()
    return effect, Z95 * float(np.sqrt(gradient @ fit.covariance @ gradient))


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Significance after Benjamini and Hochberg, and the priorities."""
    p = rows["is_significant"].sort_values(kind="stable")
    passed = p <= FALSE_DISCOVERIES * np.arange(1, len(p) + 1) / len(p)
    limit = p[passed].max() if passed.any() else -1.0
    rows = rows.assign(is_significant=rows["is_significant"] <= limit)
    rows["_acts"] = rows["is_significant"] & (rows["effect_on_low_share"] > 0)
    rows = rows.sort_values(["_acts", "low_score_share_explained", "driver"], ascending=[False, False, True])
    place = pd.Series(range(1, len(rows) + 1), index=rows.index, dtype="Int64")
    return rows.assign(priority=place.where(rows["_acts"])).drop(columns="_acts").reset_index(drop=True)


def _chance(odds: Array) -> Array:
    chance: Array = 1 / (1 + np.exp(-np.clip(odds, -35, 35)))
    return chance
