"""Gates on the artifact."""

from __future__ import annotations

from collections.abc import Callable

from rondo.registry.gates.artifact import new_artifact
from rondo.registry.model.model import SYSTEM, Model
from rondo.registry.rollout import rollback

ModelAfter = Callable[[str], Model]


def test_an_artifact_that_serves_already_fails(model_after: ModelAfter) -> None:
    model = model_after("pp")
    twin = new_artifact(model.version(2).digest, model)
    assert not twin.passed
    assert twin.message == (
        "the artifact is the one of version 2, which serves: the training found nothing new to learn; "
        "publish new labelled rows, or change the spec"
    )
    assert new_artifact(model.version(1).digest, model).passed
    assert new_artifact(f"sha256:{'0' * 64}", model).passed


def test_an_artifact_that_was_rolled_back_fails(model_after: ModelAfter) -> None:
    model = rollback.roll_back(model_after("ppp"), None, SYSTEM).after
    twin = new_artifact(model.version(3).digest, model)
    assert not twin.passed
    assert twin.message == (
        "the artifact is the one of version 3, which was rolled back; publish new labelled rows, or change the spec, "
        "or promote it by hand"
    )
    assert new_artifact(model.version(1).digest, model).passed
