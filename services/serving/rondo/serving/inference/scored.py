"""The result of an inference: rows by the version that answered them, and rows that are refused."""

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

    `sent` is true if these outputs are the answers. Other outputs are only logged, to compare versions.
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
        """Return this result without the rows with these numbers."""
        kept = [place for place, number in enumerate(self.numbers) if number not in numbers]
        if len(kept) == len(self.numbers):
            return self
        mine = [self.numbers[place] for place in kept]
        return replace(self, numbers=mine, rows=self.rows.take(kept), outputs=take_rows(self.outputs, kept))

    def without_rows(self) -> Scored:
        """Return this result without rows. Its log then only has the cost of the inference."""
        return replace(self, numbers=(), rows=self.rows.take([]), outputs=take_rows(self.outputs, []), sent=False)


@dataclass(frozen=True, slots=True)
class Duration:
    """The time in which one version scored N rows, at least one. Rows on which it failed count, too."""

    version: LoadedVersion
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Inference:
    """The answers by version, the errors of refused rows by row, and outputs that are logged and not sent.

    A version that scored no row has no duration. Rows that are refused before scoring are in no duration.
    """

    scored: Sequence[Scored]
    refused: dict[int, RequestRefusedError]
    silent: Sequence[Scored] = ()
    durations: Sequence[Duration] = ()


def joined(parts: Sequence[tuple[Sequence[int], Inference]]) -> Inference:
    """Return the inferences of parts of rows as one. The numbers in each part are those of the whole."""
    refused: dict[int, RequestRefusedError] = {}
    scored, silent, durations = list[Scored](), list[Scored](), list[Duration]()
    for rows, part in parts:
        refused |= {rows[number]: error for number, error in part.refused.items()}
        scored += [replace(each, numbers=[rows[number] for number in each.numbers]) for each in part.scored]
        silent += [replace(each, numbers=[rows[number] for number in each.numbers]) for each in part.silent]
        durations += part.durations
    return Inference(scored, refused, silent, durations)
