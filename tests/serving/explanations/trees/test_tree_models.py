"""The trees of versions: read once, released with the version, and not needed to explain an answer."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING

import onnx
import pytest
from rondo.chassis.artifacts import ArtifactMissingError, ArtifactUnreadableError
from rondo.contracts.spec.model import Prepare
from rondo.serving.explanations.trees import tree_cache_onnx
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.tree_cache_onnx import TreeModels

from tests.serving.builders import FEATURES, build_model, version_of
from tests.serving.explanations.trees import handmade
from tests.serving.explanations.trees.trained import drawn, loaded, trained

if TYPE_CHECKING:
    from collections.abc import Callable

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


async def test_the_trees_of_all_versions_have_limited_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    store, background = Store(trained("lightgbm", "number", DATES)), drawn(20, 2)
    models, versions = TreeModels(store.get), [loaded(store.content) for _ in range(3)]
    size = (await models.find(versions[0], background)).size
    assert size > 10_000
    monkeypatch.setattr(tree_cache_onnx, "MOST_BYTES", 2 * size)
    # The least recently used one is the second.
    for at in (1, 0, 2, 0):
        await models.find(versions[at], background)
    assert store.reads == 3
    await models.find(versions[1], background)
    assert store.reads == 4


def cut(content: bytes) -> bytes:
    """Return a model whose trees lack the features of their nodes."""
    model = onnx.ModelProto.FromString(content)
    (trees,) = (node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
    next(each for each in trees.attribute if each.name == "nodes_featureids").ints[:] = []
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "spoil", [cut, lambda content: content.replace(b"BRANCH_LEQ", b"BRANCH_\xff\xff\xff")], ids=["short", "no text"]
)
async def test_a_fault_of_a_graph_is_logged_once_and_is_a_reason(
    spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    content = handmade.built([handmade.Split(0, 0.0, "BRANCH_LEQ", missing=False, true=0.0, false=0.5)])
    store, version = Store(spoil(content)), version_of("m", 1, content, handmade.FEATURES)
    models, background = TreeModels(store.get), handmade.columns_of([(0.1, 1.0, "red", 1.0)])
    for _ in range(2):
        with pytest.raises(NotTreesError) as caught:
            await models.find(version, background)
        assert caught.value.code == "unreadable"
    assert store.reads == 1
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert "version 1 of m" in caplog.text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ArtifactMissingError("sha256:1"), "artifact"),
        (ArtifactUnreadableError("sha256:1", "s3://b", OSError("no answer")), "unavailable"),
        (TimeoutError(), "unavailable"),
    ],
    ids=["missing", "unreadable", "timeout"],
)
async def test_an_artifact_that_can_not_be_read_is_read_again_after_a_while(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    store = Store(trained("lightgbm", "number", DATES), error)
    models, version = TreeModels(store.get, lambda: now[0]), loaded(store.content)
    for now[0] in (100.0, 129.0):
        with pytest.raises(NotTreesError) as caught:
            await models.find(version, drawn(20, 2))
        assert caught.value.code == code
    assert store.reads == 1
    assert ["version 1 of m" in record.getMessage() for record in caplog.records] == [True]
    store.error, now[0] = None, 130.0
    assert (await models.find(version, drawn(20, 2))).is_sum


def test_the_modules_that_read_trees_are_only_imported_for_an_explanation() -> None:
    code = (
        "import sys, rondo.serving.app\n"
        "print([name for name in sys.modules if '.tree_model_onnx' in name or '.closed_form' in name])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "[]"
