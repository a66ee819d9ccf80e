"""The monitor handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.monitoring import AlertRaised
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.training_evidence import Evidence
from rondo.docgen.schemas import EXAMPLES
from rondo.monitor import handlers
from rondo.monitor.alerts import webhook

from tests.monitor.fakes import MemoryStore
from tests.support.evidence import EvidenceStore, stored
from tests.support.future_words import WORD, example_of, from_the_future

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event

HANDLERS = handlers.event_handlers(EvidenceStore())
NOW = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("event", HANDLERS, ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event]) -> None:
    store: Any = MemoryStore()
    evidence = Evidence.model_validate_json((EXAMPLES / "Evidence.v1.json").read_text())
    changes = {"evidence": stored(evidence)} if event is ModelTrained else {}
    await HANDLERS[event](Envelope("e", "tests", NOW, from_the_future(event, **changes)), store)
    if event is DeploymentChanged:
        assert store.champions == {}, "only a primary is monitored"


@pytest.mark.parametrize("kind", webhook.FORMATS)
def test_an_alert_of_an_unknown_severity_is_delivered(kind: webhook.Format) -> None:
    alert = example_of(AlertRaised) | {"severity": WORD}
    assert WORD in str(webhook.body(kind, alert, NOW)).lower()
