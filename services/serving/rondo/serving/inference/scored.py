"""What an inference gives: rows by the version that answered them, and rows that are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.serving.outputs.schema import take_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    import pyarrow as pa

    from rondo.serving.errors import RequestRefusedError
    from rondo.serving.models.loaded_version import LoadedVersion
    from rondo.serving.outputs.schema import Outputs
    from rondo.serving.requests.rows import Rows


@dataclass(frozen=True, slots=True)
class Scored:
    """N rows that one version scored: their numbers among all rows, and their outputs.

    `sent` is whether these outputs are the answers; others are logged alone, to compare versions.
    """

    version: LoadedVersion
    numbers: Sequence[int]
    rows: Rows
    outputs: Outputs
    made_at: datetime
    sent: bool = True

    def log(self) -> pa.RecordBatch:
        """Return the rows of the inference log."""
        return self.version.log.batch(self.rows, self.outputs, self.made_at)

    def without(self, numbers: Collection[int]) -> Scored:
        """Return this without the rows of these numbers."""
        kept = [place for place, number in enumerate(self.numbers) if number not in numbers]
        if len(kept) == len(self.numbers):
            return self
        mine = [self.numbers[place] for place in kept]
        return replace(self, numbers=mine, rows=self.rows.take(kept), outputs=take_rows(self.outputs, kept))

    def without_rows(self) -> Scored:
        """Return this without its rows: its log says what the inference cost."""
        return replace(self, numbers=(), rows=self.rows.take([]), outputs=take_rows(self.outputs, []), sent=False)


@dataclass(frozen=True, slots=True)
class Inference:
    """What was answered, by version, why other rows are refused, by row, and what is logged without being sent."""

    scored: Sequence[Scored]
    refused: dict[int, RequestRefusedError]
    silent: Sequence[Scored] = ()


def joined(parts: Sequence[tuple[Sequence[int], Inference]]) -> Inference:
    """Return the inferences of parts of some rows as one. Each part has the numbers of its rows."""
    refused: dict[int, RequestRefusedError] = {}
    scored, silent = list[Scored](), list[Scored]()
    for rows, part in parts:
        refused |= {rows[number]: error for number, error in part.refused.items()}
        scored += [replace(each, numbers=[rows[number] for number in each.numbers]) for each in part.scored]
        silent += [replace(each, numbers=[rows[number] for number in each.numbers]) for each in part.silent]
    return Inference(scored, refused, silent)
