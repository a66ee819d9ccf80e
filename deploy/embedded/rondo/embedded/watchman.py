"""Looks after a stack that somebody runs for its own sake: deaths are told, Kafka and PostgreSQL are started again.

The services are started again by `supervision.py`. Tests end servers on purpose, and start them when it is time: so a
stack does not do this by itself.
"""

import asyncio

from rondo.embedded.errors import NotReadyError
from rondo.embedded.progress import Progress
from rondo.embedded.server import Server
from rondo.embedded.stack import Stack

_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 5.0


async def keep_running(stack: Stack, say: Progress) -> None:
    """Watch until cancelled; `say` hears a line of every death."""
    seen = stack.restarts()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        for server in (stack.kafka, stack.postgres):
            if server is not None and not server.process.is_running:
                await _start_again(server, say)
        for name, count in stack.restarts().items():
            if count > seen[name]:
                say(f"{name} died with exit code {stack.services[name].last_exit_code} and was started again")
        seen = stack.restarts()


async def _start_again(server: Server, say: Progress) -> None:
    say(f"{server.name} died with exit code {server.process.exit_code}: starting it again, with its data")
    try:
        await server.restart()
    except NotReadyError as error:
        say(f"{error}; this will be tried again")
        await asyncio.sleep(_AGAIN_SECONDS)
    else:
        say(f"{server.name} answers again")
