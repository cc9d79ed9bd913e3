"""Looking words up: which language a text is in, which of its phrases please or complain, which topics it touches.

The words themselves are in `text_words_*`; what follows from the counts is decided in `text_model`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from models_ml import text_words_de, text_words_en, text_words_pt
from models_ml.text_topics import TOPIC_NAMES

UNKNOWN = "unknown"
OTHER = "other"
LANGUAGES: Mapping[str, ModuleType] = {"de": text_words_de, "en": text_words_en, "pt": text_words_pt}
# Neighbours of the three that would be taken for one of them. Their texts are named `other` and not judged.
NEIGHBOURS = {
    "es": """
        el la los las un una unos de del al y o pero no muy con sin por para que es son fue mi su lo le ya
        gracias bueno buena excelente todo llego pedido producto entrega tiempo antes rapido calidad bien mas
        muchas estoy
    """,
    "fr": """
        le la les un une des du de et ou mais pas ne tres avec sans pour par que qui est sont etait mon ma mes
        son sa je nous vous il elle ce cette merci bon bonne livraison produit commande rapide qualite tout
        jamais lequipe repond
    """,
    "it": """
        il lo la gli le un una di del della dei e o ma non molto con senza per che sono stato mio mia suo ho
        abbiamo grazie buono buona ottimo consegna prodotto ordine veloce qualita tutto mai arrivato perfetto
    """,
    "nl": """
        de het een en of maar niet geen zeer met zonder voor van naar is was zijn mijn ik wij we je dat die dit
        bedankt goed goede snel levering bestelling product kwaliteit alles nooit aangekomen erg heel prima
    """,
}
# Letters that only one of the languages writes.
LETTERS = {"pt": "ãõ", "de": "äöüß", "es": "ñ¿¡", "fr": "èêœ"}
# A language must have this much evidence, and this many times that of the next, to be named.
LEAST_EVIDENCE = 0.6
LEAST_LEAD = 1.2
# What a letter of its own, and a phrase that pleases or complains, count against a function word.
LETTER_EVIDENCE = 0.8
PHRASE_EVIDENCE = 0.7
# A negator reaches this many words.
REACH = 3


@dataclass(frozen=True)
class Polarity:
    """How many phrases of a clause please and complain; `after` counts those behind a word like `but`."""

    good: int = 0
    bad: int = 0
    negated: int = 0


class Phrases:
    """Phrases with a label each, found in a list of words; of two that begin at one word the longer is taken."""

    def __init__(self, labelled: Iterable[tuple[str, str]]) -> None:
        self._by_word: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._by_prefix: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for phrase, label in labelled:
            words = tuple(phrase.split())
            if words:
                first = words[0]
                home = self._by_prefix if first.endswith("*") else self._by_word
                home.setdefault(first.rstrip("*"), []).append((words, label))
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix})

    def at(self, words: Sequence[str], place: int) -> list[tuple[int, str]]:
        """(length in words, label) of every phrase that begins at this word."""
        word = words[place]
        candidates = list(self._by_word.get(word, ()))
        for length in self._lengths:
            if length > len(word):
                break
            candidates += self._by_prefix.get(word[:length], ())
        return [(len(phrase), label) for phrase, label in candidates if _agrees(phrase, words, place)]


def _agrees(phrase: Sequence[str], words: Sequence[str], place: int) -> bool:
    if place + len(phrase) > len(words):
        return False
    return all(
        word.startswith(part[:-1]) if part.endswith("*") else word == part
        for part, word in zip(phrase, words[place:], strict=False)
    )


@dataclass(frozen=True)
class Lexicon:
    """What is known of one language."""

    language: str
    valence: Phrases
    topics: Phrases
    negators: frozenset[str]
    contrasts: Phrases

    def polarity(self, words: Sequence[str]) -> Polarity:
        """Phrases of a clause that please and that complain; a negator just before one turns it round."""
        good = bad = negated = place = 0
        last_negator = -REACH - 1
        while place < len(words):
            found = self.valence.at(words, place)
            if not found:
                if words[place] in self.negators:
                    last_negator = place
                place += 1
                continue
            length, label = max(found)
            is_turned = place - last_negator <= REACH
            negated += is_turned
            if (label == "good") != is_turned:
                good += 1
            else:
                bad += 1
            place += length
        return Polarity(good, bad, negated)

    def topics_in(self, words: Sequence[str]) -> Counter[str]:
        """How often a clause speaks of each topic."""
        found: Counter[str] = Counter()
        for place in range(len(words)):
            found.update({label for _, label in self.topics.at(words, place)})
        return found

    def split(self, words: list[str]) -> list[list[str]]:
        """A clause in two where a word like `but` stands."""
        for place in range(1, len(words)):
            if self.contrasts.at(words, place):
                return [words[:place], *self.split(words[place:])]
        return [words]


@cache
def lexicon(language: str) -> Lexicon:
    """The word lists of a language; of `unknown`, those of all."""
    modules = list(LANGUAGES.values()) if language == UNKNOWN else [LANGUAGES[language]]
    return Lexicon(
        language,
        Phrases(
            (phrase, label)
            for module in modules
            for label, phrases in (("good", module.POSITIVE), ("bad", module.NEGATIVE))
            for phrase in phrases.split(";")
        ),
        Phrases(
            (phrase, topic) for module in modules for topic in TOPIC_NAMES for phrase in module.TOPICS[topic].split(";")
        ),
        frozenset(word for module in modules for word in module.NEGATORS.split()),
        Phrases((phrase, "contrast") for module in modules for phrase in module.CONTRASTS.split(";")),
    )


def language_of(repaired: str, words: list[list[str]]) -> str:
    """de, en or pt; `other` for a neighbour of theirs, `unknown` where the words do not tell."""
    evidence: defaultdict[str, float] = defaultdict(float)
    for word in {word for clause in words for word in clause}:
        speakers = _speakers().get(word, ())
        for language in speakers:
            evidence[language] += 1 / len(speakers)
    lowered = repaired.casefold()
    for language, letters in LETTERS.items():
        evidence[language] += LETTER_EVIDENCE * any(letter in lowered for letter in letters)
    best = _leader(evidence)
    if best is None:
        for language in LANGUAGES:
            evidence[language] += PHRASE_EVIDENCE * _own_phrases(language, words)
        best = _leader(evidence)
    if best is None:
        return UNKNOWN
    return best if best in LANGUAGES else OTHER


def _leader(evidence: Mapping[str, float]) -> str | None:
    """The language far enough ahead of the others; names decide nothing, since a tie has no leader."""
    ranked = sorted(evidence.items(), key=lambda each: -each[1])
    (best, most), (_, next_most) = [*ranked, ("", 0.0), ("", 0.0)][:2]
    return best if most >= LEAST_EVIDENCE and most >= LEAST_LEAD * next_most else None


def _own_phrases(language: str, words: list[list[str]]) -> int:
    known = lexicon(language)
    return sum(bool(known.valence.at(clause, place)) for clause in words for place in range(len(clause)))


@cache
def _speakers() -> dict[str, tuple[str, ...]]:
    """Function word -> languages that have it."""
    spoken = {name: module.FUNCTION_WORDS for name, module in LANGUAGES.items()} | NEIGHBOURS
    speakers: dict[str, tuple[str, ...]] = {}
    for language, words in spoken.items():
        for word in dict.fromkeys(words.split()):
            speakers[word] = (*speakers.get(word, ()), language)
    return speakers
