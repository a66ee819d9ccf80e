"""Two versions compared by the requests that each of them answered, for outcomes that depend on the answer.

The candidate answers the keys below its share. The baseline is an equally large part of the champion's keys, at the
upper end of their space: it has as many requests in the same time (Kayenta's rule). Keys are assigned by a hash. So if
the two versions are equal, nothing distinguishes the two parts, and their difference is positive as often as negative,
also after it is clipped.

A key always gets the same version. Properties of the key, such as a person whose outcomes are hard to predict, recur
with each of its requests. So a key counts once: only another key is another assignment.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from rondo.contracts.events.monitoring import ComparedArms
from rondo.contracts.key_position import position
from rondo.monitor.rollouts.losses import losses_of
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.monitor.evidence.reference import Reference

# A checkpoint contains the keys, four bytes each.
MAX_KEYS = 500_000
_SPACE = 2.0**32


@dataclass(frozen=True)
class Pairs:
    """Requests that both versions scored: the indices of N rows among the primary's rows, and among the other's."""

    places: NDArray[np.int64]
    their_places: NDArray[np.int64]


@dataclass
class Arms:
    """The keys that have counted in a rollout, as positions of 32 bits. Keys beyond `max_keys` do not count."""

    keys: bytes = b""
    max_keys: int = field(default=MAX_KEYS, compare=False)

    def compare(
        self, model: str, rows: tuple[pa.Table, pa.Table], pairs: Pairs, reference: Reference, width: int
    ) -> Iterator[ComparedArms]:
        """Yield the losses of the new keys of a cohort, by blocks of `width` microseconds.

        `rows` are the primary's with outcomes, and the other version's. `share` of the latter is null if that version
        did not answer the request.
        """
        primary, others = rows
        shares = others.column("share").take(pairs.their_places).to_numpy()
        answered = np.isfinite(shares)
        places, their_places, shares = pairs.places[answered], pairs.their_places[answered], shares[answered]
        if not places.size:
            return
        times = primary.column("event_time").to_numpy()
        at = _positions(model, primary)
        sizes = np.minimum(shares, 1 - shares)
        kept = at[places] < sizes
        candidates, theirs = places[kept], their_places[kept]
        is_baseline = at >= 1 - _latest(sizes, times[places], times)
        is_baseline[places] = False
        baseline = np.flatnonzero(is_baseline)
        losses = np.concatenate(
            [
                losses_of(others.take(theirs), primary.take(candidates), reference),
                losses_of(primary.take(baseline), primary.take(baseline), reference),
            ]
        )
        of_all = np.concatenate([candidates, baseline])
        new = self._new(at[of_all], times[of_all], np.isfinite(losses))
        yield from _blocks(times[of_all][new] // width, losses[new], new < candidates.size, width)

    def _new(
        self, positions: NDArray[np.float64], times: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return the indices of the first row of each key that has not counted yet, and record these keys."""
        order = np.flatnonzero(known)[np.argsort(times[known], kind="stable")]
        keys, first = np.unique((positions[order] * _SPACE).astype(np.uint32), return_index=True)
        new = ~np.isin(keys, np.frombuffer(self.keys, np.uint32))
        new &= np.cumsum(new) <= self.max_keys - self.count
        self.keys += keys[new].tobytes()
        return np.asarray(order[first[new]])

    @property
    def count(self) -> int:
        """The number of keys that have counted."""
        return len(self.keys) // np.dtype(np.uint32).itemsize

    def clear(self) -> None:
        self.keys = b""

    def encoded(self) -> str:
        return b64encode(self.keys).decode()


def decoded(text: str) -> Arms:
    """Return the keys that `Arms.encoded` has encoded."""
    return Arms(b64decode(text))


def _positions(model: str, rows: pa.Table) -> NDArray[np.float64]:
    keys = pc.coalesce(rows.column("entity"), rows.column("id")).to_pylist()
    return np.array([position(model, key or "") for key in keys])


def _latest(values: NDArray[np.float64], since: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return, for each time, the value of the latest row at or before it.

    Before all rows it is that of the first row.
    """
    order = np.argsort(since, kind="stable")
    found = np.searchsorted(since[order], times, side="right") - 1
    return np.asarray(values[order][np.maximum(found, 0)])


def _blocks(
    starts: NDArray[np.int64], losses: NDArray[np.float64], of_other: NDArray[np.bool_], width: int
) -> Iterator[ComparedArms]:
    known, places = np.unique(starts, return_inverse=True)
    for_each = []
    for mine in (of_other, ~of_other):
        rows = np.bincount(places[mine], minlength=known.size)
        for_each.append((rows, np.bincount(places[mine], losses[mine], minlength=known.size) / np.maximum(rows, 1)))
    (other_rows, other), (primary_rows, primary) = for_each
    for n, start in enumerate(known.tolist()):
        # A sum in another order differs in the last digits, and a repeated event must have the same bytes.
        yield ComparedArms(
            start=to_time(start * width),
            other_rows=int(other_rows[n]),
            other_loss=round(float(other[n]), 12),
            primary_rows=int(primary_rows[n]),
            primary_loss=round(float(primary[n]), 12),
        )
