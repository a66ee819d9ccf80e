"""A cache of a version's outputs by the hash of the row's content, if the spec asks for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rondo.serving.outputs.schema import Outputs, OutputSchema
    from rondo.serving.requests.rows import Column

    Score = Callable[[Mapping[str, Column]], Outputs]

# Among a billion rows two have the same hash with a probability of about 1e-21.
_HASH_BYTES = 16


class AnswerCache:
    """Keeps the outputs of the `capacity` rows that were requested last. With 0, the initial value, it keeps none.

    Several threads may call it concurrently. Only answerable rows are kept.
    """

    def __init__(self, model: str, outputs: OutputSchema) -> None:
        self._capacity = 0
        self._model, self._outputs = model, outputs
        self._kept: OrderedDict[bytes, tuple[Any, ...]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def capacity(self) -> int:
        return self._capacity

    @capacity.setter
    def capacity(self, rows: int) -> None:
        with self._lock:
            self._capacity = rows
            self._trim()

    def score(self, score: Score, columns: Mapping[str, Column]) -> Outputs:
        """Return the outputs of N rows, given as columns of shape [N]. `score` is called for rows that are not kept.

        If `score` returns outputs whose shape does not fit these rows, only these outputs are returned.

        Raises:
            Exception: the model fails on one of the rows.

        """
        if not self.capacity:
            return score(columns)
        keys = list(_hashes(columns))
        with self._lock:
            kept = [self._kept.get(key) for key in keys]
            for key, values in zip(keys, kept, strict=True):
                if values is not None:
                    self._kept.move_to_end(key)
        missing = [row for row, values in enumerate(kept) if values is None]
        for result, rows in (("hit", len(keys) - len(missing)), ("miss", len(missing))):
            metrics.ANSWER_CACHE_ROWS.labels(self._model, result).inc(rows)
        if not missing:
            return self._joined(kept)
        if len(missing) == len(keys):
            scored = score(columns)
        else:
            scored = score({name: column[missing] for name, column in columns.items()})
        if not self._outputs.fits(scored, len(missing)):
            return scored
        found = self._rows(scored)
        answerable = self._outputs.answerable(scored).tolist()
        self._keep({keys[row]: values for row, values, good in zip(missing, found, answerable, strict=True) if good})
        if len(missing) == len(keys):
            return scored
        for row, values in zip(missing, found, strict=True):
            kept[row] = values
        return self._joined(kept)

    def _keep(self, rows: Mapping[bytes, tuple[Any, ...]]) -> None:
        with self._lock:
            self._kept.update(rows)
            self._trim()

    def _trim(self) -> None:
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def _rows(self, outputs: Outputs) -> list[tuple[Any, ...]]:
        # A row of an array as a view would keep the whole array in memory.
        return [
            tuple(value.copy() for value in values)
            for values in zip(*(outputs[each.name] for each in self._outputs.outputs), strict=True)
        ]

    def _joined(self, rows: Sequence[Any]) -> Outputs:
        return {
            each.name: np.array([row[place] for row in rows], np.int64 if each.kind == "label" else np.float32)
            for place, each in enumerate(self._outputs.outputs)
        }


def _hashes(columns: Mapping[str, Column]) -> Iterator[bytes]:
    """Yield the hash of each of N rows.

    Each text is preceded by its length, so that the end of one text can't be the start of another.
    """
    texts = [column for column in columns.values() if column.dtype == np.object_]
    numbers = [column for column in columns.values() if column.dtype != np.object_]
    rows = len(next(iter(columns.values())))
    content, width = np.array(numbers, np.float32).T.tobytes(), 4 * len(numbers)
    for row in range(rows):
        found = blake2b(content[row * width : (row + 1) * width], digest_size=_HASH_BYTES)
        for column in texts:
            text = column[row].encode()
            found.update(len(text).to_bytes(4, "little"))
            found.update(text)
        yield found.digest()
