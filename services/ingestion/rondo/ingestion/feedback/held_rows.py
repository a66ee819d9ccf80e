"""The tables that are damaged or refuse rows, and the position in the logs of the first row that each lacks."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.chassis import object_store
from rondo.chassis.errors import UnavailableError, panics_as_errors
from rondo.ingestion import metrics
from rondo.ingestion.errors import TableDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.ingestion.ports import Tables

log = logging.getLogger(__name__)
# The interval of attempts to read damaged tables, in seconds. An attempt only reads.
_EVERY = 30.0
# A table that refuses rows is tried again after the first wait, and then after twice the last one, in seconds, because
# an attempt reads the logs again from the first missing row.
_FIRST_WAIT, _LONGEST_WAIT = 30.0, 3600.0
_MAX_TEXT = 300
Position = tuple[str, int]


class TableRestoredError(UnavailableError):
    """A damaged table can be read again, so reading starts again from the saved positions."""

    def __init__(self, table: str) -> None:
        super().__init__(f"the table {table}", "it was damaged and is restored, so its rows are read from Kafka again")


class TableTriedAgainError(UnavailableError):
    """A table that refused rows is tried again, so reading starts again from the saved positions."""

    def __init__(self, table: str) -> None:
        super().__init__(f"the table {table}", "it refused rows, which are read from Kafka and tried again")


@dataclass
class HeldRows:
    """The positions of held rows. The rows are not stored: they are read from Kafka again, from the saved positions."""

    _damaged: dict[str, int | None] = field(default_factory=dict)
    _begins: dict[Position, int] = field(default_factory=dict)
    _tried: float = 0.0
    # Tables that refuse rows: the time of the next attempt, and the last wait, which `load` does not reset.
    _refused: dict[str, float] = field(default_factory=dict)
    _waits: dict[str, float] = field(default_factory=dict)

    def __contains__(self, table: str) -> bool:
        return table in self._damaged or table in self._refused

    def clear(self) -> None:
        self._damaged.clear()
        self._refused.clear()
        self._begins.clear()

    @contextmanager
    def holding(self, table: str, begins: Mapping[Position, int], now: float) -> Iterator[None]:
        """Hold the rows of a table from `begins` on if the body fails on it. UnavailableError is raised."""
        try:
            with panics_as_errors():
                yield
        except UnavailableError:
            raise
        except TableDamagedError:
            self.add(table, now)
            self.hold(begins)
        except Exception as error:  # the boundary: delta-rs raises plain ones, and a table must not stop the others
            why = f"{type(error).__name__}: {object_store.reason(error)[:_MAX_TEXT]}"
            log.exception(
                "the table %s refuses rows (%s): they stay in Kafka, follow docs/runbooks/refused-rows.md; other "
                "tables are not affected", table, why,
            )  # fmt: skip
            self._waits[table] = min(2 * self._waits[table], _LONGEST_WAIT) if table in self._waits else _FIRST_WAIT
            self._refused[table] = now + self._waits[table]
            metrics.REFUSED.labels(table).set(1)
            self.hold(begins)

    def took(self, table: str) -> None:
        """Record that a table accepted rows."""
        if self._waits.pop(table, None) is not None:
            metrics.REFUSED.remove(table)

    def try_refused(self, now: float) -> None:
        """Start another attempt for a table that refused rows, if its wait has ended.

        Raises:
            TableTriedAgainError: it has ended.

        """
        for table, due in self._refused.items():
            if now >= due:
                raise TableTriedAgainError(table)

    def add(self, table: str, now: float, announced: int | None = None) -> None:
        """Add a damaged table. `announced` is the version after which its commits could not be announced."""
        if not self._damaged:
            self._tried = now
        self._damaged.setdefault(table, announced)

    def hold(self, begins: Mapping[Position, int]) -> None:
        """Record rows that a table lacks, by the offset of the first one."""
        for each, offset in begins.items():
            self._begins[each] = min(offset, self._begins.get(each, offset))

    def before(self, positions: Mapping[Position, int]) -> dict[Position, int]:
        """Return the positions to save, which stay before the held rows."""
        return {each: min(end, self._begins.get(each, end)) for each, end in positions.items()}

    def is_due(self, now: float) -> bool:
        """Return whether the damaged tables are due for an attempt, and if so, set the time of the next one."""
        if not self._damaged or now - self._tried < _EVERY:
            return False
        self._tried = now
        return True

    def try_tables(self, tables: Tables) -> None:
        """Read each damaged table.

        Raises:
            TableRestoredError: one of them is no longer damaged.

        """
        for table, announced in self._damaged.items():
            try:
                tables.transaction_version(table, "")
                if announced is not None:
                    tables.commits(table, announced)
            except TableDamagedError:
                continue
            raise TableRestoredError(table)
