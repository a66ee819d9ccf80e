"""Requests to slow models wait in their own queues. Each is answered once and in order, in spite of faults."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest
from rondo.serving.inference.pace import Paces
from rondo.serving.stream.queue_positions import encode_positions

from tests.serving.builders import NOW, request
from tests.serving.stream.queue_harness import Drawn, Kafka, Slow, fill, wait_scored

if TYPE_CHECKING:
    from rondo.serving.models.serving_table import ServedModels


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(12))
def test_each_request_is_answered_or_refused_once_and_in_order_through_crashes_and_moves(
    models: ServedModels, seed: int
) -> None:
    kafka, chance = Kafka(models, Drawn(seed)), random.Random(seed)
    answered, refused = fill(kafka, chance, 120)
    kafka.finish(crashes=chance)
    assert Counter((model, each) for model, each, _ in kafka.answers) == answered
    assert Counter(kafka.logged) == answered
    assert Counter(kafka.refused) == Counter(refused)
    by_key: dict[tuple[str, bytes | None], list[int]] = defaultdict(list)
    for model, each, key in kafka.answers:
        by_key[model, key].append(int(each[1:]))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert kafka.committed == {partition: (len(kafka.topic[partition]), "") for partition in kafka.topic}


def test_others_are_answered_at_once_and_the_note_says_what_is_not(models: ServedModels) -> None:
    kafka = Kafka(models, Slow())
    for number, model in enumerate(["quick", "slow", "quick", "slow", "quick"]):
        kafka.send(request(number, model))
    kafka.turn()
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2", "r4"]
    assert kafka.committed == {0: (5, encode_positions({"slow": 1}))}
    wait_scored(kafka)
    kafka.turn()
    assert kafka.committed[0] == (5, encode_positions({"slow": 1})), "the queue reads after the turn it was made in"
    wait_scored(kafka)
    for _ in range(3):
        kafka.turn()
        wait_scored(kafka)
    assert [each for _, each, _ in kafka.answers] == ["r0", "r2", "r4", "r1", "r3"]
    assert kafka.committed[0] == (5, encode_positions({"slow": 5})), "a slow model keeps its queue"
    kafka.paces.released = True  # type: ignore[attr-defined]
    kafka.turn()
    assert kafka.committed[0] == (5, "")
    assert not kafka.queues.active


def test_repeated_requests_to_a_slow_model_get_the_first_answer(models: ServedModels) -> None:
    found = models.table.find("slow")
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka = Kafka(models, Drawn(1))
    for number in (1, 2, 1, 3, 2, 1, 4, 1):
        kafka.send(request(number, "slow"))
    kafka.finish()
    assert Counter(each for _, each, _ in kafka.answers) == {"r1": 4, "r2": 2, "r3": 1, "r4": 1}
    assert Counter(kafka.logged) == {("slow", f"r{number}"): 1 for number in range(1, 5)}


def test_only_a_model_and_a_partition_whose_answers_are_being_read_back_wait_for_them(models: ServedModels) -> None:
    found = models.table.find("slow")
    models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka = Kafka(models, Paces(), seconds=0.01)
    kafka.answered_before.blocked[0] = Event()
    made = b'{"model":"slow","id":"r2"}'
    kafka.answered_before.add("r2", made, NOW.timestamp(), model="slow")
    for partition, model, number in ((0, "slow", 1), (0, "quick", 2), (1, "slow", 3), (0, "slow", 2), (1, "quick", 4)):
        kafka.send(request(number, model), partition)
    for _ in range(3):
        kafka.turn()
        wait_scored(kafka)
    assert sorted(kafka.answers) == [("quick", "r2", b"k"), ("quick", "r4", b"k"), ("slow", "r3", b"k")]
    assert kafka.committed == {0: (3, encode_positions({"slow": 0})), 1: (2, "")}
    kafka.send(request(5, "slow"))
    kafka.answered_before.blocked[0].set()
    kafka.finish()
    assert Counter(each for model, each, _ in kafka.answers if model == "slow") == dict.fromkeys(
        ("r1", "r2", "r3", "r5"), 1
    )
    assert Counter(kafka.logged)["slow", "r2"] == 0, "it was answered before"
    assert kafka.committed == {0: (4, ""), 1: (2, "")}


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(6))
def test_requests_are_answered_once_while_answers_are_read_back_again_and_again(
    models: ServedModels, seed: int
) -> None:
    for name in ("slow", "slower"):
        found = models.table.find(name)
        models.swap(replace(found, deduplicate=timedelta(minutes=1), revision=found.revision + 1))
    kafka, chance = Kafka(models, Drawn(seed), seconds=0.0), random.Random(seed)
    answered, refused = fill(kafka, chance, 60)
    kafka.finish(crashes=chance)
    assert Counter((model, each) for model, each, _ in kafka.answers) == answered
    assert Counter(kafka.logged) == answered
    assert Counter(kafka.refused) == Counter(refused)
    assert kafka.committed == {partition: (len(kafka.topic[partition]), "") for partition in kafka.topic}
