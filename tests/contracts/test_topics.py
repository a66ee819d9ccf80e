"""The table of topics is consistent: one writer per topic, a topic for each event, and room for the largest message."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from rondo.contracts.events.base import Event
from rondo.contracts.events.predictions import PredictionMade
from rondo.contracts.spec.policy import MAX_DEDUPLICATION
from rondo.contracts.topics import (
    BY_NAME,
    CONTROL_EVENTS,
    DATA_PLANE,
    DEAD_LETTER_TOPICS,
    DEAD_LETTERS,
    EVENTS,
    SERVICES,
    TOPICS,
    Topic,
    dead_letters,
)

every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
OUTSIDE = {"applications", "data-teams", "client", "operators"}


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(TOPICS)


def _concrete(event: type[Event]) -> set[type[Event]]:
    found = {event} if "topic" in vars(event) and event.__module__.startswith("rondo.contracts.") else set()
    return found.union(*(_concrete(child) for child in event.__subclasses__()))


def test_every_event_has_one_topic() -> None:
    assert set(EVENTS) == _concrete(Event)
    assert len(EVENTS) == len(set(EVENTS))


@every_topic
def test_a_topic_carries_the_event_that_names_it(topic: Topic) -> None:
    assert topic.event is None or topic.event.topic == topic.name


@every_topic
def test_a_name_is_valid_in_kafka(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+([.-][a-z0-9-]+)*", topic.name)


@every_topic
def test_writers_and_readers_are_known(topic: Topic) -> None:
    assert {topic.writer, *topic.readers} <= {*SERVICES, *OUTSIDE}
    assert topic.readers


@every_topic
def test_its_description_is_a_sentence(topic: Topic) -> None:
    assert topic.description.endswith((".", ")."))
    assert "|" not in topic.description, "it would break the table in docs/events/topics.md"


@every_topic
def test_it_is_kept_for_a_week_at_least(topic: Topic) -> None:
    assert topic.retention >= timedelta(days=7)


def test_answers_are_kept_for_as_long_as_requests_may_be_deduplicated() -> None:
    assert BY_NAME[PredictionMade.topic].retention >= MAX_DEDUPLICATION


def test_only_topics_of_state_are_compacted() -> None:
    assert {topic.name for topic in TOPICS if topic.cleanup == "compact"} == {
        "specs.applied",
        "deployments.changed",
        "access.tokens",
        "models.removed",
        "datasets.applied",
        "datasets.removed",
    }


@pytest.mark.parametrize("event", CONTROL_EVENTS, ids=lambda event: event.__name__)
def test_every_event_of_the_control_plane_defines_its_key(event: type[Event]) -> None:
    assert BY_NAME[event.topic].key in event.model_fields


def test_the_data_plane_is_written_by_one_writer_each() -> None:
    assert {topic.name: topic.writer for topic in DATA_PLANE} == {
        "batches.submitted": "data-teams",
        "predictions.requested": "applications",
        "predictions.made": "serving",
        "predictions.failed": "serving",
        "predictions.log": "serving",
        "outcomes.observed": "applications",
        "outcomes.log": "ingestion",
        "scores.requested": "ingestion",
        "scores.made": "serving",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_dead_letter_has_room_for_the_largest_message_and_its_headers(service: str) -> None:
    dead_letters_topic = BY_NAME[dead_letters(service)]
    assert dead_letters_topic.writer == service
    read = [topic for topic in TOPICS if service in topic.readers]
    assert all(dead_letters_topic.max_message_bytes > topic.max_message_bytes for topic in read)


def test_every_service_has_a_place_for_dead_letters() -> None:
    assert {BY_NAME[name].writer for name in DEAD_LETTER_TOPICS} == set(SERVICES)
    assert all(topic.name in DEAD_LETTER_TOPICS for topic in DEAD_LETTERS)
