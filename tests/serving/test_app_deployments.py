"""The real service on real Kafka: versions are swapped under load, and a version that can't be loaded is refused."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.serving.prediction_topics import FAILED, MADE, answered, at_least, once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment


def test_models_are_swapped_under_load_without_a_drop(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    enough = threading.Event()
    sent = itertools.count()

    def load() -> None:
        while not enough.is_set():
            for _ in range(20):
                platform.request(next(sent), flush=False)
            time.sleep(0.01)
        platform.flush()

    platform.deploy(1, model(1.0))
    with platform.serving():
        platform.wait_replica("available", 1)
        application = threading.Thread(target=load)
        application.start()
        for number in range(2, 6):
            platform.deploy(number, model(float(number)))
            platform.wait_replica("available", number)
            platform.wait_replica("unloaded", number - 1)
        enough.set()
        application.join()
        count = next(sent)
        platform.request(count)
        made = platform.read(MADE, at_least(count + 1), quiet=0.5)
    assert answered(made) == once(range(count + 1))
    answers = [orjson.loads(m.value()) for m in made]
    assert all(a["output"]["score"] == int(a["id"][1:]) * float(a["model_version"]) for a in answers)
    assert next(a for a in answers if a["id"] == f"r{count}")["model_version"] == 5
    assert not platform.read(FAILED, at_least(0), quiet=0.5)


@pytest.mark.slow
def test_a_version_that_cannot_be_loaded_is_refused_and_the_old_one_serves(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model())
    with platform.serving():
        platform.wait_replica("available", 1)
        platform.deploy(2, model(2.0), store=False)
        missing = platform.wait_replica("refused", 2)
        assert "sha256:" in missing.detail
        assert missing.detail.endswith("; train again")
        platform.deploy(3, b"no model at all")
        assert "ONNX" in platform.wait_replica("refused", 3).detail
        digest = platform.deploy(4, model(4.0), store=False)
        folder = platform.folder / "artifacts" / "sha256"
        (folder / digest.removeprefix("sha256:")).write_bytes(b"damaged")
        platform.wait_replica("refused", 4)
        platform.request(5)
        (made,) = platform.read(MADE, at_least(1))
    assert orjson.loads(made.value())["model_version"] == 1
