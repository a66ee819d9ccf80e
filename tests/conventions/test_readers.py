"""The table of topics is correct: its readers are the services whose code reads the topic."""

from __future__ import annotations

import ast
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from faststream.kafka import KafkaBroker
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.datasets import DatasetApplied, DatasetRemoved
from rondo.contracts.events.deployment import DeploymentChanged
from rondo.contracts.events.models import ModelRemoved, SpecApplied
from rondo.contracts.topics import SERVICES, TOPICS
from rondo.ingestion.batches import kafka_consumer
from rondo.ingestion.feedback import landing
from rondo.ingestion.outcomes import stream as ingestion_outcomes
from rondo.ingestion.scoring import answers
from rondo.monitor import pipeline
from rondo.serving import app as serving_app

ROOT = Path(__file__).resolve().parents[2]
# The functions that read a topic, and the places that use them in addition to `handlers.event_handlers()`.
WAYS = ("Follower", "ExactlyOnceStream", "CompactedTopic", "TokenFollower", "subscriber", "AIOKafkaConsumer")


def submitted() -> tuple[str, ...]:
    """Return the topics to which the consumer of batches subscribes."""
    broker = KafkaBroker()
    kafka_consumer.BatchConsumer(Mock(instance="ingestion-0", service="ingestion"), broker, Mock(), Mock()).subscribe()
    return tuple(topic for subscriber in broker.subscribers for topic in subscriber.topic_names)


USED = {
    **{(service, "TokenFollower"): lambda: (TokenChanged.topic,) for service in SERVICES},
    ("ingestion", "Follower"): lambda: (*landing.TOPICS, *answers.TOPICS),
    ("ingestion", "ExactlyOnceStream"): lambda: ingestion_outcomes.outcome_stream(Mock()).topics,
    ("ingestion", "subscriber"): submitted,
    ("ingestion", "CompactedTopic"): lambda: (
        SpecApplied.topic,
        ModelRemoved.topic,
        DatasetApplied.topic,
        DatasetRemoved.topic,
    ),
    ("monitor", "Follower"): lambda: pipeline.TOPICS,
    ("serving", "ExactlyOnceStream"): lambda: (
        *serving_app.stream_settings(Mock()).topics,
        *serving_app.bulk_settings(Mock()).topics,
    ),
    ("serving", "CompactedTopic"): lambda: (DeploymentChanged.topic,),
}


def routed(service: str) -> set[str]:
    """Return the topics from which a service's handlers receive events. Topics that are read as tables have none."""
    handlers: Any = import_module(f"rondo.{service}.handlers")
    if not hasattr(handlers, "event_handlers"):
        return set()
    table = handlers.event_handlers(*(Mock() for _ in signature(handlers.event_handlers).parameters))
    return {event.topic for event in table}


def calls(service: str) -> set[tuple[str, str]]:
    """Return the reading functions that a service's code uses."""
    trees = (ast.parse(file.read_text()) for file in (ROOT / "services" / service).rglob("*.py"))
    called = (node.func for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = {func.id if isinstance(func, ast.Name) else getattr(func, "attr", "") for func in called}
    return {(service, way) for way in WAYS if way in names}


@pytest.mark.medium
def test_no_topic_is_read_in_a_way_that_is_not_looked_at_here() -> None:
    assert {use for service in SERVICES for use in calls(service)} == set(USED)


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_names_a_service_as_reader_of_what_it_reads(service: str) -> None:
    read = routed(service) | {topic for (who, _), topics in USED.items() if who == service for topic in topics()}
    named = {topic.name for topic in TOPICS if service in topic.readers}
    assert {"read": read - named, "only named": named - read} == {"read": set(), "only named": set()}
