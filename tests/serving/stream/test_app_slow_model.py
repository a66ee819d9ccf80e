"""A slow model in a replica has its own queue, through all kinds of faults."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from rondo.contracts.events import logs

from tests.serving.prediction_topics import MADE, answered, at_least, once
from tests.serving.stream.slow_model import slow_model
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import ReplicaEnvironment


def of_model(messages: list[Any], model: str) -> list[Any]:
    return [each for each in messages if orjson.loads(each.value())["model"] == model]


def milliseconds(asked: list[Any], made: list[Any]) -> list[float]:
    """Return, for each answer, the time from its request's time stamp to its own."""
    sent = {orjson.loads(m.value())["id"]: m.timestamp()[1] for m in asked}
    return [m.timestamp()[1] - sent[orjson.loads(m.value())["id"]] for m in made]


def in_order(messages: list[Any]) -> bool:
    """Return whether the answers of each key are in the order of the requests, whose ids ascend."""
    by_key: dict[bytes, list[int]] = defaultdict(list)
    for message in messages:
        by_key[message.key()].append(int(orjson.loads(message.value())["id"][1:]))
    return all(numbers == sorted(numbers) for numbers in by_key.values())


def logged(platform: ReplicaEnvironment) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for message in platform.read(logs.PREDICTIONS_LOG, at_least(1), quiet=1):
        batch = logs.decode(message.value())
        found[logs.metadata(batch)["model"]].update(batch.column("id").to_pylist())
    return found


def send(platform: ReplicaEnvironment, number: int, model: str, *, flush: bool = True) -> None:
    """Send a request with one of five keys."""
    platform.request(number, flush=flush, model=model, key=f"k{number % 5}")


@pytest.mark.slow
def test_a_model_of_a_second_a_row_delays_no_quick_one_and_a_crash_changes_no_count(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model(), model="quick")
    platform.deploy(1, slow_model(1.0), model="slow")
    slow, quick = range(16), range(16, 316)
    early: list[Any] = []
    with platform.serving(RONDO_QUEUE_AFTER="0.25") as process:
        platform.wait_replica("available", 1, times=2)
        for number in quick:
            send(platform, number, "quick")
            if number == quick[0]:
                platform.read(MADE, at_least(1))
                for each in slow:
                    send(platform, each, "slow")
            if number == quick[200]:
                early = platform.read(MADE, lambda found: len(of_model(found, "quick")) >= 200)
                process.kill()
                process.start()
            time.sleep(0.01)
        made = platform.read(MADE, at_least(316), quiet=1)
    assert answered(made) == once(range(316))
    assert logged(platform) == {"slow": once(slow), "quick": once(quick)}
    assert in_order(of_model(made, "slow"))
    assert in_order(of_model(made, "quick"))
    asked = platform.read("predictions.requested", at_least(316))
    assert len(of_model(early, "slow")) < len(slow), "the slow one is under way"
    waited = milliseconds(asked, of_model(early, "quick")[1:])
    # Both take longer if other processes need the cores.
    last = max(milliseconds(asked, of_model(made, "slow")))
    assert last > 5_000
    assert np.quantile(waited, 0.99) < last / 10, "micro-batches with the slow one would take about as long as that"


_LEFT = "slow has left its queue"


@dataclass
class Burst:
    """Requests to two models in turn. `sent` has the numbers of the requests to each model."""

    platform: ReplicaEnvironment
    sent: dict[str, list[int]] = field(default_factory=lambda: {"quick": [], "slow": []})

    def send(self, requests: int) -> None:
        """Send requests that arrive together, so that several of them share a micro-batch."""
        for _ in range(requests // 2):
            for model in self.sent:
                self._send(model)
        self.platform.flush()

    def wait_left(self, before: int) -> None:
        """Wait until the slow model has left its queue more than `before` times.

        A row that was slow because other processes needed the cores keeps it there until the next ones are scored.
        """
        for _ in range(30):
            with suppress(TimeoutError):
                asyncio.run(until(lambda: self.count(_LEFT) > before, seconds=1))
                return
            self.send(40)
        pytest.fail(self.platform.log_lines())

    def count(self, line: str) -> int:
        return self.platform.log_lines().count(line)

    def _send(self, model: str) -> None:
        number = sum(map(len, self.sent.values()))
        self.sent[model].append(number)
        send(self.platform, number, model, flush=False)


@pytest.mark.slow
def test_models_that_get_and_leave_queues_all_the_time_answer_each_request_once_and_in_order(
    platform: ReplicaEnvironment, model: Callable[..., bytes]
) -> None:
    platform.deploy(1, model(), model="quick")
    platform.deploy(1, slow_model(0.004), model="slow")
    burst, rounds, kills = Burst(platform), 10, (1, 3, 6, 8)
    # The part of a micro-batch with 20 rows takes longer, and a single row takes much less.
    with platform.serving(RONDO_QUEUE_AFTER="0.04") as process:
        platform.wait_replica("available", 1, times=2)
        for number in range(rounds):
            left = burst.count(_LEFT)
            burst.send(40)
            if number in kills:
                process.kill()
                process.start()
            burst.send(40)
            burst.wait_left(left)
        made = platform.read(MADE, at_least(sum(map(len, burst.sent.values()))), quiet=2)
    assert answered(made) == Counter(f"r{number}" for numbers in burst.sent.values() for number in numbers)
    assert logged(platform) == {name: Counter(f"r{each}" for each in mine) for name, mine in burst.sent.items()}
    for name in burst.sent:
        assert in_order(of_model(made, name))
    begun = burst.count("slow has a queue of its own: it is too slow")
    assert begun > 1 + len(kills), "each start of the process explains one"
