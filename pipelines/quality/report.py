"""The check report: one HTML page that needs nothing but itself, written from the evidence tables.

It shows counts, rates, names of tables, columns and checks, never a delivered value.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import groupby
from pathlib import Path

import duckdb

from pipelines.durable import put_whole
from pipelines.ops import REASONS, REFUSALS
from pipelines.resources import Warehouse
from pipelines.settings import Settings

SHOWN_DAYS = 60
SHOWN_OUTCOMES = 200
# Worst first; a day and a table are as bad as the worst of their outcomes.
STATES = ("failed", "stale", "warning", "passed")
OUTCOMES = """
    select r.stage, r.asset, r.check_name, r.partition_on, r.source, coalesce(r.observed, ''),
        if(v.version <> r.table_version, 'Written again since it was judged: run the day.', coalesce(r.message, '')),
        case
            when v.version is not null and v.version <> r.table_version then 'stale'
            when r.passed then 'passed'
            when r.is_blocking then 'failed'
            else 'warning'
        end
    from ops.check_results as r
    left join ops.table_versions as v on v.table_name = r.asset and v.partition_on = r.partition_on
    order by r.asset, r.partition_on desc, r.check_name
"""
FILES = """
    select feed, count(*), count(*) filter (where status = 'refused'), count(*) filter (where status = 'duplicate'),
        count(*) filter (where status = 'superseded'), sum(records_seen), sum(records_loaded), sum(records_duplicate),
        sum(records_quarantined), sum(records_filtered)
    from ops.files group by feed order by feed
"""
QUARANTINE = """
    select feed, reason_code, coalesce(column_name, ''), count(*), count(*) filter (where status = 'open')
    from ops.quarantine group by all order by 5 desc, 1, 2, 3
