"""What a finding is, and how many equal ones are told in one line. Nothing is looked at here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

Status = Literal["ok", "warn", "fail"]
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One matter: what was looked at, how it stands, and what to do where it is not well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def counted(number: int, noun: str) -> str:
    """A number and its noun, which gets an s for any number but one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def by_name(dated: Iterable[tuple[str, date]]) -> list[str]:
    """One text per name with its newest day and the number of its days, the one with the newest day first."""
    days: dict[str, set[date]] = {}
    for name, day in dated:
        days.setdefault(name, set()).add(day)
    ordered = sorted(days, key=lambda name: (-max(days[name]).toordinal(), name))
    return [
        f"{name} on {max(days[name])}"
        + (f" and {counted(len(days[name]) - 1, 'day')} before" if len(days[name]) > 1 else "")
        for name in ordered
    ]
