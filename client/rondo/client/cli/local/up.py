"""`rondo up` and `rondo down`: the whole platform on this machine, without Docker."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from rich.text import Text

from rondo.client.cli.local import stack
from rondo.client.cli.output import Json, print_json, print_note, print_table, print_text, stderr
from rondo.client.connection import SERVICES

if TYPE_CHECKING:
    from rondo.embedded import Addresses


def up(json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Run Kafka, PostgreSQL and the five services until Ctrl-C, and keep their data in .rondo (or RONDO_HOME)."""
    try:
        stack.run(_run(json=json))
    except KeyboardInterrupt:
        print_note("stopped; the data is kept, `rondo up` continues with it")


async def _run(*, json: bool) -> None:
    console = stderr()
    async with AsyncExitStack() as stopping:
        with console.status("starting") as spinner:

            def progress(line: str) -> None:
                spinner.update(Text(line))
                if not console.is_terminal:
                    print_note(line)

            running = await stopping.enter_async_context(stack.running(keep=True, progress=progress))
        print_addresses(running.addresses, json=json)
        await running.report_restarts(print_note)


def print_addresses(addresses: Addresses, *, json: bool) -> None:
    if json:
        found = {"pid": addresses.pid, "kafka": addresses.kafka, "http": addresses.http, "grpc": addresses.grpc}
        print_json(found | {"data": addresses.data})
        return
    rows = [("Kafka", addresses.kafka), *((name, addresses.http[name]) for name in SERVICES if name in addresses.http)]
    if addresses.grpc:
        rows.append(("serving, gRPC", addresses.grpc))
    print_table(("what", "address"), [*rows, ("inbox for batch files", addresses.inbox), ("logs", addresses.logs)])
    print_text("Rondo is ready; commands in this folder find it, such as `rondo status`. Ctrl-C stops it.")


def down(json: Json = False) -> None:  # noqa: FBT002
    """Stop the platform that `rondo up` runs."""
    stopped = stack.stop()
    if json:
        print_json({"stopped": stopped})
    else:
        print_text(f"stopped (pid {stopped})" if stopped else "no Rondo runs here")
