"""During a rollout both versions score the same requests, and each request is answered by the version of its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events import inference_cost, logs
from rondo.contracts.events.inference_cost import InferenceCost
from rondo.contracts.vocabularies import RouteRole
from rondo.serving.inference.service import infer
from rondo.serving.models.loaded_version import ServedModel
from rondo.serving.models.serving_table import ServingTable

from tests.serving.builders import NOW, beside, request, rows_by_role

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from rondo.serving.inference.scored import Inference
    from rondo.serving.models.loaded_version import LoadedVersion

    Make = Callable[..., LoadedVersion]
ROWS = 300


def scored(served: ServedModel, rows: int = ROWS) -> Inference:
    table = ServingTable({"delay": served})
    ((_, _, sent),) = table.parser.parse([request(row, entity=f"e{row}") for row in range(rows)]).groups
    return infer(served, sent, lambda: NOW)


def answered(inference: Inference, number: int) -> set[int]:
    return {row for part in inference.scored if part.version.model_version == number for row in part.numbers}


def logged(inference: Inference) -> Counter[tuple[int, str]]:
    parts = (*inference.scored, *inference.silent)
    return rows_by_role(logs.decode(each) for part in parts for each in part.version.log.encode(part.log()))


def test_both_versions_score_everything_and_the_answers_are_shared(version: Make) -> None:
    inference = scored(beside(version, 0.2))
    by_canary = answered(inference, 2)
    assert 0.1 < len(by_canary) / ROWS < 0.3
    assert answered(inference, 1) == set(range(ROWS)) - by_canary
    assert logged(inference) == {
        (1, "primary"): ROWS,
        (2, "canary"): len(by_canary),
        (2, "shadow"): ROWS - len(by_canary),
    }
    for part in inference.scored:
        factor = part.version.model_version
        assert part.outputs["score"].tolist() == [factor * row for row in part.numbers]


@pytest.mark.medium
def test_by_the_scope_of_the_canary_it_scores_its_share_alone(version: Make) -> None:
    inference = scored(beside(version, 0.2, all_rows=False))
    mine = len(answered(inference, 2))
    assert logged(inference) == {(1, "primary"): ROWS, (2, "canary"): mine}


def test_a_shadow_answers_nothing(version: Make) -> None:
    served = beside(version, 0.0, role=RouteRole.SHADOW)
    inference = scored(served)
    assert answered(inference, 1) == set(range(ROWS))
    assert logged(inference) == {(1, "primary"): ROWS, (2, "shadow"): ROWS}
    assert [each.model_version for each in served.answering] == [1]


@pytest.mark.medium
def test_who_met_the_new_version_stays_with_it_when_its_share_grows(version: Make) -> None:
    before = set[int]()
    for share in (0.05, 0.25, 0.6, 1.0):
        now = answered(scored(beside(version, share)), 2)
        assert before <= now
        before = now
    assert len(before) == ROWS


@pytest.mark.medium
def test_the_champion_answers_what_the_other_version_fails_on(version: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    served = beside(version, 1.0)
    assert served.compared
    failing = served.compared.other
    monkeypatch.setattr(type(failing.outputs), "answerable", _answerable(failing, [7, 9]))
    inference = scored(served)
    assert (answered(inference, 1), inference.refused) == ({7, 9}, {})
    assert logged(inference) == {(1, "primary"): ROWS, (2, "canary"): ROWS - 2}
    cost = failing.log.meter
    assert cost is served.compared.silent.log.meter


@pytest.mark.medium
@pytest.mark.parametrize("role", ["canary", "primary"])
def test_a_version_that_fails_on_every_row_is_in_the_log(
    version: Make, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    served = beside(version, 0.2)
    assert served.compared
    failing = served.compared.other if role == "canary" else served.compared.primary
    monkeypatch.setattr(type(failing.outputs), "answerable", _answerable(failing, list(range(ROWS))))
    assert failed(scored(served))[failing.model_version, role] == (0, ROWS)


@pytest.mark.medium
def test_a_single_version_that_fails_on_every_row_is_in_the_log(version: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = version()
    monkeypatch.setattr(type(failing.outputs), "answerable", _answerable(failing, list(range(ROWS))))
    served = ServedModel("delay", 1, (failing,), (1.0,))
    assert failed(scored(served)) == {(1, "primary"): (0, ROWS)}
    assert failed(scored(served)) == {}, "within a second there is no other cost"


def failed(inference: Inference) -> dict[tuple[int, str], tuple[int, int]]:
    """Return the number of rows in each record, and the number of those on which the version failed."""
    records = [
        logs.decode(each)
        for part in (*inference.scored, *inference.silent)
        for each in part.version.log.encode(part.log())
    ]
    known = [(logs.metadata(batch), batch.num_rows) for batch in records]
    return {
        (int(each["model_version"]), each["role"]): (rows, InferenceCost.parse(each.get(inference_cost.KEY)).failed)
        for each, rows in known
    }


def _answerable(failing: LoadedVersion, rows: list[int]) -> Callable[..., object]:
    usual = type(failing.outputs).answerable

    def answerable(schema: object, outputs: object) -> object:
        found = usual(schema, outputs)  # type: ignore[arg-type]
        if schema is failing.outputs:
            found[rows] = False
        return found

    return answerable
