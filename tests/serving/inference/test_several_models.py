"""The models of a micro-batch are scored at the same time if they are slow, and else one after the other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from rondo.serving.inference import several_models
from rondo.serving.inference.scored import Inference
from rondo.serving.inference.several_models import SeveralModels

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.serving.models.loaded_version import LoadedVersion, ServedModel

NAMES = ("a", "b", "c")


@pytest.fixture
def asked(version: Callable[..., LoadedVersion], serve: Callable[..., ServedModel]) -> list[Any]:
    return [(serve(version(model=name)), [name]) for name in NAMES]


def test_slow_models_are_under_way_at_the_same_time(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_models, "_WORTH_SECONDS", -1.0)
    together = threading.Barrier(len(NAMES), timeout=10)

    def infer(_: Any, rows: Any) -> Inference:
        together.wait()  # it raises an error unless all models arrive
        return Inference(rows, {})

    assert [list(each.scored) for each, _ in SeveralModels(infer)(asked)] == [["a"], ["b"], ["c"]]


def test_fast_models_are_scored_by_the_caller(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_models, "_WORTH_SECONDS", 1_000.0)
    threads: list[int] = []

    def infer(_: Any, rows: Any) -> Inference:
        threads.append(threading.get_ident())
        return Inference(rows, {})

    several = SeveralModels(infer)
    for _ in range(2):
        assert [list(each.scored) for each, _ in several(asked)] == [["a"], ["b"], ["c"]]
    assert threads == [threading.get_ident()] * 6


def test_an_error_is_raised_once_all_have_ended(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_models, "_WORTH_SECONDS", -1.0)
    ended: list[str] = []

    def infer(served: Any, rows: Any) -> Inference:
        ended.append(served.model)
        if served.model == "a":
            raise RuntimeError
        return Inference(rows, {})

    with pytest.raises(RuntimeError):
        SeveralModels(infer)(asked)
    assert sorted(ended) == list(NAMES)


def test_a_model_without_rows_is_not_asked(asked: list[Any]) -> None:
    def infer(_: Any, rows: Any) -> Inference:
        assert rows
        return Inference(rows, {})

    found = SeveralModels(infer)([asked[0], (asked[1][0], [])])
    assert [list(each.scored) for each, _ in found] == [["a"], []]
