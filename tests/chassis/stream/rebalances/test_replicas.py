"""Replicas join, leave, are killed and frozen under full load: nothing is lost, doubled or out of order."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.chassis.stream.copies import Topics
from tests.chassis.stream.rebalances.members import SESSION_SECONDS, Member
from tests.chassis.stream.rebalances.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = (0, 0, 0)
# The transforms take most of the time, so that events meet a micro-batch in flight.
FULL_LOAD = ("--seconds", "0.06")


def started(stack: ExitStack, topics: Topics, folder: Path, *names: str) -> dict[str, Member]:
    members = {name: stack.enter_context(Member(topics, name, folder, *FULL_LOAD)) for name in names}
    for each in members.values():
        each.start()
    return members


def wait_share(traffic: Traffic, seconds: float = 30) -> None:
    """Wait until copies of all partitions arrive."""
    began, window = time.monotonic(), 1.0
    while (now := time.monotonic()) - began < seconds:
        if max(traffic.silences(now - window, now).values()) < window:
            return
        time.sleep(0.05)
    pytest.fail("some partition has no copies")


def test_a_replica_that_joins_and_is_killed_costs_nothing(topics: Topics, tmp_path: Path) -> None:
    with ExitStack() as stack, Traffic(topics, 2_000) as traffic:
        members = started(stack, topics, tmp_path, "a", "b")
        traffic.wait_received(1_000, 30)
        members["b"].kill()
        members["b"].start()
        traffic.wait_received(traffic.sent + 4_000, 30)
        assert traffic.finish() == NOTHING


class Chaos:
    """Random events on members, the same for a seed. One of them always runs."""

    def __init__(self, members: dict[str, Member], seed: int) -> None:
        self.members, self.draw, self.events = members, random.Random(seed), list[tuple[str, str]]()
        self._thawing: list[threading.Timer] = []

    def step(self) -> None:
        name = self.draw.choice(sorted(self.members))
        member = self.members[name]
        alone = sum(each.is_running for each in self.members.values()) < 2
        what = self.draw.choice(["leave", "kill", "restart", "crash", "freeze", "long freeze"])
        if not member.is_running:
            what = "join"
        elif alone and what in ("leave", "kill"):
            what = "crash"
        self.events.append((what, name))
        match what:
            case "join":
                member.start()
            case "kill":
                member.kill()
            case "crash":
                member.kill()
                member.start()
            case "leave" | "restart":
                member.signal(signal.SIGCONT)
                member.stop()
                if what == "restart":
                    member.start()
            case _:
                seconds = SESSION_SECONDS * (0.5 if what == "freeze" else 1.5)
                member.signal(signal.SIGSTOP)
                self._thawing.append(threading.Timer(seconds, member.thaw))
                self._thawing[-1].start()

    def end(self) -> None:
        """Thaw all members, and start those that do not run."""
        for each in self._thawing:
            each.join()
        for member in self.members.values():
            if not member.is_running:
                member.start()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("RONDO_TEST_SEED", "3"))])
def test_nothing_is_lost_doubled_or_out_of_order_through_random_events(
    topics: Topics, tmp_path: Path, seed: int
) -> None:
    with ExitStack() as stack, Traffic(topics, 4_000) as traffic:
        members = started(stack, topics, tmp_path, "a", "b")
        members["c"] = stack.enter_context(Member(topics, "c", tmp_path, *FULL_LOAD))
        chaos = Chaos(members, seed)
        traffic.wait_received(8_000, 30)
        for _ in range(16):
            chaos.step()
            time.sleep(chaos.draw.uniform(2, 5))
        chaos.end()
        assert traffic.finish(120) == NOTHING, chaos.events


@pytest.mark.slow
def test_a_replica_that_wakes_after_its_session_is_fenced(topics: Topics, tmp_path: Path) -> None:
    with ExitStack() as stack, Traffic(topics, 4_000) as traffic:
        members = started(stack, topics, tmp_path, "a", "b")
        traffic.wait_received(4_000, 30)
        wait_share(traffic)
        for _ in range(3):
            frozen = time.monotonic()
            members["a"].signal(signal.SIGSTOP)
            time.sleep(SESSION_SECONDS + 3)
            # Its partitions have another owner by now.
            wait_share(traffic)
            members["a"].signal(signal.SIGCONT)
            time.sleep(3)
            silence = max(traffic.silences(frozen, time.monotonic()).values())
            assert silence < 2 * SESSION_SECONDS + 10, "the session and a transaction end within this time"
        assert traffic.finish() == NOTHING


@pytest.mark.slow
def test_a_replica_beyond_the_partitions_waits_and_takes_over(kafka: str, tmp_path: Path) -> None:
    topics = Topics(kafka, partitions=2)
    with ExitStack() as stack, Traffic(topics, 2_000) as traffic:
        members = started(stack, topics, tmp_path, "a", "b")
        traffic.wait_received(2_000, 30)
        spare = stack.enter_context(Member(topics, "c", tmp_path, *FULL_LOAD))
        spare.start()
        time.sleep(5)
        wait_share(traffic)
        killed = time.monotonic()
        members["a"].kill()
        time.sleep(SESSION_SECONDS + 4)
        wait_share(traffic)
        silences = sorted(traffic.silences(killed, time.monotonic()).values())
        members["b"].kill()
        time.sleep(SESSION_SECONDS + 4)
        wait_share(traffic)
        assert traffic.finish() == NOTHING
    assert silences[0] < SESSION_SECONDS, "the partition of the other one is still answered"


@pytest.mark.slow
def test_a_join_stops_no_partition_for_as_long_as_a_slow_replica_takes(topics: Topics, tmp_path: Path) -> None:
    slow = 6.0
    with ExitStack() as stack, Traffic(topics, 1_000) as traffic:
        started(stack, topics, tmp_path, "quick")
        traffic.wait_received(1_000, 30)
        other = stack.enter_context(Member(topics, "slow", tmp_path, "--seconds", f"{slow}"))
        other.start()
        time.sleep(10)
        joined = time.monotonic()
        third = stack.enter_context(Member(topics, "third", tmp_path, *FULL_LOAD))
        third.start()
        time.sleep(2 * slow)
        silences = sorted(traffic.silences(joined, time.monotonic()).values())
        assert traffic.finish(120) == NOTHING
    assert silences[1] < slow / 2, "two of four partitions are those of quick replicas all the time"
