"""Path patterns of profiles: which landing paths they match and which delivery day a path names. Touches no files."""

import re
import time
from dataclasses import dataclass
from datetime import date
from functools import cache

from pipelines.errors import ProfileError
from pipelines.sources.profiles import DAY_IN_PATH

# The strptime directives a day in a path can be written with.
DIRECTIVES = {
    "Y": r"[0-9]{4}",
    "y": r"[0-9]{2}",
    "m": r"[0-9]{2}",
    "d": r"[0-9]{2}",
    "j": r"[0-9]{3}",
    "b": r"[A-Za-z]{3}",
    "B": r"[A-Za-z]{3,9}",
}
# Sets of directives that name one whole day.
WHOLE_DAYS = tuple({year, *rest} for year in "Yy" for rest in ("md", "bd", "Bd", "j"))
TOKEN = re.compile(
    rf"(?P<day>{DAY_IN_PATH.pattern.replace('?P<format>', '')})|(?P<tree>\*\*/?)|(?P<star>\*)|(?P<one>\?)"
)
WILDCARD = re.compile(r"[*?{]")


@dataclass(frozen=True)
class PathPattern:
    """A compiled path pattern.

    `root` is the folder that holds everything it can match ("" for the landing itself).
    """

    text: str
    root: str
    names_files_only: bool
    _expression: re.Pattern[str]

    def match(self, path: str) -> tuple[bool, date | None]:
        """Whether the landing-relative path matches, and the day it names.

        A path that names an impossible day, such as the 30th of February, does not match.
        """
        found = self._expression.fullmatch(path)
        if not found:
            return False, None
        fields = found.groupdict()
        if not fields:
            return True, None
        try:
            written = "\0".join(fields.values())
            return True, date(*time.strptime(written, "\0".join(f"%{name}" for name in fields))[:3])
        except ValueError:
            return False, None


@cache
def compile_pattern(text: str) -> PathPattern:
    """The matcher of one profile path.

    Raises ProfileError when the pattern leaves the landing or its day is not a whole day.
    """
    _refuse_escapes(text)
    seen: dict[str, None] = {}
    parts, position = [], 0
    for token in TOKEN.finditer(text):
        parts.append(re.escape(text[position : token.start()]))
        parts.append(_token_expression(text, token, seen))
        position = token.end()
    parts.append(re.escape(text[position:]))
    if seen and not any(whole <= set(seen) for whole in WHOLE_DAYS):
        raise ProfileError(f"path {text!r}", "does not name a whole day", "Write year, month and day, such as %Y%m%d.")
    literal = text[: found.start()] if (found := WILDCARD.search(text)) else text
    return PathPattern(
        text=text,
        root=literal.rpartition("/")[0],
        names_files_only=not text.endswith("*"),
        _expression=re.compile("".join(parts), re.DOTALL),
    )


def any_day(text: str) -> str:
    """The same pattern with anything where the day stands."""
    return DAY_IN_PATH.sub("*", text)


def _refuse_escapes(text: str) -> None:
    if text.startswith("/") or "\\" in text or ".." in text.split("/"):
        raise ProfileError(
            f"path {text!r}", "leaves the landing", "Write it relative to the landing, with / and without .. parts."
        )


def _token_expression(text: str, token: re.Match[str], seen: dict[str, None]) -> str:
    starts_name = token.start() == 0 or text[token.start() - 1] == "/"
    if token["day"]:
        return _day_expression(text, token["day"], seen)
    if token["tree"]:
        return r"(?:[^/.][^/]*/)*" if token["tree"].endswith("/") else r".*"
    if token["star"]:
        # As in a shell, a wildcard does not find hidden names: uploads in progress are often hidden.
        return (r"(?![.])" if starts_name else "") + r"[^/]*"
    return r"[^/.]" if starts_name else r"[^/]"


def _day_expression(text: str, placeholder: str, seen: dict[str, None]) -> str:
    found = DAY_IN_PATH.fullmatch(placeholder)
    written = (found["format"] if found else None) or "%Y-%m-%d"
    parts = []
    for literal, directive in re.findall(r"([^%]+)|%(.)", written):
        if literal:
            parts.append(re.escape(literal))
        elif directive not in DIRECTIVES:
            known = ", ".join(f"%{name}" for name in DIRECTIVES)
            raise ProfileError(f"path {text!r}", f"uses %{directive} for the day", f"Use {known}.")
        elif directive in seen:
            parts.append(f"(?P={directive})")
        else:
            seen[directive] = None
            parts.append(f"(?P<{directive}>{DIRECTIVES[directive]})")
    return "".join(parts)
