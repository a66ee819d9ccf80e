"""The trees of versions: read once, released with the version, and not needed to explain an answer."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest
from rondo.chassis.artifacts import ArtifactMissingError, ArtifactUnreadableError
from rondo.contracts.spec.model import Prepare
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.tree_models_onnx import TreeModels

from tests.serving.builders import FEATURES, build_model, version_of
from tests.serving.explanations.trees.trained import drawn, loaded, trained

pytestmark = pytest.mark.medium
DATES = Prepare(dates={"day": ("month",)})


class Store:
    """The content of artifacts, and how often it was read."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self.content, self.error, self.reads = content, error, 0

    async def get(self, _: str) -> bytes:
        self.reads += 1
        if self.error:
            raise self.error
        return self.content


async def test_an_artifact_is_read_once_and_its_trees_are_released_with_the_version() -> None:
    store = Store(trained("lightgbm", "number", DATES))
    models, version, background = TreeModels(store.get), loaded(store.content), drawn(20, 2)
    trees = [weakref.ref(await models.find(version, background)) for _ in range(2)]
    assert store.reads == 1
    assert trees[0] is trees[1]
    released = [weakref.ref(version.scorer), *trees]
    del version
    # The thread that read the trees lets go of the version after the result is here.
    async with asyncio.timeout(10):
        while any(each() is not None for each in released):
            gc.collect()
            await asyncio.sleep(0)


async def test_a_version_without_trees_is_read_once() -> None:
    store = Store(build_model())
    models, version = TreeModels(store.get), version_of("m", 1, store.content, FEATURES)
    for _ in range(2):
        with pytest.raises(NotTreesError):
            await models.find(version, {})
    assert store.reads == 1


@pytest.mark.parametrize(
    "error",
    [
        ArtifactMissingError("sha256:1"),
        ArtifactUnreadableError("sha256:1", "s3://b", OSError("no answer")),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_artifact_that_can_not_be_read_is_read_again_at_the_next_request(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(trained("lightgbm", "number", DATES), error)
    models, version = TreeModels(store.get), loaded(store.content)
    with pytest.raises(NotTreesError) as caught:
        await models.find(version, drawn(20, 2))
    assert caught.value.code == "artifact"
    assert "version 1 of m" in caplog.text
    store.error = None
    assert (await models.find(version, drawn(20, 2))).is_sum


def test_the_modules_that_read_trees_are_only_imported_for_an_explanation() -> None:
    code = (
        "import sys, rondo.serving.app\n"
        "print([name for name in sys.modules if '.tree_model_onnx' in name or '.closed_form' in name])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "[]"
