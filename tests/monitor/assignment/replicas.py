"""Replicas of the monitor as processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.contracts.topics import DATA_PARTITIONS

from tests.monitor.test_integration import ask
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NUMBERS = set(range(DATA_PARTITIONS))


@dataclass
class Replicas:
    """Processes by name. Each has an HTTP API of its own."""

    environment: dict[str, str]
    folder: Path
    free_port: Callable[[], int]
    by_name: dict[str, ServiceProcess] = field(default_factory=dict)

    def make(self, name: str) -> ServiceProcess:
        own = {"RONDO_HTTP_PORT": str(self.free_port()), "RONDO_REPLICA": name}
        self.by_name[name] = ServiceProcess("monitor", self.environment | own, self.folder / f"{name}.log")
        return self.by_name[name]

    def port(self, name: str) -> int:
        return int(self.by_name[name].environment["RONDO_HTTP_PORT"])

    async def shares(self, asked: str) -> dict[str, set[int]]:
        """Return the numbers of each live replica, as answered by one of them."""
        found = await ask(self.port(asked), "/v1/replicas")
        return {each["replica"]: set(each["partitions"]) for each in found["replicas"]}

    async def divided(self, asked: str, *names: str) -> None:
        """Wait until these replicas, and no others, have all numbers, each about the same number of them."""

        async def is_so() -> bool:
            shares = {name: numbers for name, numbers in (await self.shares(asked)).items() if numbers}
            sizes = [len(numbers) for numbers in shares.values()]
            taken = sorted(number for numbers in shares.values() for number in numbers)
            return shares.keys() == set(names) and taken == sorted(NUMBERS) and max(sizes) - min(sizes) <= 1

        await until(is_so, 60)
