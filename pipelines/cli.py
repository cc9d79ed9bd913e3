"""The command line. It parses, calls what Dagster calls too, and prints; it decides nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from pipelines import printing
from pipelines.durable import make_home
from pipelines.errors import OpscopeError
from pipelines.exhaustion import told
from pipelines.garbage import look_rarely
from pipelines.redaction import no_secret_told
from pipelines.resources import Warehouse
from pipelines.settings import REPOSITORY, Settings, keep_private

if TYPE_CHECKING:
    from pipelines.launch import Launched


class HomeFirst(TyperGroup):
    """The commands; one that is given `--home` says where that stands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if getattr(error, "option_name", None) == "--home":
                raise typer.BadParameter("--home stands before the command: opscope --home FOLDER COMMAND") from error
            raise


app = typer.Typer(
    name="opscope",
    cls=HomeFirst,
    help="A data pipeline for operational analytics: deliveries in, checked and graded tables out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
profile_app = typer.Typer(help="Company profiles: how a company's files become feeds.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Refused records: look at them, and let mended ones in.", no_args_is_help=True)
app.add_typer(profile_app, name="profile")
app.add_typer(quarantine_app, name="quarantine")

# `make dev` opens the shipped demo profile, which has this many days; another number needs its own profile.
SHIPPED_DEMO_DAYS = 30

out = Console()
errors = Console(stderr=True)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], show_default=False)]
ProfileName = Annotated[str | None, typer.Option("--profile", help="A shipped profile's name or a profile file.")]
Host = Annotated[str, typer.Option(help="Other than loopback only where OPSCOPE_BEHIND_PROXY is set.")]
LandingUrl = Annotated[str | None, typer.Option("--landing", help="Folder or fsspec URL of the deliveries.")]


