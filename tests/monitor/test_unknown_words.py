"""The monitor handles every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rondo.chassis.profiles.binning import Binning
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.training import ModelTrained
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import Evidence
from rondo.monitor import handlers
from rondo.monitor.notifications import webhook

from tests.monitor.fakes import MemoryStore
from tests.monitor.notifications.messages import ALERT, of, opened
from tests.support.evidence import EvidenceStore, stored
from tests.support.unknown_words import WORD, example_of, with_unknown_words

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.monitor.notifications.webhook_receivers import Format

HANDLERS = handlers.event_handlers(EvidenceStore())
NOW = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.mark.medium
@pytest.mark.parametrize("event", HANDLERS, ids=lambda event: event.__name__)
async def test_no_handler_fails_on_unknown_words(event: type[Event]) -> None:
    store: Any = MemoryStore()
    evidence = with_unknown_words(Evidence)
    profile = evidence.profile.model_copy(update={"task": FittedTask(task="binary")})
    known_task = evidence.model_copy(update={"profile": profile})
    changes = {"evidence": stored(known_task)} if event is ModelTrained else {}
    await HANDLERS[event](Envelope("e", "tests", NOW, with_unknown_words(event, **changes)), store)
    if event is DeploymentChanged:
        assert store.champions == {}, "only a primary is monitored"


def test_a_column_whose_kind_of_profile_is_unknown_is_not_compared() -> None:
    profile = with_unknown_words(Evidence).profile
    example = Evidence.model_validate(example_of(Evidence)).profile
    name = next(iter(example.features))
    features = {**example.features, name: profile.features[name]}
    mixed = example.model_copy(update={"features": features})
    for read, columns in ((mixed, len(features) - 1 + len(example.outputs)), (profile, 0)):
        binning = Binning.of(read)
        assert (len(binning.columns), binning.size) == (columns, binning.reference(read).size)


@pytest.mark.parametrize("kind", ["slack", "alertmanager"])
def test_an_alert_of_an_unknown_severity_is_delivered(kind: Format) -> None:
    assert WORD in str(webhook.body(kind, opened(of(ALERT, severity=WORD)), NOW)).lower()


async def test_a_champion_with_features_of_unknown_types_is_watched() -> None:
    store: Any = MemoryStore()
    future, today = with_unknown_words(DeploymentChanged), example_of(DeploymentChanged)
    roles = [each["role"] for each in today["routes"]]
    routes = tuple(each.model_copy(update={"role": role}) for each, role in zip(future.routes, roles, strict=True))
    event = future.model_copy(update={"routes": routes})
    assert {feature.type for each in routes for feature in each.features.values()} == {WORD}
    await HANDLERS[DeploymentChanged](Envelope("e", "tests", NOW, event), store)
    assert list(store.champions) == [future.model]
