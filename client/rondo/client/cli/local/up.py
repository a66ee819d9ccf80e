"""`rondo up` and `down`: the whole platform here, without Docker."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from rondo.client.cli.local import stack
from rondo.client.cli.output import Json, messages, note, print_json, print_table, print_text
from rondo.client.connection import SERVICES

if TYPE_CHECKING:
    from rondo.embedded import Addresses


def up(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Run Kafka, PostgreSQL and the five services here until Ctrl-C, and keep their data in .rondo (or RONDO_HOME)."""
    try:
        stack.run(_run(json=json))
    except KeyboardInterrupt:
        note("stopped; the data is kept, `rondo up` goes on with it")


async def _run(*, json: bool) -> None:
    screen = messages()
    async with AsyncExitStack() as stopping:
        with screen.status("starting") as spinner:

            def progress(line: str) -> None:
                spinner.update(line)
                if not screen.is_terminal:
                    note(line)

            here = await stopping.enter_async_context(stack.running(keep=True, progress=progress))
        show(here.addresses, json=json)
        await stack.keep_running(here, note)


def show(addresses: Addresses, *, json: bool) -> None:
    """Print where everything is."""
    if json:
        print_json({"pid": addresses.pid, "kafka": addresses.kafka, "http": addresses.http, "data": addresses.data})
        return
    rows = [("Kafka", addresses.kafka), *((name, addresses.http[name]) for name in SERVICES if name in addresses.http)]
    print_table(("what", "address"), [*rows, ("batches as files", addresses.inbox), ("logs", addresses.logs)])
    print_text("Rondo is ready; commands find it from this folder, such as `rondo status`. Ctrl-C stops it.")


def down(json: Json = False) -> None:  # noqa: FBT002
    """Stop the platform that `rondo up` runs."""
    stopped = stack.stop()
    if json:
        print_json({"stopped": stopped})
    else:
        print_text(f"stopped (pid {stopped})" if stopped else "nothing runs here")
