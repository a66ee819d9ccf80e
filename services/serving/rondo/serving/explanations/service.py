"""Explains rows of a request: the version that answers each row, and the contribution of each feature to its output."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from rondo.serving.errors import OverloadedError, RequestRefusedError
from rondo.serving.explanations import exact
from rondo.serving.explanations.by_trees import background_of, explain_by, find_trees, without_margin
from rondo.serving.explanations.options import DEFAULT_PAIRS, Options
from rondo.serving.explanations.shapley import shapley
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.inference import joined_rows
from rondo.serving.requests.validation import invalid_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.explanations.by_trees import TreeFinder, Trees
    from rondo.serving.explanations.shapley import Shapley
    from rondo.serving.models.loaded_version import LoadedVersion, Scorer, ServedModel
    from rondo.serving.outputs.schema import OutputSchema
    from rondo.serving.requests.rows import Column, Rows, SentRows

log = logging.getLogger(__name__)
FEWEST_PAIRS, MOST_PAIRS = 2, 1_000
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

    `method` is the method of the values: `tree`, `exact` or `sampled`. If `margin` is true, they are of the margin.
    """

    version: LoadedVersion
    output: Output
    shapley: Shapley
    method: str
    margin: bool = False


@dataclass
class ExplanationService:
    """Explains one request at a time in a thread. Without `trees` no version is explained by its trees."""

    now: Callable[[], datetime]
    trees: TreeFinder | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    # The versions whose trees have failed on a row. One version may fail in each request, and is logged once.
    _failed: WeakSet[Scorer] = field(default_factory=WeakSet)

    async def explain(
        self, served: ServedModel, rows: SentRows, pinned: LoadedVersion | None, options: Options
    ) -> list[Explained]:
        """Return the explanation of each row.

        Without a number of pairs it is exact for a sum of trees, and for other models if that takes at most 110,000
        evaluations. Otherwise it uses `DEFAULT_PAIRS`.

        Raises:
            RequestRefusedError: a row can't be answered, the request needs too many evaluations, the artifact has no
                background values, or the request asks for a margin that a version does not have.
            OverloadedError: too many other explanations are waiting.
            UnavailableError: the request asks for a margin, and the artifact store is unavailable.

        """
        wanted = DEFAULT_PAIRS if options.pairs is None else options.pairs
        # The margin is never sampled, and its trees have limits of their own.
        pairs = FEWEST_PAIRS if options.margin else wanted
        check_size(len(rows), len(served.schema.features), pairs, _width(served.outputs))
        whole = joined_rows.join([rows], served.schema)
        if refused := invalid_rows(whole, served.schema, self.now()):
            raise refused[min(refused)]
        if self._waiting >= _MOST_WAITING:
            raise OverloadedError(f"{self._waiting} requests for explanations wait", _RETRY_SECONDS)
        self._waiting += 1
        versions = served.answering if pinned is None else (pinned,)
        try:
            async with self._one:
                if trees := await find_trees(self.trees, versions, len(rows), options):
                    try:
                        return await asyncio.to_thread(
                            _by_trees, served, whole, pinned, trees, self._failed, margin=options.margin
                        )
                    except NotTreesError as error:
                        log.debug("rows of %s are explained without its trees: %s", served.model, error)
                is_exact = options.pairs is None and _may_be_exact(served, len(rows))
                return await asyncio.to_thread(_explain, served, whole, pinned, None if is_exact else wanted)
        finally:
            self._waiting -= 1


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


def _by_trees(
    served: ServedModel, rows: Rows, pinned: LoadedVersion | None, trees: Mapping[LoadedVersion, Trees],
    failed: WeakSet[Scorer], *, margin: bool,
) -> list[Explained]:  # fmt: skip
    """Return explanations by the trees of the versions. A version that fails for the first time is added to `failed`.

    Raises:
        NotTreesError: the trees don't give the answers of a row, or fail.

    """
    by_version: dict[LoadedVersion, list[int]] = {}
    for number in range(len(rows)):
        by_version.setdefault(_answering(served, rows, number, pinned), []).append(number)
    found, features = {}, list(served.schema.features)
    for version, numbers in by_version.items():
        output, own = version.outputs.explained, list(version.schema.features)
        columns = {name: rows.columns[name][numbers] for name in own}
        answers = _scores(version, output, columns)
        for number, answer in zip(numbers, answers, strict=True):
            _require_finite(answer, version, rows, number)
        try:
            values = explain_by(trees[version], columns, answers)
        except NotTreesError as error:
            if version.scorer not in failed:
                failed.add(version.scorer)
                log.warning(
                    "the trees of version %d of %s don't explain a row: %s",
                    version.model_version, version.model, error, exc_info=error.__cause__,
                )  # fmt: skip
            if margin:
                raise without_margin(version, error) from None
            raise
        for number, each in zip(numbers, values, strict=True):
            found[number] = Explained(version, output, each.among(features, own), "tree", margin)
    return [found[number] for number in range(len(rows))]


def _explain(served: ServedModel, rows: Rows, pinned: LoadedVersion | None, pairs: int | None) -> list[Explained]:
    """Return explanations by `pairs` pairs of permutations. Without pairs they are exact."""
    found, features = [], list(served.schema.features)
    for number in range(len(rows)):
        version = _answering(served, rows, number, pinned)
        background, output = background_of(version), version.outputs.explained
        # A version in a rollout may lack features of the other version.
        row = {name: rows.columns[name][number] for name in version.schema.features}
        score = partial(_scores, version, output)
        if pairs is None:
            values, method = exact.exact_shapley(score, row, background), "exact"
        else:
            values, method = shapley(score, row, background, pairs), "sampled"
        _require_finite(values.values, version, rows, number)
        found.append(Explained(version, output, values.among(features, list(row)), method))
    return found


def _answering(served: ServedModel, rows: Rows, number: int, pinned: LoadedVersion | None) -> LoadedVersion:
    return pinned or served.version_for(rows.entities[number] or rows.ids[number])


def _require_finite(values: NDArray[Any], version: LoadedVersion, rows: Rows, number: int) -> None:
    if not np.isfinite(values).all():
        where = rows.source.where(number)
        message = f"the row{where} can't be explained: the model gives no finite number for values like it"
        raise RequestRefusedError("unexplainable", message, version.model)


def _width(schema: OutputSchema) -> int:
    """Return the number of values of the output that is explained."""
    return len(schema.labels) if schema.explained.kind == "probabilities" else 1


def _scores(version: LoadedVersion, output: Output, columns: Mapping[str, Column]) -> NDArray[np.float32]:
    found: Any = version.scorer.score(columns)[output.name]
    scores: NDArray[np.float32] = found.reshape(len(found), -1)
    return scores
