"""What the frozen text model reads out of texts, and that it is the model it says it is."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from models_ml import text_lexicon, text_model, text_quality
from models_ml.text_cleaning import clauses, folded, repaired
from models_ml.text_samples import samples
from models_ml.text_topics import TOPIC_NAMES


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Kam viel zu spät 😡", "de"),
        ("Alles bestens, gerne wieder!", "de"),
        ("Schoene Ware, schnelle Lieferung.", "de"),
        ("Ainda não recebi o produto", "pt"),
        ("otimo produto recomendo a todos", "pt"),
        ("The parcel never arrived and nobody answers", "en"),
        ("Great value for money", "en"),
        ("El producto llegó muy tarde y no estoy contento", "other"),
        ("La livraison est arrivée en retard, je ne suis pas content", "other"),
        ("Het product is goed maar de levering was traag", "other"),
        ("xyzzy qwrt", "unknown"),
        ("ok", "unknown"),
        ("123 456", "unknown"),
        ("😀😀", "unknown"),
        ("", "unknown"),
    ],
)
def test_language_is_named_or_left_open(text: str, language: str) -> None:
    assert text_model.read(text).language == language


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Não gostei, péssima qualidade", "negative"),
        ("Nunca tive problema, recomendo", "positive"),
        ("not good", "negative"),
        ("Never had a problem with this great shop", "positive"),
        ("The delivery was fast but the item is broken", "negative"),
        ("Kam zu spät, aber der Kundendienst war super und die Ware ist toll", "positive"),
        ("ruim", "negative"),
        ("👍", "positive"),
        ("😡😡😡", "negative"),
        (":(", "negative"),
        ("Ich habe eine Kanne bekommen", "neutral"),
        ("...", "unknown"),
        ("El producto es excelente y muy bueno", "unknown"),
    ],
)
def test_sentiment_follows_negation_and_the_last_word(text: str, label: str) -> None:
    assert text_model.label(text_model.read(text).positive_probability) == label


def test_topics_sound_like_the_clauses_that_name_them() -> None:
    reading = text_model.read("Ware gut,\nVerpackung könnte besser sein. Lieferung kam zu spät!")
    found = {each.topic: text_model.label(each.positive_probability) for each in reading.mentions}
    assert found == {"product_quality": "positive", "packaging": "negative", "delivery": "negative"}
    assert sum(each.weight for each in reading.mentions) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Falsche Ware geliefert, Geld zurück bitte!", {"wrong_item", "product_quality", "delivery", "returns"}),
        ("Comprei dois e só veio um", {"wrong_item"}),
        ("Preço muito caro e embalagem ruim", {"price", "packaging"}),
        ("Too much plastic, bad for the environment", {"sustainability"}),
        ("A loja é séria, confio nesta marca", {"brand_trust"}),
        ("The size is too small and the support is rude", {"as_described", "service"}),
        ("hm", set()),
    ],
)
def test_topics_are_found(text: str, topics: set[str]) -> None:
    assert {each.topic for each in text_model.read(text).mentions} == topics


@pytest.mark.parametrize(
    ("spoiled", "meant"),
    [("schÃ¶ne GrÃ¶ÃŸe", "schöne Größe"), ("nÃ£o recebi", "não recebi"), ("e\u0301", "é"), ("Straße", "Straße")],
)
def test_text_read_in_the_wrong_encoding_is_read_again(spoiled: str, meant: str) -> None:
    assert repaired(spoiled) == meant


def test_accents_case_and_spelled_umlauts_do_not_matter() -> None:
    assert text_model.read("NÃO RECEBI O PRODUTO") == text_model.read("nao recebi o produto")
    assert text_model.read("Größe paßt, schöne Ware") == text_model.read("groesse passt, schoene ware")


@pytest.mark.parametrize(("text", "kind"), [(None, "empty"), ("  \n", "empty"), ("!!! 5", "signs"), ("gut", "words")])
def test_kind_of_text(text: str | None, kind: str) -> None:
    assert text_model.read(text).kind == kind


def test_a_very_long_text_is_read_in_its_first_pages() -> None:
    long = text_model.read("Não gostei. " * 80_000)
    assert (long.language, text_model.label(long.positive_probability)) == ("pt", "negative")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_the_same_sound_reading_twice(text: str) -> None:
    reading = text_model.read(text)
    assert reading == text_model.read(text)
    assert reading.language in ("de", "en", "pt", "other", "unknown")
    assert reading.positive_probability is None or 0 <= reading.positive_probability <= 1
    assert {each.topic for each in reading.mentions} <= set(TOPIC_NAMES)


def test_no_word_of_a_text_is_in_its_reading() -> None:
    """Labels, languages and topics are words of the project, whatever a person wrote."""
    texts = pd.DataFrame({"id": ["a"], "comment": ["Zaphod Beeblebrox-Ünsal: nao recebi, kaputt, delivery late"]})
    told = " ".join(str(value) for frame in text_model.read_all(texts, ["id"]) for value in frame.to_numpy().ravel())
    assert not re.search(r"zaphod|beeblebrox|nsal|kaputt|recebi", told, re.IGNORECASE)


def test_coefficients_are_those_that_the_shipped_sentences_give() -> None:
    weights, intercept = text_model.fit()
    assert list(weights) == list(text_model.FEATURES)
    assert weights == pytest.approx(text_model.COEFFICIENTS, abs=2e-3)
    assert intercept == pytest.approx(text_model.INTERCEPT, abs=2e-3)


def test_the_shipped_sentences_are_read_as_meant() -> None:
    wrong = [
        text
        for text, is_positive in samples()
        if ((text_model.read(text).positive_probability or 0) > 0.5) != is_positive
    ]
    assert wrong == []


@pytest.mark.parametrize("language", text_lexicon.LANGUAGES)
def test_word_lists_are_written_as_texts_are_folded(language: str) -> None:
    """A phrase with an accent or a capital would never be found; one that pleases and complains says nothing."""
    module = text_lexicon.LANGUAGES[language]
    good, bad = ({" ".join(each.split()) for each in part.split(";")} for part in (module.POSITIVE, module.NEGATIVE))
    phrases = good | bad | {" ".join(each.split()) for part in module.TOPICS.values() for each in part.split(";")}
    assert [phrase for phrase in phrases if folded(phrase) != phrase] == []
    assert [phrase for phrase in phrases if len(clauses(phrase.replace("*", ""))) != 1] == []
    assert good & bad == set()
    assert set(module.TOPICS) == set(TOPIC_NAMES)


def test_grades_are_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(5)
    is_low = rng.random(300) < 0.3
    chance = np.round(np.clip(0.7 - 0.4 * is_low + 0.3 * rng.standard_normal(300), 0, 1), 1)
    texts = pd.DataFrame({"language": "pt", "is_low": is_low, "positive_probability": chance})
    (everything, portuguese) = text_quality.grade(texts).to_dict("records")
    assert {**everything, "language": "pt"} == portuguese
    assert everything["auc"] == pytest.approx(roc_auc_score(is_low, 1 - chance), abs=1e-6)
    assert everything["f1_low"] == pytest.approx(f1_score(is_low, chance < 0.5), abs=1e-6)
    assert everything["auc_low"] < everything["auc"] < everything["auc_high"]


def test_a_language_without_both_kinds_of_score_has_no_curve() -> None:
    texts = pd.DataFrame({"language": ["en"], "is_low": [False], "positive_probability": [None]})
    (_, english) = text_quality.grade(texts).to_dict("records")
    assert (english["n"], english["silent_count"], english["auc"], english["f1_low"]) == (1, 1, None, None)
    assert text_quality.grade(texts.iloc[:0]).empty
