"""Explains rows of a request: the version that answers each row, and the contribution of each feature to its output."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.errors import OverloadedError, RequestRefusedError
from rondo.serving.explanations import exact
from rondo.serving.explanations.shapley import shapley
from rondo.serving.inference import joined_rows
from rondo.serving.requests.validation import invalid_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.explanations.shapley import Shapley
    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel
    from rondo.serving.outputs.schema import OutputSchema
    from rondo.serving.requests.rows import Column, Rows, SentRows

DEFAULT_PAIRS, FEWEST_PAIRS, MOST_PAIRS = 50, 2, 1_000
# The limit of evaluations of a model in one request. Each costs about as much as a prediction in a micro-batch.
MOST_EVALUATIONS = 500_000
# The limit of an exact explanation that the client did not request, which is to take at most 0.25 s of a core.
_MOST_EXACT = 110_000
# The limit of Shapley values in one response. Each has a standard error, which is about 20 MB of JSON.
MOST_VALUES = 1_000_000
# The limit of waiting requests. Further ones are refused, because explanations take processor time from predictions.
_MOST_WAITING, _RETRY_SECONDS = 8, 2


@dataclass(frozen=True, slots=True)
class Explained:
    """The version that answers a row, the output that is explained, and the Shapley values of the features.

    `method` is the method of the values: `exact` or `sampled`.
    """

    version: LoadedVersion
    output: Output
    shapley: Shapley
    method: str


@dataclass
class ExplanationService:
    """Explains one request at a time in a thread."""

    now: Callable[[], datetime]
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def explain(
        self, served: ServedModel, rows: SentRows, pinned: LoadedVersion | None, pairs: int | None
    ) -> list[Explained]:
        """Return the explanation of each row, by `pairs` pairs of permutations.

        Without `pairs` the explanation is exact if that takes at most 110,000 evaluations. Otherwise it uses
        `DEFAULT_PAIRS`.

        Raises:
            RequestRefusedError: a row can't be answered, the request needs too many evaluations, or the artifact has no
                background values.
            OverloadedError: too many other explanations are waiting.

        """
        wanted = DEFAULT_PAIRS if pairs is None else pairs
        check_size(len(rows), len(served.schema.features), wanted, _width(served.outputs))
        whole = joined_rows.join([rows], served.schema)
        if refused := invalid_rows(whole, served.schema, self.now()):
            raise refused[min(refused)]
        if self._waiting >= _MOST_WAITING:
            raise OverloadedError(f"{self._waiting} requests for explanations wait", _RETRY_SECONDS)
        self._waiting += 1
        try:
            async with self._one:
                is_exact = pairs is None and _may_be_exact(served, len(rows))
                return await asyncio.to_thread(_explain, served, whole, pinned, None if is_exact else wanted)
        finally:
            self._waiting -= 1


def pairs_of(parameters: Mapping[str, Any] | None) -> int | None:
    """Return the number of pairs of permutations that a request asks for. None if it asks for none.

    Raises:
        RequestRefusedError: the value is not a whole number.

    """
    pairs = (parameters or {}).get("pairs")
    if pairs is not None and type(pairs) is not int:
        message = f"`parameters.pairs` is {str(pairs)[:40]!r}: send a whole number, such as {DEFAULT_PAIRS}"
        raise RequestRefusedError("bad_request", message)
    return pairs


def check_size(rows: int, features: int, pairs: int, labels: int = 1) -> None:
    """Check the size of a request. `labels` is the number of labels for which each row is explained.

    Raises:
        RequestRefusedError: the request is too large, or has too few pairs.

    """
    if not FEWEST_PAIRS <= pairs <= MOST_PAIRS:
        message = f"`parameters.pairs` is {pairs}: send {FEWEST_PAIRS} to {MOST_PAIRS:,} pairs of permutations"
        raise RequestRefusedError("bad_request", message)
    evaluations = rows * 2 * pairs * (features + 1)
    if evaluations > MOST_EVALUATIONS:
        message = (
            f"{rows:,} rows of {features} features need {evaluations:,} evaluations of the model, and"
            f" {MOST_EVALUATIONS:,} are allowed: send fewer rows, or fewer `parameters.pairs`"
        )
        raise RequestRefusedError("too_large", message)
    if (count := rows * features * labels) > MOST_VALUES:
        message = (
            f"{rows:,} rows of {features} features and {labels} labels have {count:,} Shapley values, and"
            f" {MOST_VALUES:,} are allowed: send fewer rows"
        )
        raise RequestRefusedError("too_large", message)


def _may_be_exact(served: ServedModel, rows: int) -> bool:
    """Return whether all sets of features can be evaluated, for each version that may answer."""
    known = [version.scorer.background for version in served.answering]
    largest = max((len(next(iter(background.values()))) for background in known if background), default=0)
    return rows * exact.evaluations(len(served.schema.features), largest) <= _MOST_EXACT


def _explain(served: ServedModel, rows: Rows, pinned: LoadedVersion | None, pairs: int | None) -> list[Explained]:
    """Return explanations by `pairs` pairs of permutations. Without pairs they are exact."""
    found, features = [], list(served.schema.features)
    for number in range(len(rows)):
        version = pinned or served.version_for(rows.entities[number] or rows.ids[number])
        background = version.scorer.background
        if background is None:
            message = (
                f"version {version.model_version} of {version.model} was trained before explanations: its artifact has"
                f" no background values. Train again (`rondo train {version.model}`)"
            )
            raise RequestRefusedError("unexplainable", message, version.model)
        output = version.outputs.explained
        # A version in a rollout may lack features of the other version.
        row = {name: rows.columns[name][number] for name in version.schema.features}
        score = partial(_scores, version, output)
        if pairs is None:
            values, method = exact.exact_shapley(score, row, background), "exact"
        else:
            values, method = shapley(score, row, background, pairs), "sampled"
        if not np.isfinite(values.values).all():
            where = rows.source.where(number)
            message = f"the row{where} can't be explained: the model gives no finite number for values like it"
            raise RequestRefusedError("unexplainable", message, version.model)
        found.append(Explained(version, output, values.among(features, list(row)), method))
    return found


def _width(schema: OutputSchema) -> int:
    """Return the number of values of the output that is explained."""
    return len(schema.labels) if schema.explained.kind == "probabilities" else 1


def _scores(version: LoadedVersion, output: Output, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    found: Any = version.scorer.score(columns)[output.name]
    scores: NDArray[np.float32] = found.reshape(len(found), -1)
    return scores
