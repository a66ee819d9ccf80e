"""Which tables are damaged, and where in the logs the first rows begin that they lack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.ingestion.errors import TableDamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.ingestion.ports import Tables

# How often damaged tables are tried, in seconds.
_EVERY = 30.0
Position = tuple[str, int]


class TableRestoredError(UnavailableError):
    """A table that was damaged can be read again: reading starts from the saved positions."""

    def __init__(self, table: str) -> None:
        super().__init__(f"the table {table}", "it was damaged and is restored, so its rows are read from Kafka again")


@dataclass
class HeldRows:
    """The rows themselves are not kept: they are read from Kafka again, from the positions that are saved."""

    _damaged: dict[str, int | None] = field(default_factory=dict)
    _begins: dict[Position, int] = field(default_factory=dict)
    _tried: float = 0.0

    def __contains__(self, table: str) -> bool:
        return table in self._damaged

    def clear(self) -> None:
        self._damaged.clear()
        self._begins.clear()

    def add(self, table: str, now: float, announced: int | None = None) -> None:
        """Add a damaged table; `announced` is the version after which its commits could not be announced."""
        if not self._damaged:
            self._tried = now
        self._damaged.setdefault(table, announced)

    def hold(self, begins: Mapping[Position, int]) -> None:
        """Note rows that a damaged table lacks, by the offset of the first."""
        for each, offset in begins.items():
            self._begins[each] = min(offset, self._begins.get(each, offset))

    def before(self, positions: Mapping[Position, int]) -> dict[Position, int]:
        """Return the positions to save: they stay before the rows that are held."""
        return {each: min(end, self._begins.get(each, end)) for each, end in positions.items()}

    def is_due(self, now: float) -> bool:
        """Return whether the damaged tables are to be tried; then they are due again only later."""
        if not self._damaged or now - self._tried < _EVERY:
            return False
        self._tried = now
        return True

    def try_tables(self, tables: Tables) -> None:
        """Read each damaged table.

        Raises:
            TableRestoredError: one of them is damaged no more.

        """
        for table, announced in self._damaged.items():
            try:
                tables.transaction_version(table, "")
                if announced is not None:
                    tables.commits(table, announced)
            except TableDamagedError:
                continue
            raise TableRestoredError(table)
