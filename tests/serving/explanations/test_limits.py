"""Requests that are too large for an explanation, and rows that can't be explained."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.chassis.errors import UnavailableError
from rondo.serving.errors import OverloadedError, RequestRefusedError
from rondo.serving.explanations.by_trees import MOST_WORK
from rondo.serving.explanations.options import Options, options_of
from rondo.serving.explanations.service import ExplanationService, check_size
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.requests.rows import SentRows

from tests.serving.builders import FEATURES, build_model, version_of

if TYPE_CHECKING:
    from rondo.serving.explanations.service import Explained

NOW = datetime(2013, 3, 1, tzinfo=UTC)


class Spoiled:
    """A model that has no number for any row."""

    background = {  # noqa: RUF012 - never changed
        "distance": np.ones(2, np.float32), "seats": np.ones(2, np.float32), "night": np.zeros(2, np.float32),
        "carrier": np.array(["AA", "UA"], np.object_),
    }  # fmt: skip

    def score(self, columns: Any) -> Any:
        return {"score": np.full(len(columns["distance"]), np.nan, np.float32)}


def served(**changes: Any) -> ServedModel:
    version = version_of("delay", 3, build_model(), FEATURES)
    return ServedModel("delay", 1, (replace(version, **changes),), (1.0,))


def one_row() -> SentRows:
    values = {"distance": [1.0], "seats": [None], "night": [True], "carrier": [None]}

    class Source:
        def features(self, row: int) -> dict[str, Any]:
            return {name: column[row] for name, column in values.items()}

        def where(self, _: int) -> str:
            return ""

    return SentRows(["r"], [None], [None], values, Source())


def test_too_much_is_refused_with_what_is_allowed() -> None:
    check_size(100, 20, 50)
    with pytest.raises(RequestRefusedError) as caught:
        check_size(1_000, 20, 50)
    assert caught.value.code == "too_large"
    wanted = "evaluations of the model, and 500,000 are allowed: send fewer rows, or fewer `parameters.pairs`"
    assert wanted in str(caught.value)


def test_too_many_values_are_refused_with_how_many_are_allowed() -> None:
    check_size(100, 50, 2, 200)
    with pytest.raises(RequestRefusedError) as caught:
        check_size(101, 50, 2, 200)
    assert caught.value.code == "too_large"
    assert "have 1,010,000 Shapley values, and 1,000,000 are allowed: send fewer rows" in str(caught.value)


@pytest.mark.parametrize("pairs", [0, 1, 1_001])
def test_pairs_out_of_range_are_refused(pairs: int) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        check_size(1, 2, pairs)
    assert "send 2 to 1,000 pairs of permutations" in str(caught.value)
    with pytest.raises(RequestRefusedError) as caught:
        options_of({"pairs": f"{pairs}"})
    assert "send a whole number, such as 50" in str(caught.value)
    assert options_of(None) == Options()


async def test_a_model_without_a_finite_number_is_said_to_be_unexplainable() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await ExplanationService(lambda: NOW).explain(served(scorer=Spoiled()), one_row(), None, Options(2))
    assert caught.value.code == "unexplainable"
    assert "can't be explained: the model gives no finite number for values like it" in str(caught.value)


async def test_further_requests_are_asked_to_come_again() -> None:
    service = ExplanationService(lambda: NOW)
    asked = [service.explain(served(scorer=Spoiled()), one_row(), None, Options(2)) for _ in range(12)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, OverloadedError) for answer in answers) == 4


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"output": "log_odds"}, ("'log_odds'", "send 'margin' to explain the margin of a model of trees")),
        ({"output": "margin", "pairs": 50}, ("a margin is only explained exactly", "leave out `parameters.pairs`")),
    ],
)
def test_another_output_and_samples_of_the_margin_are_refused(
    parameters: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        options_of(parameters)
    assert caught.value.code == "bad_request"
    assert all(part in str(caught.value) for part in said)


@dataclass
class FoundTrees:
    """`by_trees.TreeFinder` of trees with so much work for each row, or of a reason why there are none."""

    work: int = 1
    reason: str | None = None
    is_sum: bool = False
    error: Exception = field(
        default_factory=lambda: NotTreesError("mismatch", "its output is not that of its trees for each row")
    )

    async def find(self, *_: Any) -> Any:
        if self.reason:
            raise NotTreesError("no_trees", self.reason)
        return self

    def explain(self, *_: Any) -> Any:
        raise self.error


class Known(Spoiled):
    """A model that has a number for each row."""

    def score(self, columns: Any) -> Any:
        return {"score": np.ones(len(columns["distance"]), np.float32)}


async def explained(trees: FoundTrees | None, options: Options) -> list[Explained]:
    return await ExplanationService(lambda: NOW, trees).explain(served(scorer=Known()), one_row(), None, options)


@pytest.mark.parametrize(
    ("trees", "code", "said"),
    [
        (FoundTrees(reason="its output comes from a node Gemm"), "unexplainable", "a node Gemm. Leave out"),
        (FoundTrees(work=MOST_WORK + 1), "too_large", "20,000,001 pairs of leaves and background rows"),
        (FoundTrees(), "unexplainable", "not that of its trees for each row. Leave out `parameters.output`"),
        (FoundTrees(error=IndexError()), "unexplainable", "fail on a row, see the log of this replica. Leave out"),
        (None, "unexplainable", "reads no trees. Leave out `parameters.output`"),
    ],
)
async def test_a_margin_that_can_not_be_explained_is_refused(trees: FoundTrees | None, code: str, said: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        await explained(trees, Options(margin=True))
    assert caught.value.code == code
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "trees",
    [
        FoundTrees(reason="of a test"), FoundTrees(is_sum=False), FoundTrees(is_sum=True),
        FoundTrees(MOST_WORK + 1, is_sum=True), FoundTrees(is_sum=True, error=MemoryError()), None,
    ],
)  # fmt: skip
async def test_an_answer_that_is_not_explained_by_trees_has_another_method(trees: FoundTrees | None) -> None:
    found = await explained(trees, Options())
    assert [(each.method, each.margin) for each in found] == [("exact", False)]


async def test_a_margin_is_unavailable_while_the_artifact_store_is() -> None:
    class NoStore(FoundTrees):
        async def find(self, *_: Any) -> Any:
            raise NotTreesError("unavailable", "its artifact can't be read now")

    assert [each.method for each in await explained(NoStore(), Options())] == ["exact"]
    with pytest.raises(UnavailableError) as caught:
        await explained(NoStore(), Options(margin=True))
    assert "version 3 of delay" in caught.value.what


async def test_a_version_whose_trees_fail_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    model = served(scorer=Known())
    service = ExplanationService(lambda: NOW, FoundTrees(is_sum=True, error=IndexError("no such node")))
    for _ in range(2):
        await service.explain(model, one_row(), None, Options())
    assert ["version 3 of delay" in record.getMessage() for record in caplog.records] == [True]
    assert "no such node" in caplog.text
