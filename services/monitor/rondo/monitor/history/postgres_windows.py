"""Stores closed windows in PostgreSQL: the newest of each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.training_evidence import ReferenceProfile
from rondo.monitor.errors import UnknownWindowError
from rondo.monitor.history.closed_window import ClosedWindow, KeptWindow, WindowBins, WindowPage

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.chassis.postgres.pool import Database
    from rondo.monitor.history.closed_window import WindowQuery

KEPT = 1_000
"""The number of windows that are kept for each model."""

# A window closes again, with other rows, if a spec was applied again.
_SAVE = """
insert into closed_windows (model, version, start, content, bins, digest) values ($1, $2, $3, $4, $5, $6)
on conflict (model, version, start) do update
set content = excluded.content, bins = excluded.bins, digest = excluded.digest
"""
_DISCARD = """
delete from closed_windows where model = $1 and id <= (
    select id from closed_windows where model = $1 order by id desc offset $2 limit 1
)
"""
_PAGE = """
select id, content from closed_windows
where model = $1 and ($2::bigint is null or id < $2)
    and ($4::timestamptz is null or start >= $4) and ($5::timestamptz is null or start < $5)
order by id desc limit $3
"""
_ONE = """
select content, bins, digest, profile from closed_windows left join profiles using (digest)
where model = $1 and version = $2 and start = $3
"""
_NEAREST = """
select start from closed_windows where model = $1 and version = $2
order by abs(extract(epoch from start - $3)), start limit 1
"""


async def save_window(
    connection: Any, model: str, window: ClosedWindow, bins: WindowBins | None = None, kept: int = KEPT
) -> None:
    """Save a window within a transaction, and discard the oldest ones beyond `kept`."""
    content, digest = (bins.content, bins.digest) if bins else (None, None)
    await connection.execute(
        _SAVE, model, window.model_version, window.start, window.model_dump_json(), content, digest
    )
    await connection.execute(_DISCARD, model, kept)


class WindowLog:
    """Reads the closed windows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, model: str, query: WindowQuery) -> WindowPage:
        """Return the windows of a query, the newest first.

        Raises:
            UnavailableError: PostgreSQL is unavailable.

        """
        async with self._database.transaction() as transaction:
            # One more row shows whether there is a further page.
            rows = await transaction.connection.fetch(
                _PAGE, model, query.before, query.limit + 1, query.since, query.until
            )
        limit = query.limit
        windows = tuple(ClosedWindow.model_validate_json(row["content"]) for row in rows[:limit])
        return WindowPage(windows=windows, next=rows[limit - 1]["id"] if len(rows) > limit else None)

    async def one(self, model: str, version: int, start: datetime) -> KeptWindow:
        """Return the window of a version that begins at `start`.

        Raises:
            UnknownWindowError: no such window is kept.
            UnavailableError: PostgreSQL is unavailable.

        """
        async with self._database.transaction() as transaction:
            connection = transaction.connection
            row = await connection.fetchrow(_ONE, model, version, start)
            if row is None:
                raise UnknownWindowError(
                    model, version, start, await connection.fetchval(_NEAREST, model, version, start)
                )
        bins = WindowBins(row["digest"], row["bins"]) if row["bins"] else None
        profile = ReferenceProfile.model_validate_json(row["profile"]) if row["profile"] else None
        return KeptWindow(ClosedWindow.model_validate_json(row["content"]), bins, profile)
