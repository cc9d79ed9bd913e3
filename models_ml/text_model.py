"""What a comment says: language, sentiment, topics. Frozen, with a version: a label means one thing.

The word lists recognise, a logistic regression fitted with scikit-learn on sentences that ship with the project weighs.
Its coefficients stand below; `fit` computes them anew and is called by hand and by a test, never by a run. What a
company's customers wrote is therefore held out, all of it, and `text_quality` grades the model on it.

Every result is a function of the text and MODEL_VERSION alone; no word of a text is in any result.
"""

from collections import Counter
from dataclasses import dataclass
from math import exp, log1p

import pandas as pd

from models_ml.text_cleaning import Signs, clauses, folded, has_words, repaired, signs
from models_ml.text_lexicon import OTHER, UNKNOWN, Lexicon, Polarity, language_of, lexicon
from models_ml.text_samples import samples

# Change it with every change of words, samples, features or coefficients: all texts are then read again.
MODEL_VERSION = "text-1"
FEATURES = ("good", "bad", "last_good", "last_bad", "glad_signs", "sad_signs", "negated")
COEFFICIENTS = {
    "good": 1.6623,
    "bad": -1.5588,
    "last_good": 1.6394,
    "last_bad": -1.5902,
    "glad_signs": 1.0301,
    "sad_signs": -1.004,
    "negated": 0.1873,
}
INTERCEPT = -0.2594
SILENT = Signs(0, 0)
# Between these chances of a pleased customer nothing is claimed.
NEUTRAL = (0.4, 0.6)
SENTIMENT_COLUMNS = ("text_kind", "language", "sentiment", "positive_probability", "topic_count", "model_version")
TOPIC_COLUMNS = ("topic", "weight", "sentiment", "positive_probability", "language", "model_version")


@dataclass(frozen=True)
class Mention:
    """A topic of one text: its share of all topic words, and how the clauses that name it sound."""

    topic: str
    weight: float
    positive_probability: float | None


@dataclass(frozen=True)
class Reading:
    """What one text says. `positive_probability` is None where nothing can be told."""

    kind: str
    language: str
    positive_probability: float | None
    mentions: tuple[Mention, ...] = ()


def read(text: str | None) -> Reading:
    """Read one text; None and blanks are `empty`, signs without words `signs`."""
    clean = repaired(text or "")
    found = signs(clean)
    words = clauses(folded(clean))
    if not has_words(words):
        if found.good or found.bad:
            return Reading("signs", UNKNOWN, _chance([], found))
        return Reading("empty" if not clean.strip() else "signs", UNKNOWN, None)
    language = language_of(clean, words)
    if language == OTHER:
        return Reading("words", OTHER, None)
    known = lexicon(language)
    parts = [part for clause in words for part in known.split(clause)]
    polarities = [known.polarity(part) for part in parts]
    chance = _chance(polarities, found)
    if chance is None and language != UNKNOWN:
        chance = 0.5
    return Reading("words", language, chance, _mentions(known, parts, polarities, chance))


def _mentions(
    known: Lexicon, parts: list[list[str]], polarities: list[Polarity], chance: float | None
) -> tuple[Mention, ...]:
    """Topics by name. A topic sounds like the clauses that name it, or like the text where those say neither."""
    counts: Counter[str] = Counter()
    heard: dict[str, list[Polarity]] = {}
    for part, polarity in zip(parts, polarities, strict=True):
        topics = known.topics_in(part)
        counts.update(topics)
        for topic in topics:
            heard.setdefault(topic, []).append(polarity)
    total = sum(counts.values())
    mentions = []
    for topic, count in sorted(counts.items()):
        of_topic = _chance(heard[topic], SILENT)
        mentions.append(Mention(topic, round(count / total, 6), chance if of_topic is None else of_topic))
    return tuple(mentions)


def features(polarities: list[Polarity], found: Signs) -> list[float]:
    """The numbers the regression weighs, in the order of FEATURES; how a text ends counts once more."""
    good, bad = (sum(getattr(each, name) for each in polarities) for name in ("good", "bad"))
    spoken = [each for each in polarities if each.good or each.bad]
    last = spoken[-1] if spoken else Polarity()
    negated = sum(each.negated for each in polarities)
    return [log1p(good), log1p(bad), log1p(last.good), log1p(last.bad), found.good, found.bad, log1p(negated)]


def _chance(polarities: list[Polarity], found: Signs) -> float | None:
    """The chance that who wrote this is pleased; None where nothing pleases and nothing complains."""
    if not any(each.good or each.bad for each in polarities) and not (found.good or found.bad):
        return None
    weighed = sum(COEFFICIENTS[name] * value for name, value in zip(FEATURES, features(polarities, found), strict=True))
    return round(1 / (1 + exp(-(INTERCEPT + weighed))), 6)


def label(positive_probability: float | None) -> str:
    """negative, neutral, positive, or unknown."""
    if positive_probability is None:
        return "unknown"
    low, high = NEUTRAL
    return "negative" if positive_probability < low else "positive" if positive_probability > high else "neutral"


def read_all(texts: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read many texts.

    Args:
        texts: the key columns and `comment`, a text or null.
        keys: names of the key columns, which come back with every row.

    Returns:
        One row per text (keys, SENTIMENT_COLUMNS), and one per text and topic (keys, TOPIC_COLUMNS).
    """
    readings: dict[str | None, Reading] = {}
    sentiments, topics = [], []
    for row in texts[[*keys, "comment"]].itertuples(index=False, name=None):
        key, comment = row[:-1], row[-1]
        comment = comment if isinstance(comment, str) else None
        if comment not in readings:
            readings[comment] = read(comment)
        reading = readings[comment]
        chance = reading.positive_probability
        sentiments.append((*key, reading.kind, reading.language, label(chance), chance, len(reading.mentions)))
        topics += [
            (
                *key,
                each.topic,
                each.weight,
                label(each.positive_probability),
                each.positive_probability,
                reading.language,
            )
            for each in reading.mentions
        ]
    return (
        _framed(sentiments, keys, SENTIMENT_COLUMNS),
        _framed(topics, keys, TOPIC_COLUMNS),
    )


def _framed(rows: list[tuple[object, ...]], keys: list[str], columns: tuple[str, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*keys, *columns[:-1]]).assign(model_version=MODEL_VERSION)
    return frame.astype({"positive_probability": "float64"})


def fit() -> tuple[dict[str, float], float]:
    """Coefficients and intercept from the sentences that ship with the project, rounded to four decimals.

    The text model does not call it: to change the model, put the result above and give it another MODEL_VERSION.
    """
    from sklearn.linear_model import LogisticRegression

    measured, labels = [], []
    for text, is_positive in samples():
        clean = repaired(text)
        words = clauses(folded(clean))
        known = lexicon(language_of(clean, words))
        polarities = [known.polarity(part) for clause in words for part in known.split(clause)]
        measured.append(features(polarities, signs(clean)))
        labels.append(is_positive)
    fitted = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(measured, labels)
    weights = {name: round(float(weight), 4) for name, weight in zip(FEATURES, fitted.coef_[0], strict=True)}
    return weights, round(float(fitted.intercept_[0]), 4)
