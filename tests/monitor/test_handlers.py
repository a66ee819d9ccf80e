"""Handlers of control plane events."""

from __future__ import annotations

import pytest
from rondo.chassis.artifacts import ArtifactCorruptError
from rondo.chassis.errors import PermanentError, UnavailableError
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import UnknownTaskError
from rondo.monitor.handlers import on_model_trained

from tests.monitor.builders import DIGEST, EPOCH, PROFILE
from tests.monitor.events import trained
from tests.monitor.fakes import MemoryStore
from tests.support.evidence import EvidenceStore

ENVELOPE = Envelope("t1", "tests", EPOCH, trained())


class Failing(EvidenceStore):
    """Fails with an error, or returns other bytes."""

    def __init__(self, failure: Exception | bytes) -> None:
        super().__init__()
        self.failure = failure

    async def get(self, digest: str) -> bytes:  # noqa: ARG002 - the parameter of the port
        if isinstance(self.failure, bytes):
            return self.failure
        raise self.failure


async def test_the_profile_is_the_one_of_the_evidence() -> None:
    store = MemoryStore()
    await on_model_trained(ENVELOPE, store, EvidenceStore())
    assert store.known_profiles == {DIGEST: PROFILE}


async def test_the_profile_of_a_task_that_the_monitor_does_not_know_is_given_up() -> None:
    store, profile = MemoryStore(), PROFILE.model_copy(update={"task": FittedTask(task="ranking")})
    with pytest.raises(PermanentError) as caught:
        await on_model_trained(Envelope("t2", "tests", EPOCH, trained(profile=profile)), store, EvidenceStore())
    assert isinstance(caught.value.__cause__, UnknownTaskError)
    assert store.known_profiles == {}


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ArtifactCorruptError(DIGEST, DIGEST), PermanentError),
        (b"{}", PermanentError),
        (b"onnx", PermanentError),
        (UnavailableError("the artifact store", "stopped by the test"), UnavailableError),
    ],
)
async def test_evidence_that_can_not_be_read_is_waited_for_or_given_up(
    failure: Exception | bytes, error: type[Exception]
) -> None:
    store = MemoryStore()
    with pytest.raises(error):
        await on_model_trained(ENVELOPE, store, Failing(failure))
    assert store.known_profiles == {}
