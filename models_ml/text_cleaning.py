"""Text as delivered to words that can be looked up: repaired, folded, cut into clauses. Knows no language.

Nothing here keeps a text; every function returns what it was asked for and forgets the rest.
"""

import re
import unicodedata
from typing import NamedTuple

# A comment may have a million characters; what it says is said in its first pages.
READ_CHARACTERS = 20_000
CLAUSE_ENDS = re.compile(r"[.!?;,:\n\r()\"“”„|/]+|\s[-–—]+\s|\.\.+")
WORD = re.compile(r"[^\W_]+", re.UNICODE)
DIGITS_ONLY = re.compile(r"\d+")
# UTF-8 that was read as Windows-1252 or Latin-1 shows as these pairs.
MOJIBAKE = re.compile(r"[ÃÂ][\x80-\xbf\u0152-\u2122]|â€|ðŸ")
GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
GOOD_SIGNS = frozenset("😀😁😂😃😄😆😉😊😋😍😘🙂🤗🤩🥰😎👍👏🙌❤💕💖💯🎉✨⭐🌟☺♥😻💪🙏✅")
BAD_SIGNS = frozenset("😡😠🤬😤😞😟😢😭😒😔😕🙁☹😣😖😫😩👎💔🤮🤢😾❌😱🙄")
GOOD_FACES = re.compile(r"(?<![\w:;])[:;=]-?[)D](?!\w)")
BAD_FACES = re.compile(r"(?<![\w:;])[:;=]-?[(](?!\w)")


class Signs(NamedTuple):
    """How many glad and sad signs (emoji, faces) a text has."""

    good: int
    bad: int


def repaired(text: str) -> str:
    """The text with composed characters; UTF-8 that was read as a one-byte encoding is read again, as it was meant."""
    text = text[:READ_CHARACTERS].replace("\x00", "")
    if MOJIBAKE.search(text):
        for encoding in ("cp1252", "latin-1"):
            try:
                text = text.encode(encoding).decode("utf-8")
                break
            except UnicodeError:
                continue
    return unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """Lower case, without accents, German letters spelled out: how words are compared."""
    spelled = text.casefold().translate(GERMAN)
    decomposed = unicodedata.normalize("NFD", spelled.replace("'", "").replace("’", "").replace("`", ""))
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def clauses(text: str) -> list[list[str]]:
    """The words of each clause of a folded text. Numbers stay, in words like `nota 10` they mean something."""
    found = ([*WORD.findall(part)] for part in CLAUSE_ENDS.split(text))
    return [words for words in found if words]


def signs(text: str) -> Signs:
    """Glad and sad signs; each kind counts once, ten hearts are not ten times as glad."""
    marks = set(text)
    good = len(marks & GOOD_SIGNS) + (1 if GOOD_FACES.search(text) else 0)
    bad = len(marks & BAD_SIGNS) + (1 if BAD_FACES.search(text) else 0)
    return Signs(good, bad)


def has_words(words: list[list[str]]) -> bool:
    """Whether anything but numbers was written."""
    return any(not DIGITS_ONLY.fullmatch(word) and any(map(str.isalpha, word)) for clause in words for word in clause)
