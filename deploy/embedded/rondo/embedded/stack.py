"""The whole platform on one machine: starts and stops Kafka, PostgreSQL and the services."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rondo.contracts.access_tokens import Role
from rondo.embedded import external_servers, tokens
from rondo.embedded.addresses import Addresses
from rondo.embedded.home import check_not_kept, check_space, default_home, locked, mark_kept
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.postgres.databases import create_databases
from rondo.embedded.postgres.server import Postgres
from rondo.embedded.processes import openmp
from rondo.embedded.processes.orphans import kill_all
from rondo.embedded.processes.ports import LOOPBACK, HomePorts
from rondo.embedded.processes.process_monitor import ProcessMonitor
from rondo.embedded.processes.service_process import ServiceProcess
from rondo.embedded.processes.signals import sigterm_as_ctrl_c
from rondo.embedded.progress import Progress, silent
from rondo.embedded.services import FUNCTIONS, SERVICES, Service

_FOLDERS = ("artifacts", "data", "inbox", "logs")


class Stack:
    """The whole platform, with all files under one folder. Use it with `async with`.

    Processes that die are restarted and reported in `logs/stack.log`. RONDO_KAFKA (host:port) and RONDO_POSTGRES (a
    superuser's DSN) name running servers that are used in place of new ones. Without `keep` these must have no data of
    an earlier run. RONDO_PORT_<SERVICE> sets a port. By default each server gets its port of the earlier start in this
    folder, or a free port.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        keep: bool = False,
        brief: bool = False,
        services: Sequence[Service] = SERVICES,
        functions: Path | None = None,
        progress: Progress = silent,
    ) -> None:
        """Use `home`, by default RONDO_HOME, else `.rondo` in the current folder.

        `keep` continues with the data of an earlier start. A later start without `keep` is refused in this folder.
        `functions` is the folder with the trainer's functions, by default RONDO_FUNCTIONS. A `brief` stack runs for
        minutes, see `Kafka`.
        """
        self._inherited = dict(os.environ) | ({FUNCTIONS: str(functions)} if functions else {})
        self.home = (home or default_home()).absolute()
        self._ports = HomePorts(self.home)
        self.kafka, self.postgres = self._own_kafka(keep, brief, progress), self._own_postgres(keep)
        self._servers = [server for server in (self.kafka, self.postgres) if server is not None]
        self.services: dict[str, ServiceProcess] = {}
        self.addresses: Addresses
        self._monitor: ProcessMonitor
        self._descriptions, self._keep, self._progress = services, keep, progress
        self._undo = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everything, and wait until it is ready.

        Raises:
            EmbeddedError: the start failed. The error has a subclass of EmbeddedError.

        """
        async with contextlib.AsyncExitStack() as undo:
            await self._start(undo)
            self._undo = undo.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop the services, then the servers, and unlock the folder."""
        self._progress("stopping")
        await self._undo.aclose()
        if kind is asyncio.CancelledError and not self._keep:
            self._progress(f"interrupted; logs and data stay in {self.home} until the next start")

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        undo.enter_context(locked(self.home))
        undo.enter_context(sigterm_as_ctrl_c())
        # Checked before anything is deleted, so that a refused start changes nothing.
        if not self._keep:
            check_not_kept(self.home)
        await self._check_external_servers()
        self._clear()
        check_space(self.home)
        http = {
            each.name: f"http://{LOOPBACK}:{self._ports.chosen(each.name, _variable(each))}"
            for each in self._descriptions
        }
        has_grpc = any(each.has_grpc for each in self._descriptions)
        grpc = f"{LOOPBACK}:{self._ports.chosen('grpc', 'RONDO_PORT_GRPC')}" if has_grpc else ""
        self._ports.save()
        async with self._starting_servers(undo):
            # Kafka takes longest to start. The services load during that time, and wait for it.
            self.addresses = await self._find_addresses(http, grpc)
            self._start_services(undo)
        if self._keep:
            mark_kept(self.home)
        await asyncio.gather(*(self.wait_ready(name) for name in self.services))
        self.addresses.write(self.home)
        undo.callback(Addresses.remove, self.home)
        log = self.home / "logs" / "stack.log"
        self._monitor = await undo.enter_async_context(ProcessMonitor(self._servers, list(self.services.values()), log))

    def _own_kafka(self, keep: bool, brief: bool, progress: Progress) -> Kafka | None:  # noqa: FBT001 - as the stack
        if os.environ.get("RONDO_KAFKA"):
            return None
        port = self._ports.port("kafka")
        return Kafka(self.home / "kafka", keep=keep, brief=brief, progress=progress, port=port)

    def _own_postgres(self, keep: bool) -> Postgres | None:  # noqa: FBT001
        if os.environ.get("RONDO_POSTGRES"):
            return None
        return Postgres(self.home / "postgres", keep=keep, port=self._ports.port("postgres"))

    async def _check_external_servers(self) -> None:
        if self.kafka is None:
            await external_servers.check_kafka(
                external_servers.kafka_connection(os.environ["RONDO_KAFKA"]), keep=self._keep
            )
        if self.postgres is None:
            await external_servers.check_postgres(os.environ["RONDO_POSTGRES"], keep=self._keep)

    def _clear(self) -> None:
        # Processes that still run after their stack was killed would use the same data.
        kill_all(self.home)
        Addresses.remove(self.home)
        if not self._keep:
            tokens.delete(self.home)
        for folder in _FOLDERS:
            if not self._keep:
                shutil.rmtree(self.home / folder, ignore_errors=True)
            (self.home / folder).mkdir(exist_ok=True)

    @contextlib.asynccontextmanager
    async def _starting_servers(self, undo: contextlib.AsyncExitStack) -> AsyncIterator[None]:
        """Run the body when PostgreSQL has started. When the body ends, all servers have started."""
        if own := self._servers:
            self._progress(f"starting {' and '.join(server.name for server in own)}")
        # The servers are also stopped in parallel, because each takes a while to close its files.
        undo.push_async_callback(_in_parallel, *(server.stop for server in own))
        starts = {server.name: asyncio.create_task(server.start()) for server in own}
        try:
            if self.postgres is not None:
                await starts[self.postgres.name]
            yield
        except asyncio.CancelledError:
            for start in starts.values():
                start.cancel()
            raise
        finally:
            outcomes = await asyncio.gather(*starts.values(), return_exceptions=True)
        for failure in outcomes:
            if isinstance(failure, BaseException):
                raise failure

    async def _find_addresses(self, http: dict[str, str], grpc: str) -> Addresses:
        superuser = self.postgres.dsn if self.postgres else os.environ["RONDO_POSTGRES"]
        stateful = [each.name for each in self._descriptions if each.needs_postgres]
        return Addresses(
            pid=os.getpid(),
            started=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            kafka=self.kafka.bootstrap if self.kafka else os.environ["RONDO_KAFKA"],
            http=http,
            grpc=grpc,
            postgres=await create_databases(superuser, stateful),
            token=tokens.provide(self.home)[Role.ADMIN],
            tokens=tokens.provide(self.home),
            token_seeds=str(self.home / tokens.SEEDS),
            **{folder: str(self.home / folder) for folder in _FOLDERS},
        )

    def _start_services(self, undo: contextlib.AsyncExitStack) -> None:
        if self._descriptions:
            self._progress(f"starting {', '.join(each.name for each in self._descriptions)}")
        undo.push_async_callback(self._stop_services)
        for each in self._descriptions:
            log = self.home / "logs" / f"{each.name}.log"
            env, url = each.environment(self.addresses, self._inherited), self.addresses.http[each.name]
            if each.needs_openmp:
                env |= openmp.prepare(self.home / "lib")
            self.services[each.name] = ServiceProcess(each.name, each.argv, env, url, log)
            self.services[each.name].start()

    async def _stop_services(self) -> None:
        await asyncio.gather(*(service.stop() for service in self.services.values()))

    async def wait_ready(self, service: str, timeout_seconds: float = 120) -> None:
        """Wait until the service's `/readyz` answers 200, for example after `kill`.

        Raises:
            NotReadyError: the service dies repeatedly, or is not ready in time.

        """
        await self.services[service].wait_ready(timeout_seconds)

    async def report_restarts(self, progress: Progress) -> None:
        """Report to `progress` each death and restart, until cancelled."""
        self._monitor.progress = progress
        await self._monitor.wait()

    def kill(self, service: str) -> None:
        """Kill a service as in a crash. It is restarted, and `restarts` counts it."""
        self.services[service].kill()

    def restarts(self) -> dict[str, int]:
        """Return the number of restarts of each service and each server of the stack."""
        return {each.name: each.restarts for each in (*self.services.values(), *self._servers)}


def _variable(service: Service) -> str:
    return f"RONDO_PORT_{service.name.upper()}"


async def _in_parallel(*stops: Callable[[], None]) -> None:
    await asyncio.gather(*(asyncio.to_thread(stop) for stop in stops))
