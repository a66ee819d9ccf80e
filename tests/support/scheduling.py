"""The division of the tests among the workers of a parallel run.

The tests of a file stay together. The files whose tests use the shared broker are two units, with which two workers
begin. Each further broker would take 25 CPU seconds, and these tests wait for their broker while other workers compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from xdist.remote import Producer


_UNITS = 2
# The cache key with which a worker, which knows the fixtures, informs the scheduler, which does not.
_KEY = "rondo/files_with_kafka"


def tell(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Record the files with a test of Kafka for the scheduler."""
    if hasattr(config, "workerinput") and (cache := _cache(config)):
        files = {item.nodeid.split("::", 1)[0] for item in items if item.get_closest_marker("kafka")}
        cache.set(_KEY, sorted(files))


def _cache(config: pytest.Config) -> pytest.Cache | None:
    """Return the cache of the run. None if it is turned off, and then no file is known."""
    return getattr(config, "cache", None)


class FewBrokers(LoadScopeScheduling):
    """Schedules like `--dist loadfile`, except for files whose tests use the shared broker."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._unit = dict[str, str]()

    def schedule(self) -> None:
        cache = _cache(self.config)
        files = cache.get(_KEY, []) if cache else []
        self._unit = {file: f"kafka {number % _UNITS}" for number, file in enumerate(files)}
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return self._unit.get(file, file)