def main() -> None:
    """Run the command; an error an operator can act on is one message, not a traceback."""
    keep_private()
    look_rarely()
    try:
        # Also what Dagster's own records and the check report run into.
        with no_secret_told(), told("this machine"):
            app()
    except OpscopeError as error:
        errors.print(f"[bold red]Error[/] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(1) from error


def _say_version(asked: bool) -> None:
    if asked:
        out.print(f"opscope {installed_version('opscope')}", highlight=False)
        raise typer.Exit


@app.callback()
def _home(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Everything is written below this folder.", show_default="./var")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = {} if home is None else {"home": home}


def settings_of(context: typer.Context, **given: object) -> Settings:
    """Settings from the command line; what is not given comes from the environment."""
    chosen = {name: value for name, value in {**context.obj, **given}.items() if value is not None}
    return Settings.model_validate(Settings().model_dump() | chosen)


def writing_settings_of(context: typer.Context, **given: object) -> Settings:
    """The same for a command that writes: its home is made first, or the error says why it cannot be."""
    settings = settings_of(context, **given)
    make_home(settings)
    return settings


@contextmanager
def progress_bars() -> Iterator["Bars"]:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out,
        # Where nobody watches only the last state is printed; the others would be drawn for nothing.
        auto_refresh=out.is_terminal,
    ) as progress:
        yield Bars(progress)


class Bars:
    """One progress bar per kind of work, made when the work first reports."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


@app.command("demo-data")
def demo_data(
    context: typer.Context,
    target: Annotated[Path | None, typer.Option("--out", help="Folder to write; default the home's landing.")] = None,
    seed: int = 7,
    days: Annotated[int, typer.Option(help="Delivery days.")] = 30,
    scale: Annotated[float, typer.Option(help="1 is about 65,000 order lines.")] = 1.0,
) -> None:
    """Write the deliveries of the demo company, and the truth behind them."""
    from pipelines.demo import generate

    target = target or writing_settings_of(context).root / "landing"
    with progress_bars() as bars:
        generate(target, seed=seed, days=days, scale=scale, progress=bars)
    out.print(f"Wrote {days} delivery days and truth.json to {target}")


@app.command()
def run(
    context: typer.Context,
    profile: ProfileName = None,
    landing: LandingUrl = None,
    on: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="One delivery day.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First of a range.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last of a range.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Load all there is; forecast, grade and report as of its newest day.")
    ] = False,
) -> None:
    """Load delivery days, forecast, grade, compute KPIs and publish."""
    from pipelines.definitions import installation_of
    from pipelines.launch import launch, newest_day
    from pipelines.sources.landing import misdated

    settings = writing_settings_of(context, profile=profile, landing=landing)
    with progress_bars() as bars:
        installation = installation_of(settings, bars)
        if everything:
            if on or first or last:
                raise typer.BadParameter("--all takes no days: give --date, or --from and --to, or --all")
            newest = newest_day(installation)
            launched = launch(installation, "nightly", newest, newest, everything=True)
        else:
            launched = launch(installation, "nightly", *_range(on, first, last))
    _require_success(launched, settings)
    printing.deliveries(out, settings)
    printing.misdated(out, misdated(installation.profile, settings.landing_url))
    printing.published(out, settings)
    printing.warnings(out, settings, launched.run_id)


def _range(on: datetime | None, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    if on is not None and first is None and last is None:
        return on.date(), on.date()
    if on is None and first is not None and last is not None:
        return first.date(), last.date()
    raise typer.BadParameter("give --date, or --from and --to, or --all")


def _require_success(launched: "Launched", settings: Settings) -> None:
    if launched.is_success:
        return
    printing.failed_checks(errors, settings, launched.run_id)
    for failure in launched.failures:
        errors.print(f"[bold red]Failed[/] {escape(failure)}", soft_wrap=True)
    raise OpscopeError(
        f"run {launched.run_id}",
        "did not publish; the version served before stays",
        "See the reason above, or the run in the UI (`make dev`); then run the same days again.",
    )


@app.command()
def demo(
    context: typer.Context,
    days: Annotated[int, typer.Option(help="Delivery days.")] = SHIPPED_DEMO_DAYS,
    scale: Annotated[float, typer.Option(help="1 is about 65,000 order lines.")] = 1.0,
) -> None:
    """Generate the demo company, run everything on it, and show what came of it."""
    from pipelines.definitions import installation_of
    from pipelines.demo import generate
    from pipelines.launch import launch

    landing = writing_settings_of(context).root / "landing"
    with progress_bars() as bars:
        generate(landing, days=days, scale=scale, progress=bars)
        settings = settings_of(context, profile=str(landing / "profile.yml"), landing=str(landing))
        installation = installation_of(settings, bars)
        assert installation.profile.ends_on is not None
        launched = launch(installation, "nightly", installation.profile.starts_on, installation.profile.ends_on)
    _require_success(launched, settings)
    printing.deliveries(out, settings)
    printing.published(out, settings)
    printing.warnings(out, settings, launched.run_id)
    is_shipped = days == SHIPPED_DEMO_DAYS and settings.root == REPOSITORY / "var"
    command = f"opscope --home {settings.root} dev --profile {settings.profile} --landing {landing}"
    printing.examples(out, settings, "make dev" if is_shipped else command)


@app.command()
def dev(
    context: typer.Context,
    profile: ProfileName = None,
    landing: LandingUrl = None,
    host: Host = "127.0.0.1",
    port: int = 3000,
) -> None:
    """Open the Dagster UI on the loopback address: webserver, daemon, schedule and sensors."""
    from pipelines.service import serve

    out.print(f"The Dagster UI will be on http://{host}:{port} in about half a minute; Ctrl-C ends it.")
    serve(settings_of(context, profile=profile, landing=landing), host, port)


@app.command()
def view(
    context: typer.Context,
    profile: ProfileName = None,
    landing: LandingUrl = None,
    host: Host = "127.0.0.1",
    port: int = 3001,
) -> None:
    """Open a Dagster UI that shows everything and can change nothing."""
    from pipelines.service import view as serve_viewers

    out.print(f"The viewers' UI will be on http://{host}:{port} in about half a minute; Ctrl-C ends it.")
    serve_viewers(settings_of(context, profile=profile, landing=landing), host, port)


@app.command()
def publish(context: typer.Context, profile: ProfileName = None) -> None:
    """Publish what stands in the warehouse, if the checks allow it."""
    from pipelines import lease
    from pipelines.ops import require_company
    from pipelines.release import release
    from pipelines.sources.profiles import load_profile
    from pipelines.transforms import DbtGraph, Transforms

    settings = writing_settings_of(context, profile=profile)
    graph = DbtGraph(Transforms(settings).manifest())
    warehouse = Warehouse(settings)
    with lease.writer(settings, "publish"):
        with warehouse.read() as connection:
            require_company(connection, load_profile(settings.profile))
        release(settings, warehouse, graph, run_id="command line")
    printing.published(out, settings)


@app.command()
def rollback(
    context: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Version to serve; default the one before.")] = None,
) -> None:
    """Serve an earlier published version again."""
    from pipelines.publishing import rollback as roll_back

    settings = writing_settings_of(context)
    roll_back(settings, version)
    printing.published(out, settings)


@app.command()
def trace(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="A published table, such as marts.fct_order_lines.")],
    key: Annotated[list[str], typer.Argument(help="Its key, as values in order or as column=value.")],
) -> None:
    """Show the delivered files and lines behind a published row."""
    from pipelines.trace import trace as trace_row

    printing.origins(out, trace_row(settings_of(context), table, key))


@app.command()
def erase(
    context: typer.Context,
    customers: Annotated[list[str], typer.Argument(help="Customer numbers, as they are delivered.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this nothing is changed.")] = False,
    profile: ProfileName = None,
    landing: LandingUrl = None,
) -> None:
    """Erase persons from all that is kept, keep them out of what comes, and publish.

    Their orders and scores stay under a pseudonym. Earlier versions can no longer be rolled back to.
    """
    from pipelines import lease
    from pipelines.erasure import erase as erase_persons
    from pipelines.erasure import standing
    from pipelines.sources.profiles import load_profile
    from pipelines.transforms import Transforms

    settings = (writing_settings_of if yes else settings_of)(context, profile=profile, landing=landing)
    warehouse = Warehouse(settings)
    if not yes:
        printing.persons(out, standing(warehouse, customers))
        return
    with lease.writer(settings, "erase"):
        erased = erase_persons(settings, load_profile(settings.profile), warehouse, Transforms(settings), customers)
    printing.erased(out, erased)


@app.command()
def doctor(context: typer.Context, profile: ProfileName = None, landing: LandingUrl = None) -> None:
    """Say what is healthy, what is not, and what to do about it."""
    from pipelines.health import diagnose

    findings = diagnose(settings_of(context, profile=profile, landing=landing))
    printing.findings(out, findings)
    if any(finding.status == "fail" for finding in findings):
        raise SystemExit(1)


@profile_app.command("list")
def list_profiles() -> None:
    """List the profiles that ship."""
    from pipelines.sources.profiles import load_profile, shipped_profiles

    for name in shipped_profiles():
        out.print(f"{name:<16} {load_profile(name).title}")


@profile_app.command("check")
def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A shipped profile's name or a profile file.")],
    landing: LandingUrl = None,
) -> None:
    """Say what is wrong with a profile, and what to write instead. Loads nothing."""
    from pipelines.sources.check import check_profile

    found = check_profile(name, settings_of(context, profile=name, landing=landing).landing_url)
    printing.profile_findings(out, found)
    if any(finding.severity == "error" for finding in found):
        raise SystemExit(1)


@quarantine_app.command("list")
def list_quarantined(
    context: typer.Context,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    every_status: Annotated[bool, typer.Option("--all", help="Released and superseded ones too.")] = False,
    limit: int = 50,
) -> None:
    """List refused records and files, newest first."""
    from pipelines.ingestion.quarantine import list_quarantine

    status = None if every_status else "open"
    warehouse = Warehouse(settings_of(context))
    printing.quarantined(out, list_quarantine(warehouse, feed=feed, reason=reason, status=status, limit=limit))


@quarantine_app.command("show")
def show_quarantined(context: typer.Context, quarantine_id: str) -> None:
    """Show one refused record as delivered, why it was refused, and what to do."""
    from pipelines.ingestion.quarantine import show

    printing.quarantined_record(out, show(Warehouse(settings_of(context)), quarantine_id))


@quarantine_app.command("release")
def release_quarantined(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, or the beginnings of ids.")] = None,
    reason: Annotated[str | None, typer.Option(help="All open records with this reason code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All open records.")] = False,
    text: Annotated[str | None, typer.Option(help="A mended record in place of the delivered one.")] = None,
    profile: ProfileName = None,
    landing: LandingUrl = None,
) -> None:
    """Read refused records again under today's contract and profile; those that pass join their delivery day.

    The next run takes them up: every as-of day that they change is computed again.
    """
    from pipelines import lease
    from pipelines.ingestion.quarantine import release
    from pipelines.sources.profiles import load_profile

    settings = writing_settings_of(context, profile=profile, landing=landing)
    with lease.writer(settings, "quarantine release"):
        decisions = release(
            settings,
            load_profile(settings.profile),
            Warehouse(settings),
            ids=ids or (),
            reason=reason,
            everything=everything,
            text=text,
        )
    printing.decisions(out, decisions)
    if not all(decision.is_released for decision in decisions):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