"""


@dataclass(frozen=True)
class Outcome:
    """One stored outcome, as shown."""

    stage: str
    asset: str
    check_name: str
    partition_on: date
    source: str
    observed: str
    message: str
    state: str


def write_report(settings: Settings, warehouse: Warehouse) -> Path:
    """Write `<home>/reports/checks.html` and return its path. A reader sees the old page or the new one, whole."""
    with warehouse.read() as connection:
        page = check_report(connection)
    settings.reports_path.mkdir(parents=True, exist_ok=True)
    return put_whole(settings.reports_path / "checks.html", page.encode())


def check_report(connection: duckdb.DuckDBPyConnection) -> str:
    """The page, from `ops.check_results`, `ops.files` and `ops.quarantine`."""
    outcomes = [Outcome(*row) for row in connection.execute(OUTCOMES).fetchall()]
    company = connection.execute("select title from ops.company").fetchone()
    title = escape(company[0] if company else "")
    sections = [
        _summary(outcomes),
        _attention(outcomes),
        _tables(outcomes),
        _files(connection.execute(FILES).fetchall()),
        _quarantine(connection.execute(QUARANTINE).fetchall()),
    ]
    body = "\n".join(sections)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>Checks · {title}</title><style>{STYLE}</style></head>\n"
        f"<body><header><h1>Checks</h1><p>{title}</p></header>\n<main>{body}</main></body></html>\n"
    )


def _worst(outcomes: Iterable[Outcome]) -> str:
    return min((outcome.state for outcome in outcomes), key=STATES.index, default="passed")


def _summary(outcomes: Sequence[Outcome]) -> str:
    counted = Counter(outcome.state for outcome in outcomes)
    days = {outcome.partition_on for outcome in outcomes}
    meaning = {
        "failed": "must hold and do not: nothing is published",
        "stale": "judged a version that is gone",
        "warning": "worth a look; the run goes on",
        "passed": "hold",
    }
    cards = [
        f'<li class="{state if counted[state] else "none"}">'
        f"<b>{counted[state]:,}</b> {state}<br><small>{text}</small></li>"
        for state, text in meaning.items()
    ]
    span = f"{min(days)} to {max(days)}" if days else "no day was judged yet"
    checks = len({(outcome.asset, outcome.check_name) for outcome in outcomes})
    tables = len({outcome.asset for outcome in outcomes})
    about = f"{checks:,} checks of {tables} tables on {len(days):,} days, {span}."
    return f'<ul class="cards">{"".join(cards)}</ul><p>{about}</p>'


def _attention(outcomes: Sequence[Outcome]) -> str:
    """What did not pass, worst first, newest day first."""
    found = sorted(
        (outcome for outcome in outcomes if outcome.state != "passed"),
        key=lambda each: (STATES.index(each.state), -each.partition_on.toordinal(), each.asset, each.check_name),
    )
    if not found:
        return "<h2>To look at</h2><p>Nothing: every check passed.</p>"
    rows = [
        [
            f'<span class="tag {each.state}">{each.state}</span>',
            str(each.partition_on),
            escape(each.asset),
            escape(each.check_name),
            escape(each.observed),
            escape(each.message),
        ]
        for each in found[:SHOWN_OUTCOMES]
    ]
    more = len(found) - SHOWN_OUTCOMES
    note = f"<p>{more:,} more in ops.check_results.</p>" if more > 0 else ""
    return "<h2>To look at</h2>" + _table(["", "day", "table", "check", "observed", "why it matters"], rows) + note


def _tables(outcomes: Sequence[Outcome]) -> str:
    """One line per table with a strip of its last days, worst table first."""
    grouped = [(asset, list(found)) for asset, found in groupby(outcomes, key=lambda each: each.asset)]
    grouped.sort(key=lambda item: (STATES.index(_worst(item[1])), item[1][0].stage, item[0]))
    rows = []
    for asset, found in grouped:
        counted = Counter(outcome.state for outcome in found)
        worst = _worst(found)
        rows.append(
            [
                f'<span class="tag {worst}">{worst}</span>',
                escape(found[0].stage),
                escape(asset),
                str(len({outcome.check_name for outcome in found})),
                *(f"{counted[state]:,}" if counted[state] else "" for state in STATES[:3]),
                _strip(found),
            ]
        )
    head = ["", "stage", "table", "checks", *STATES[:3], f"last {SHOWN_DAYS} judged days"]
    return "<h2>Tables</h2>" + _table(head, rows, numeric=(3, 4, 5, 6))


def _strip(outcomes: Sequence[Outcome]) -> str:
    """One cell per day, oldest first. The outcomes of a table come newest day first."""
    by_day = [(day, list(found)) for day, found in groupby(outcomes, key=lambda each: each.partition_on)][:SHOWN_DAYS]
    cells = []
    for day, found in reversed(by_day):
        broken = sorted({each.check_name for each in found if each.state != "passed"})
        said = f"{day}: {', '.join(broken) if broken else f'all {len(found)} passed'}"
        cells.append(f'<i class="{_worst(found)}" title="{escape(said, quote=True)}"></i>')
    sound = sum(_worst(found) == "passed" for _, found in by_day)
    return f'<div class="strip" role="img" aria-label="{sound} of {len(by_day)} days passed">{"".join(cells)}</div>'


def _files(rows: Sequence[tuple[object, ...]]) -> str:
    head = ["feed", "files", "refused", "duplicate", "superseded"]
    head += ["records seen", "loaded", "duplicates", "in quarantine", "filtered"]
    cells = [[escape(str(row[0])), *(f"{int(str(count)):,}" for count in row[1:])] for row in rows]
    return "<h2>Files</h2>" + (_table(head, cells, numeric=range(1, 10)) if rows else "<p>No file came yet.</p>")


def _quarantine(rows: Sequence[tuple[object, ...]]) -> str:
    remedies = {**REASONS, **REFUSALS}
    cells = [
        [
            escape(str(feed)),
            escape(str(reason)),
            escape(str(column)),
            f"{count:,}",
            f"{still_open:,}",
            escape(remedies.get(str(reason), "")),
        ]
        for feed, reason, column, count, still_open in rows
    ]
    head = ["feed", "reason", "column", "records", "open", "what to do"]
    shown = _table(head, cells, numeric=(3, 4)) if cells else "<p>It is empty.</p>"
    return f"<h2>Quarantine</h2>{shown}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int] = ()) -> str:
    """A table of cells that are HTML already; the numeric columns are set right."""
    right = dict.fromkeys(numeric, ' class="n"')
    headings = "".join(f"<th{right.get(position, '')}>{name}</th>" for position, name in enumerate(head))
    lines = [
        "<tr>" + "".join(f"<td{right.get(position, '')}>{cell}</td>" for position, cell in enumerate(row)) + "</tr>"
        for row in rows
    ]
    body = "\n".join(lines)
    return f'<div class="wide"><table><thead><tr>{headings}</tr></thead>\n<tbody>{body}</tbody></table></div>'


STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --page: #ffffff; --card: #f6f8fa;
  --passed: #2da44e; --warning: #bf8700; --stale: #8250df; --failed: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --page: #0d1117;
  --card: #161b22; --passed: #3fb950; --warning: #d29922; --stale: #a371f7; --failed: #f85149; } }
body { margin: 0 auto; max-width: 1320px; padding: 20px; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header { display: flex; gap: 14px; align-items: baseline; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 17px; margin: 26px 0 8px; } header p, small { color: var(--soft); }
.cards { list-style: none; display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 6px; padding: 0; }
.cards li { flex: 1 1 170px; padding: 10px 14px; background: var(--card); border: 1px solid var(--line);
  border-left: 5px solid var(--line); border-radius: 6px; }
.cards b { font-size: 22px; font-variant-numeric: tabular-nums; }
.cards .passed { border-left-color: var(--passed); } .cards .warning { border-left-color: var(--warning); }
.cards .stale { border-left-color: var(--stale); } .cards .failed { border-left-color: var(--failed); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td:nth-child(2), td:nth-child(3) { white-space: nowrap; }
.n { text-align: right; padding-right: 18px; font-variant-numeric: tabular-nums; }
.tag { font-weight: 600; } .tag.passed { color: var(--passed); } .tag.warning { color: var(--warning); }
.tag.stale { color: var(--stale); } .tag.failed { color: var(--failed); }
.strip { display: flex; gap: 1px; padding-top: 2px; }
.strip i { width: 7px; height: 16px; border-radius: 1px; background: var(--passed); }
.strip .warning { background: var(--warning); height: 16px; } .strip .stale { background: var(--stale); }
.strip .failed { background: var(--failed); }
"""
