"""`rondo demo`: a year of flights through the whole platform."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.asynchronous import AsyncRondo
from rondo.client.cli.local import demo_report, stack
from rondo.client.cli.output import Json, console, messages
from rondo.client.connection import Connection
from rondo.client.errors import RondoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.console import Console

    from rondo.embedded import Stack
    from rondo.flights.plan import Hands, Watcher
    from rondo.flights.report.report import Report

_LAST_MONTH, _REDEPLOYMENTS = 12, 3


class DemoError(RondoError):
    """The demo could not be played to its end; the text is its own."""


@dataclass(frozen=True)
class _Demo:
    speed: float
    last_month: int
    redeployments: int
    against_running: bool
    kill_each: bool
    report_to: Path | None


def demo(
    speed: Annotated[float, typer.Option(envvar="SPEED", min=0.01, help="1 plays a year in about 90 s.")] = 1.0,
    until: Annotated[int, typer.Option(min=3, max=12, metavar="MONTH", help="Replay to the end of this month.")] = 12,
    redeployments: Annotated[
        int | None,
        typer.Option(min=0, help="How many redeployments make a success; 3 for the whole year, else none."),
    ] = None,
    against_running: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--against-running", help="Use a Rondo that runs already, such as docker compose's.")
    ] = False,
    kill_each: Annotated[  # noqa: FBT002
        bool, typer.Option("--kill-each", help="Kill each service once (kill -9) while the flights are replayed.")
    ] = False,
    report_to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where report.md and report.json go; RONDO_HOME (.rondo) by default, "
            "rondo-report with --against-running.",
        ),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Replay 2013's New York flights: drift and falling performance retrain and redeploy the model by themselves.

    Ends with a report. Exit code 0 if no prediction was lost or doubled and the model was redeployed often enough.
    """
    if kill_each and against_running:
        raise typer.BadParameter("only services that this command starts can be killed: leave out --against-running")
    expected = redeployments if redeployments is not None else _REDEPLOYMENTS if until == _LAST_MONTH else 0
    plan = _Demo(speed, until, expected, against_running, kill_each, report_to)
    played, folder = stack.run(_play(plan, messages() if json else console()))
    demo_report.tell(played, folder, json=json)
    raise typer.Exit(played.exit_code)


async def _play(demo: _Demo, screen: Console) -> tuple[Report, Path]:
    with _flights():
        from rondo.client.cli.local.demo_view import watching  # noqa: PLC0415 - the flights may not be installed
        from rondo.flights.dataset.messages import day  # noqa: PLC0415
        from rondo.flights.demo import run  # noqa: PLC0415
        from rondo.flights.plan import Plan  # noqa: PLC0415

    plan = Plan(demo.speed, until=day(demo.last_month + 1), required_redeployments=demo.redeployments)
    with watching(screen) as watcher:
        async with _system(demo, watcher) as (connection, home, hands), AsyncRondo(connection) as rondo:
            with _flights():
                played = await run(rondo, connection.kafka, plan, watcher, hands)
            folder = demo.report_to or home
            await asyncio.to_thread(demo_report.write, played, folder)
    return played, folder


@asynccontextmanager
async def _system(demo: _Demo, watcher: Watcher) -> AsyncIterator[tuple[Connection, Path, Hands]]:
    from rondo.flights.plan import Hands  # noqa: PLC0415

    if demo.against_running:
        yield Connection.discover(os.environ, Path.cwd()), Path("rondo-report"), Hands()
        return
    async with stack.running(keep=False, progress=watcher.step) as running:
        hands = Hands(restarts=running.restarts)
        if demo.kill_each:
            hands.at = KillEach(running)
        yield Connection.of_stack(running.home), running.home, hands


class KillEach:
    """Kills each service once, at moments spread over the replay."""

    def __init__(self, running: Stack) -> None:
        self._running = running
        names = list(running.services)
        self._due = [((place + 1) / (len(names) + 1), name) for place, name in enumerate(names)]

    def __call__(self, progress: float) -> None:
        """Kill whatever is due at this progress (0 to 1)."""
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
