"""N requests to one model as columns, the input of the inference service from all transports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

Column: TypeAlias = "NDArray[np.float32] | NDArray[np.object_]"


class Source(Protocol):
    """The rows in the form that the client sent, for error messages."""

    def features(self, row: int, /) -> Mapping[str, Any]:
        """Return the values of a row by feature. An absent optional feature may be left out or None."""
        ...

    def where(self, row: int, /) -> str:
        """Return the text that names a row in a message: empty if the client sent one row, else such as ` at row 3`."""
        ...


@dataclass(frozen=True, slots=True)
class SentRows:
    """N rows of one request. Values by feature are as the client sent them, with valid types, and None if missing.

    All features of the model are present, in the order of its signature. The values are converted to columns together
    with those of other requests.
    """

    ids: Sequence[str]
    entities: Sequence[str | None]
    event_times: Sequence[datetime | None]
    values: Mapping[str, Sequence[Any]]
    source: Source

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Rows:
    """N rows. `columns` has a float32 column (NaN = missing) or a text column ("" = missing) per feature, shape [N].

    All features of the model are present, in the order of its signature. `numbers` has the float32 columns as the rows
    of one array, of which they are views. It is None if they are separate arrays.
    """

    ids: Sequence[str]
    entities: Sequence[str | None]
    event_times: Sequence[datetime | None]
    columns: Mapping[str, Column]
    source: Source
    numbers: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Rows:
        """Return some of the rows.

        Their numbers change and `source` no longer fits, so errors must be explained before.
        """
        numbers = None if self.numbers is None else self.numbers[:, list(rows)]
        taken = iter(() if numbers is None else numbers)
        return Rows(
            [self.ids[row] for row in rows],
            [self.entities[row] for row in rows],
            [self.event_times[row] for row in rows],
            {
                name: column[list(rows)] if numbers is None or column.dtype == np.object_ else next(taken)
                for name, column in self.columns.items()
            },
            self.source,
            numbers,
        )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The source of some rows of another source."""

    source: Source
    rows: Sequence[int]

    def features(self, row: int) -> Mapping[str, Any]:
        return self.source.features(self.rows[row])

    def where(self, row: int) -> str:
        return self.source.where(self.rows[row])


def chosen_rows(rows: Rows, chosen: Sequence[int]) -> Rows:
    """Return some of the rows with a matching source, for rows that are not validated yet."""
    return rows if len(chosen) == len(rows) else replace(rows.take(chosen), source=_Chosen(rows.source, chosen))
