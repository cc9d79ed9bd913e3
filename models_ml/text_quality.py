"""How well the text model tells pleased from displeased customers, by scores that customers gave beside their text.

The model was fitted on none of these texts, so all of them are held out. Scores are a noisy yardstick: people give five
stars and complain, so a perfect reader would not reach 1 either.
"""

from math import sqrt

import numpy as np
import pandas as pd

COLUMNS = (
    "language",
    "n",
    "low_count",
    "predicted_low_count",
    "true_low_count",
    "silent_count",
    "precision_low",
    "recall_low",
    "f1_low",
    "auc",
    "auc_low",
    "auc_high",
)
Z95 = 1.959964


def grade(texts: pd.DataFrame) -> pd.DataFrame:
    """Grades per language, and of `all`.

    Args:
        texts: one row per text with a score that is clearly low or high: `language`, `is_low` (bool) and
            `positive_probability`, null where the model claims nothing; such a text counts as not low.

    Returns:
        A row per language in COLUMNS; ratios are null where nothing is to be divided. `auc` is the chance that a low
        text is found less pleased than a high one (ties count half), its interval that of Hanley and McNeil (1982).
    """
    languages = ["all", *sorted(texts["language"].unique())] if len(texts) else []
    rows = [_graded(name, texts if name == "all" else texts[texts["language"] == name]) for name in languages]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _graded(language: str, texts: pd.DataFrame) -> tuple[object, ...]:
    is_low = texts["is_low"].to_numpy(dtype=bool)
    chance = texts["positive_probability"].to_numpy(dtype=float)
    is_silent = np.isnan(chance)
    chance = np.where(is_silent, 0.5, chance)
    predicted = chance < 0.5
    hits = int((predicted & is_low).sum())
    auc = area_under_curve(chance, is_low)
    spread = None if auc is None else Z95 * _hanley_mcneil(auc, int(is_low.sum()), int((~is_low).sum()))
    return (
        language,
        len(texts),
        int(is_low.sum()),
        int(predicted.sum()),
        hits,
        int(is_silent.sum()),
        _ratio(hits, int(predicted.sum())),
        _ratio(hits, int(is_low.sum())),
        _ratio(2 * hits, int(predicted.sum() + is_low.sum())),
        auc,
        None if auc is None or spread is None else round(max(0.0, auc - spread), 6),
        None if auc is None or spread is None else round(min(1.0, auc + spread), 6),
    )


def area_under_curve(positive_probability: np.ndarray, is_low: np.ndarray) -> float | None:
    """The chance that a low text has a smaller probability than a high one, ties half; None without one of each."""
    low, high = positive_probability[is_low], np.sort(positive_probability[~is_low])
    if not len(low) or not len(high):
        return None
    below = len(high) - np.searchsorted(high, low, "right")
    tied = len(high) - np.searchsorted(high, low, "left") - below
    return round(float((2 * below + tied).sum()) / (2 * len(low) * len(high)), 6)


def _hanley_mcneil(auc: float, low: int, high: int) -> float:
    """Standard error of an area under the curve (Hanley and McNeil 1982, Radiology 143:29-36)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (low - 1) * (q1 - auc**2) + (high - 1) * (q2 - auc**2)
    return sqrt(max(variance, 0.0) / (low * high))


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
