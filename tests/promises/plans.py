"""Random ways to load the same days: split, out of order, overlapping, repeated, beside one another, files late.

A plan runs in a process of its own; what it needs is handed over as `Setting`. Every launch is the steps of a run
(ingest, transform, report), which the write lease lets follow one another but not overlap; launches beside one another
are their steps, interleaved.
"""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tests.promises.replayed import Recording, Replayed, settings_at

DAYS_SHARED = 54
# Of a launch beside others, how many come to their reports.
REPORTED = 1 / 6
# Every so many plans the last reports are computed in parts, as those of a large company are.
IN_PARTS_EVERY, DAYS_AT_ONCE = 5, 35
# Forecasts are of some as-of days only: each is computed alike, and of ever more vintages.
FORECAST_EVERY_DAYS = 6
HELD_BACK, WRONG_AT_FIRST = 8, 3


@dataclass(frozen=True)
class Setting:
    """What all plans of one company share: its complete landing, its days and dbt's statements."""

    landing: Path
    days: list[date]
    recording: Recording
    work: Path

    @property
    def profile(self) -> str:
        return str(self.landing / "profile.yml")

    @property
    def forecast_days(self) -> list[date]:
        return self.days[::FORECAST_EVERY_DAYS]


@dataclass(frozen=True)
class Launch:
    """One run over a range of days."""

    first: date
    last: date

    def days(self, setting: Setting) -> list[date]:
        return [day for day in setting.days if self.first <= day <= self.last]


def full_run(setting: Setting) -> Replayed:
    """Everything landed, and one run over all days, built by dbt."""
    home = fresh_home(setting, "full")
    land(setting, home, delivered_files(setting))
    home.ingest((setting.days[0], setting.days[-1]))
    home.build_by_dbt(setting.days)
    return home


def forecast_too(setting: Setting, full: Replayed) -> Replayed:
    """The same home with forecasts, and the reports that read them."""
    folder = setting.work / "full_forecast"
    shutil.copytree(full.settings.root.parent, folder)
    home = _at(setting, folder)
    home.forecast(setting.forecast_days)
    home.report(setting.days)
    return home


def shared_beginning(setting: Setting, seed: int) -> Replayed:
    """A home after launches over many of the days in random order, some files missing and some not yet right."""
    draw = random.Random(seed)
    home = fresh_home(setting, f"beginning_{seed}")
    chosen = set(draw.sample(setting.days, DAYS_SHARED))
    files = [path for path in delivered_files(setting) if date.fromisoformat(path.parts[0]) in chosen]
    wrong = set(draw.sample([path for path in files if path.suffix == ".csv"], WRONG_AT_FIRST))
    late = set(draw.sample([path for path in files if path not in wrong], HELD_BACK))
    land(setting, home, [path for path in files if path not in late | wrong])
    for path in wrong:
        lines = (setting.landing / path).read_bytes().splitlines(keepends=True)
        _place(home, path, b"".join(lines[:-1]) if len(lines) > 2 else b"".join([*lines, lines[-1]]))
    with home.kept_open() as kept:
        for launches in _waves(draw, setting, sorted(chosen), most=2):
            _together(draw, setting, kept, launches)
    return home


def follow(setting: Setting, beginning: Path, seed: int, *, with_forecasts: bool) -> dict[str, str]:
    """Load the rest in a random way on a copy of a beginning; return the digests of all tables."""
    folder = setting.work / f"plan_{seed}"
    shutil.copytree(beginning, folder)
    with _at(setting, folder).kept_open() as home:
        with home.warehouse.write() as connection:
            # Nobody opens this file again, so what stands in its log need not be moved over when it is closed.
            connection.execute("pragma disable_checkpoint_on_shutdown")
        _follow(random.Random(seed), setting, home)
        # Whatever the plan left out: files that landed after their day was launched, days that nobody asked for.
        home.ingest((setting.days[0], setting.days[-1]))
        home.transform()
        if with_forecasts:
            home.forecast(setting.forecast_days)
        home.report(setting.days, at_once=None if seed % IN_PARTS_EVERY else DAYS_AT_ONCE)
        found = home.digests()
    shutil.rmtree(folder)
    return found


def _follow(draw: random.Random, setting: Setting, home: Replayed) -> None:
    missing = [path for path in delivered_files(setting) if not _is_right(setting, home, path)]
    draw.shuffle(missing)
    waves = list(_waves(draw, setting, sorted({date.fromisoformat(path.parts[0]) for path in missing}), most=1))
    per_wave = len(missing) // len(waves) + 1
    for number, launches in enumerate(waves):
        # Files come when they come: with their day, before it is launched, or after, when a later launch overlaps it.
        land(setting, home, missing[number * per_wave : (number + 1) * per_wave])
        _together(draw, setting, home, launches)


def _waves(draw: random.Random, setting: Setting, days: list[date], *, most: int) -> Iterator[list[Launch]]:
    """Launches in the order they are started; those of one wave run beside one another."""
    newest = Launch(setting.days[-1], setting.days[-1])
    cuts = sorted(draw.sample(range(1, len(days)), draw.randint(1, most)))
    parts = [days[start:end] for start, end in zip([0, *cuts], [*cuts, len(days)], strict=True)]
    launches = [
        Launch(part[0] - timedelta(days=draw.randrange(6)), part[-1] + timedelta(days=draw.randrange(6)))
        for part in parts
    ]
    draw.shuffle(launches)
    launches.insert(draw.randrange(len(launches) + 1), draw.choice([newest, *launches]))  # the nightly, or a repeat
    while launches:
        beside = draw.choice([1, 1, 2])
        yield launches[:beside]
        launches = launches[beside:]


def _together(draw: random.Random, setting: Setting, home: Replayed, launches: list[Launch]) -> None:
    """The steps of launches beside one another, each launch in its own order."""
    steps = [iter(("ingest", "transform", "report")) for _ in launches]
    running = list(range(len(launches)))
    while running:
        which = draw.choice(running)
        step = next(steps[which], None)
        days = launches[which].days(setting)
        match step:
            case "ingest":
                home.ingest((launches[which].first, launches[which].last))
            case "transform":
                # The last transform of all counts every table anew, whatever was counted before it.
                home.transform(recount=False)
            case "report" if draw.random() < REPORTED:  # the others die before their reports
                home.report(days)
            case None:
                running.remove(which)


def fresh_home(setting: Setting, name: str) -> Replayed:
    home = _at(setting, setting.work / name)
    home.open()
    Path(home.settings.landing).mkdir()
    return home


def _at(setting: Setting, folder: Path) -> Replayed:
    return Replayed.at(settings_at(folder / "home", folder / "landing"), setting.profile, setting.recording)


def delivered_files(setting: Setting) -> list[Path]:
    """Delivered files, relative to the landing."""
    return sorted(
        path.relative_to(setting.landing)
        for path in setting.landing.rglob("*")
        if path.is_file() and path.relative_to(setting.landing).parts[0][:2] == "20"
    )


def _is_right(setting: Setting, home: Replayed, path: Path) -> bool:
    placed = Path(home.settings.landing) / path
    return placed.exists() and placed.read_bytes() == (setting.landing / path).read_bytes()


def land(setting: Setting, home: Replayed, paths: list[Path]) -> None:
    for path in paths:
        _place(home, path, (setting.landing / path).read_bytes())


def _place(home: Replayed, path: Path, content: bytes) -> None:
    placed = Path(home.settings.landing) / path
    placed.parent.mkdir(parents=True, exist_ok=True)
    placed.write_bytes(content)
