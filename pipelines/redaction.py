"""Keeps secrets out of what is said: out of errors, and out of log records, whoever writes them.

Whoever reads a secret makes it known here; this module knows none by itself.
"""

import base64
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
# Shorter ones stand in half of all words.
SHORTEST = 5
_known: set[str] = set()


def keep_secret(text: str) -> None:
    """Make a secret known. Of an address, what is secret in it too: the password, and the values of its query."""
    _learn(text)
    keep_secret_part(text)


def keep_secret_part(address: str) -> None:
    """Make known what is secret in an address that may be shown without it."""
    if "://" in address:
        parts = urlsplit(address)
        _learn(parts.netloc.rpartition("@")[0].partition(":")[2])
        for value in re.split(r"[&;]", parts.query):
            _learn(value.partition("=")[2])


def keep_secret_path(address: str) -> None:
    """Make an address known whose path is the secret, as webhooks have it."""
    keep_secret(address)
    parts = urlsplit(address)
    _learn(parts.path + (f"?{parts.query}" if parts.query else ""))
    _learn(parts.path)


def _learn(secret: str) -> None:
    for plain in {secret, unquote(secret)}:
        if len(plain) >= SHORTEST:
            encodings = {base64.b64encode(plain.encode()).decode(), base64.urlsafe_b64encode(plain.encode()).decode()}
            encodings |= {each.rstrip("=") for each in encodings}
            _known.update(
                {plain, quote(plain), quote(plain, safe=""), quote_plus(plain), repr(plain)[1:-1], *encodings}
            )


def redacted(text: str) -> str:
    """The text without any known secret, also where one is URL-encoded or in base64."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


@contextmanager
def no_secret_told() -> Iterator[None]:
    """Errors leave the block without known secrets: in their own words, or as a RuntimeError that says the same."""
    try:
        yield
    except Exception as error:
        told = _redacted_error(error)
        if told is error:
            raise
        raise told from None


def _redacted_error(error: BaseException) -> BaseException:
    if _says_secret(error):
        return RuntimeError(redacted(f"{type(error).__name__}: {error}"))
    cause: BaseException | None = error
    while cause is not None:
        following = cause.__cause__ or cause.__context__
        if following is not None and _says_secret(following):
            cause.__cause__, cause.__context__ = None, None
        cause = cause.__cause__ or cause.__context__
    return error


def _says_secret(error: BaseException) -> bool:
    said = f"{error} {error!r} {' '.join(getattr(error, '__notes__', ()))}"
    return redacted(said) != said


class _GuardedRecords:
    """Makes log records without known secrets, their tracebacks included."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *arguments: object, **named: object) -> logging.LogRecord:
        record = self._make(*arguments, **named)
        if not _known:
            return record
        said = record.getMessage()
        if redacted(said) != said:
            record.msg, record.args = redacted(said), ()
        if record.exc_info and record.exc_info[1] is not None:
            error = _redacted_error(record.exc_info[1])
            record.exc_info = (type(error), error, error.__traceback__)
        return record


def guard_logs() -> None:
    """Take known secrets out of every log record that this process makes from now on."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _GuardedRecords):
        logging.setLogRecordFactory(_GuardedRecords(make))
