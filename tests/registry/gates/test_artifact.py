"""Gates on the artifact."""

from __future__ import annotations

from collections.abc import Callable

from rondo.registry.gates.artifact import new_artifact
from rondo.registry.model.model import Model

ModelAfter = Callable[[str], Model]


def test_an_artifact_that_serves_already_fails(model_after: ModelAfter) -> None:
    model = model_after("pp")
    twin = new_artifact(model.version(2).digest, model.serving)
    assert (twin.passed, twin.message) == (
        False,
        (
            "the artifact is the one of version 2, which serves: the training found nothing new to learn; "
            "publish new labelled rows, or change the spec"
        ),
    )
    assert new_artifact(model.version(1).digest, model.serving).passed
    assert new_artifact(model.version(1).digest, ()).passed
