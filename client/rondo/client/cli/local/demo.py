"""`rondo demo`: a year of flights in the whole platform."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.asynchronous import AsyncRondo
from rondo.client.cli import session
from rondo.client.cli.local import demo_report, stack
from rondo.client.cli.output import Json, stderr, stdout
from rondo.client.connection import Connection
from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.console import Console

    from rondo.embedded import Stack
    from rondo.flights.plan import SystemControls
    from rondo.flights.report.report import Report
    from rondo.flights.view.observer import RunObserver

_LAST_MONTH, _REDEPLOYMENTS = 12, 3


class DemoError(RondoError):
    """The demo ended early. The text is that of the error of the demo's package."""

    code = "demo_failed"


@dataclass(frozen=True)
class _Options:
    example: str
    speed: float
    last_month: int
    redeployments: int
    against_running: bool
    kill_each: bool
    report_to: Path | None


def demo(
    example: Annotated[
        str, typer.Option(envvar="EXAMPLE", metavar="NAME", help="The folder of `examples` whose spec is applied.")
    ] = "flights",
    speed: Annotated[
        float, typer.Option(envvar="SPEED", min=0.01, help="1 replays a year in about 45 s, trainings aside.")
    ] = 1.0,
    until: Annotated[int, typer.Option(min=3, max=12, metavar="MONTH", help="Replay to the end of this month.")] = 12,
    redeployments: Annotated[
        int | None,
        typer.Option(min=0, help="How many redeployments a success requires; 3 for the whole year, else none."),
    ] = None,
    against_running: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--against-running", help="Use a Rondo that runs already, such as that of docker compose.")
    ] = False,
    kill_each: Annotated[  # noqa: FBT002
        bool, typer.Option("--kill-each", help="Kill each service once (kill -9) during the replay.")
    ] = False,
    report_to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The folder of report.md and report.json; by default RONDO_HOME (.rondo), or rondo-report with "
            "--against-running.",
        ),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Replay 2013's New York flights: new labels and rising losses retrain and redeploy the model automatically.

    Ends with a report. Exit code 0 if no prediction was lost or doubled and the model was redeployed often enough.
    """
    if kill_each and against_running:
        raise typer.BadParameter("only services that this command starts can be killed: leave out --against-running")
    required = redeployments if redeployments is not None else _REDEPLOYMENTS if until == _LAST_MONTH else 0
    options = _Options(example, speed, until, required, against_running, kill_each, report_to)
    report, folder = stack.run(_run(options, stderr() if json else stdout()))
    demo_report.print_report(report, folder, json=json)
    raise typer.Exit(report.exit_code)


async def _run(options: _Options, console: Console) -> tuple[Report, Path]:
    with _flights():
        from rondo.client.cli.local.demo_view import observing  # noqa: PLC0415 - the flights may not be installed
        from rondo.flights import demo  # noqa: PLC0415
        from rondo.flights.dataset.messages import day  # noqa: PLC0415
        from rondo.flights.examples import example_named  # noqa: PLC0415
        from rondo.flights.plan import Plan  # noqa: PLC0415

        example = example_named(options.example)
    until = day(options.last_month + 1)
    plan = Plan(example, options.speed, until=until, required_redeployments=options.redeployments)
    with observing(console) as observer:
        async with (
            _system(options, observer, example.functions) as (connection, home, controls),
            AsyncRondo(connection) as rondo,
        ):
            with _flights():
                report = await demo.run(rondo, plan, observer, controls)
            folder = options.report_to or home
            await asyncio.to_thread(demo_report.write, report, folder)
    return report, folder


@asynccontextmanager
async def _system(
    options: _Options, observer: RunObserver, functions: Path | None
) -> AsyncIterator[tuple[Connection, Path, SystemControls]]:
    from rondo.flights.plan import SystemControls  # noqa: PLC0415

    if options.against_running:
        if functions is not None:
            observer.step(f"the trainer that runs needs the functions of this example: RONDO_FUNCTIONS={functions}")
        yield session.connection(), Path("rondo-report"), SystemControls()
        return
    async with stack.running(keep=False, brief=True, functions=functions, progress=observer.step) as running:
        controls = SystemControls(restarts=running.restarts)
        if options.kill_each:
            controls.on_progress = KillEach(running)
        yield Connection.of_stack(running.home), running.home, controls


class KillEach:
    """Kills each service once, evenly spread over the replay."""

    def __init__(self, running: Stack) -> None:
        self._running = running
        names = list(running.services)
        self._due = [((place + 1) / (len(names) + 1), name) for place, name in enumerate(names)]

    def __call__(self, progress: float) -> None:
        """Kill the services that are due at this progress (0 to 1)."""
        while self._due and progress >= self._due[0][0]:
            self._running.kill(self._due.pop(0)[1])


@contextmanager
def _flights() -> Iterator[None]:
    try:
        from rondo.flights.errors import FlightsError  # noqa: PLC0415 - the flights may not be installed
    except ModuleNotFoundError as error:
        raise stack.NotInstalledError("rondo-flights", "run the demo from a checkout with `make demo`") from error
    try:
        yield
    except FlightsError as error:
        raise DemoError(str(error)) from error
