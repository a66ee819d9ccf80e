"""The client shows every event of a newer release with unknown vocabulary words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rondo.client.event_summaries import summarize
from rondo.contracts.topics import EVENTS

from tests.support.unknown_words import with_unknown_words

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event


@pytest.mark.medium
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_with_unknown_words_has_a_summary(event: type[Event]) -> None:
    read = with_unknown_words(event)
    assert summarize(read)
    assert json.loads(read.model_dump_json(by_alias=True))
