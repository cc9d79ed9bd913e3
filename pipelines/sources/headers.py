"""What every format asks of a header: at least one name, no name twice, no mapped column missing, not absurdly many."""

from collections.abc import Collection, Sequence

from pipelines.errors import FileRefusedError

MAX_COLUMNS = 2_000


def check_header(names: Sequence[str], required: Collection[str], place: str) -> None:
    """Refuse a file whose header cannot be bound by name.

    Raises FileRefusedError (no_header, too_many_columns, duplicate_header, missing_column).
    """
    if not names:
        raise FileRefusedError("no_header", place, "has no columns", "Have it sent with its header.")
    if len(names) > MAX_COLUMNS:
        raise FileRefusedError(
            "too_many_columns",
            place,
            f"has {len(names)} columns, more than {MAX_COLUMNS}",
            "Have the needed ones sent.",
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FileRefusedError(
            "duplicate_header", place, f"names {', '.join(map(repr, repeated))} twice", "Have one of them renamed."
        )
    if missing := sorted(set(required) - set(names)):
        raise FileRefusedError(
            "missing_column",
            place,
            f"lacks {', '.join(map(repr, missing))}; it has {', '.join(map(repr, names[:50]))}",
            "Have it sent with the column, or name the delivered one under columns: in the profile.",
        )
