"""Read a micro-batch of requests: the fast way for all of them, row by row only for what that can't read.

Every value is decoded on its own, never joined with its neighbours: no request can reach into another one's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.serving.errors import RequestRefusedError
from rondo.serving.requests.request_errors import refusal
from rondo.serving.requests.suggestions import Hints

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rondo.serving.requests.schema import Layout, Row

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Requests:
    """What was read: per layout the rows and their positions in the micro-batch, and what was refused, by position."""

    groups: tuple[tuple[Layout, list[int], list[Row]], ...]
    refused: dict[int, RequestRefusedError]


class Reader:
    """Reads the requests of some models, each with the layout that its first route asks for."""

    def __init__(self, layouts: Iterable[Layout]) -> None:
        self.layouts = {layout.model: layout for layout in layouts}
        self._by_row = {layout.row: layout for layout in self.layouts.values()}
        self._decoder = _decoder(tuple(self._by_row))

    def read(self, values: Sequence[bytes | None]) -> Requests:
        """Read a micro-batch; whatever the bytes are, this does not raise."""
        if self._decoder is None or max(map(_size, values), default=0) > MAX_REQUEST_BYTES:
            return self._read_each(values)
        try:
            rows = list(map(self._decoder.decode, cast("Sequence[bytes]", values)))  # None raises TypeError
        except _UNREADABLE:
            return self._read_each(values)
        return Requests(self._grouped(range(len(rows)), rows), {})

    def _read_each(self, values: Sequence[bytes | None]) -> Requests:
        positions, rows, refused, hints = [], [], {}, Hints()
        for position, value in enumerate(values):
            row = self.read_one(value, hints)
            if isinstance(row, RequestRefusedError):
                refused[position] = row
            else:
                positions.append(position)
                rows.append(row)
        return Requests(self._grouped(positions, rows), refused)

    def read_one(self, value: bytes | None, hints: Hints) -> Row | RequestRefusedError:
        """Read one request, or return why it can't be read."""
        if self._decoder is None or value is None or len(value) > MAX_REQUEST_BYTES:
            return refusal(value, self.layouts, hints)
        try:
            return self._decoder.decode(value)
        except _UNREADABLE as error:
            return refusal(value, self.layouts, hints, str(error))

    def _grouped(self, positions: Sequence[int], rows: list[Row]) -> tuple[tuple[Layout, list[int], list[Row]], ...]:
        if len(self._by_row) == 1 and rows:
            return ((next(iter(self._by_row.values())), list(positions), rows),)
        groups: dict[Any, tuple[list[int], list[Row]]] = {}
        for position, row in zip(positions, rows, strict=True):
            places, members = groups.setdefault(type(row), ([], []))
            places.append(position)
            members.append(row)
        return tuple((self._by_row[kind], places, members) for kind, (places, members) in groups.items())


def _size(value: bytes | None) -> int:
    return len(value) if value is not None else 0


def _decoder(rows: tuple[Any, ...]) -> msgspec.json.Decoder[Any] | None:
    if not rows:
        return None
    kinds = rows[0]
    for row in rows[1:]:
        kinds |= row
    return msgspec.json.Decoder(kinds)
