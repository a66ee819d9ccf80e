"""`/readyz` names a Kafka that does not answer. tests/e2e/test_kafka_unavailable.py has a Kafka that really fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rondo.chassis.events import broker as chassis_kafka
from rondo.chassis.health import Health
from rondo.chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from rondo.chassis.events.broker import Broker

SETTINGS = ServiceSettings(service="registry", kafka="127.0.0.1:1", http_port=0)


class Unavailable:
    """A broker that answered once."""

    async def ping(self, _: float) -> bool:
        return False


async def test_a_kafka_that_is_down_at_the_start_is_named_with_what_to_do() -> None:
    health = Health()
    chassis_kafka.expect(health, SETTINGS)
    health.started()
    assert (await health.report())["kafka"] == (
        "Kafka at 127.0.0.1:1 is not available (it has not answered yet: start it, or set RONDO_KAFKA to the address "
        "of one that runs); this will be tried again until it is"
    )


async def test_a_kafka_that_fails_in_the_middle_is_named() -> None:
    health = Health()
    chassis_kafka.watch(health, SETTINGS, cast("Broker", Unavailable()))
    health.started()
    assert (await health.report())["kafka"] == (
        "Kafka at 127.0.0.1:1 is not available (no answer within 2 s; messages that were read are handled when it "
        "answers); this will be tried again until it is"
    )


async def test_a_kafka_that_answers_replaces_the_one_that_was_expected() -> None:
    class Available(Unavailable):
        async def ping(self, _: float) -> bool:
            return True

        def check(self) -> None:
            pass

    health = Health()
    chassis_kafka.expect(health, SETTINGS)
    chassis_kafka.watch(health, SETTINGS, cast("Broker", Available()))
    health.started()
    assert await health.report() == {"kafka": "ok"}
