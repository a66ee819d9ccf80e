"""A real broker: guarantees for clients, and the faults that tests cause."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.embedded import Kafka
from rondo.embedded.errors import KafkaDataError, NotReadyError
from rondo.embedded.kafka.config import MESSAGE_MAX_BYTES
from rondo.embedded.kafka.jar_lock import KAFKA_VERSION


@pytest.fixture(name="kafka")
def of_the_session(broker: Kafka) -> Kafka:
    return broker


def test_its_files_are_in_its_folder(kafka: Kafka) -> None:
    """The name of the folder has characters with a special meaning in properties and in the JVM."""
    assert set("ü,\\t= ") <= set(kafka.folder.name)
    assert (kafka.folder / "data" / "meta.properties").exists()


async def test_a_topic_takes_and_gives_messages(kafka: Kafka) -> None:
    """When the broker is ready, no client has to retry."""
    await create_topic(kafka, "echo")
    await send(kafka, "echo", b"hello")
    assert await first(kafka, "echo") == b"hello"


async def test_topics_appear_only_by_intent(kafka: Kafka) -> None:
    """A misspelt name must not create a topic."""
    async with AIOKafkaProducer(**KafkaConnection(kafka.bootstrap).aiokafka()) as producer:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await producer.partitions_for("typo")


async def test_twenty_megabytes_are_refused_by_the_broker(kafka: Kafka) -> None:
    """The limit is that of production. The client's own limit is higher here."""
    await create_topic(kafka, "large")
    with pytest.raises(MessageSizeTooLargeError):
        await send(kafka, "large", bytes(20 << 20))
    await send(kafka, "large", bytes(MESSAGE_MAX_BYTES - 1_000))


async def test_transactions_work(kafka: Kafka) -> None:
    """The exactly-once stream needs the transaction log on one node."""
    await create_topic(kafka, "exact")
    producer = AIOKafkaProducer(**KafkaConnection(kafka.bootstrap).aiokafka(), transactional_id="t")
    async with producer, producer.transaction():
        await producer.send_and_wait("exact", b"once")
    assert await first(kafka, "exact") == b"once"


@pytest.mark.slow
async def test_a_killed_broker_restarts_on_its_port_with_its_data(kafka: Kafka) -> None:
    """The broker still has acknowledged messages."""
    await create_topic(kafka, "kept")
    await send(kafka, "kept", b"before")
    kafka.kill()
    assert not kafka.process.is_running
    await kafka.restart()
    assert await first(kafka, "kept") == b"before"


@pytest.mark.slow
async def test_a_paused_broker_does_not_answer_until_it_is_resumed(kafka: Kafka) -> None:
    """This is a stalled broker and not a dead one."""
    await create_topic(kafka, "stalled")
    kafka.pause()
    try:
        assert not await kafka.answers()
    finally:
        kafka.resume()
    await send(kafka, "stalled", b"after")
    assert await first(kafka, "stalled") == b"after"


@pytest.mark.slow
def test_data_is_kept_on_request_alone(tmp_path: Path) -> None:
    """`rondo up` keeps its data. The demo starts with none. Both use free ports."""
    with Kafka(tmp_path) as before:
        asyncio.run(create_topic(before, "t"))
        asyncio.run(send(before, "t", b"kept"))
    with Kafka(tmp_path, keep=True) as kept:
        assert asyncio.run(first(kept, "t")) == b"kept"
    with Kafka(tmp_path) as second:
        assert asyncio.run(topics(second)) == []


@pytest.mark.slow
def test_a_broker_that_dies_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    """The message has the log's path and last line."""
    kafka = Kafka(tmp_path)
    kafka.prepare()
    kafka.process.command = ["/bin/sh", "-c", "echo no space left; exit 3"]
    with pytest.raises(NotReadyError) as caught:
        asyncio.run(kafka.launch())
    assert caught.value.why.endswith("exit code 3")
    assert (caught.value.log, caught.value.last_line) == (tmp_path / "kafka.log", "no space left")


@pytest.mark.slow
@pytest.mark.parametrize("brief", [True, False])
def test_a_brief_broker_compiles_less(tmp_path: Path, *, brief: bool) -> None:
    kafka = Kafka(tmp_path, brief=brief)
    kafka.prepare()
    assert ("-XX:TieredStopAtLevel=1" in kafka.process.command) == brief


@pytest.mark.parametrize("written_by", ["4.3.1", None])
def test_data_of_a_newer_kafka_is_not_touched_and_the_message_has_the_next_step(
    tmp_path: Path, written_by: str | None
) -> None:
    """Data without a version file is of the first release, which ran 4.3.1."""
    folder = tmp_path / "kafka"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "bootstrap.checkpoint").write_bytes(b"kept")
    if written_by:
        (folder / "version").write_text(written_by)
    with pytest.raises(KafkaDataError) as caught:
        Kafka(folder, keep=True).prepare()
    message = str(caught.value)
    assert [part in message for part in (str(folder), "4.3.1", KAFKA_VERSION, str(tmp_path))] == [True] * 4
    assert (folder / "data" / "bootstrap.checkpoint").read_bytes() == b"kept"


async def create_topic(kafka: Kafka, name: str) -> None:
    """Create a topic with one partition."""
    admin = AIOKafkaAdminClient(**KafkaConnection(kafka.bootstrap).aiokafka())
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, 1, 1)])
        assert [code for _, code, _ in answer.topic_errors] == [0]
    finally:
        await admin.close()


async def topics(kafka: Kafka) -> list[str]:
    admin = AIOKafkaAdminClient(**KafkaConnection(kafka.bootstrap).aiokafka())
    await admin.start()
    try:
        return sorted(await admin.list_topics())
    finally:
        await admin.close()


async def send(kafka: Kafka, topic: str, value: bytes) -> None:
    """Send one message and wait for its acknowledgement."""
    async with AIOKafkaProducer(**KafkaConnection(kafka.bootstrap).aiokafka(), max_request_size=32 << 20) as producer:
        await producer.send_and_wait(topic, value)


async def first(kafka: Kafka, topic: str) -> bytes | None:
    """Return the topic's first message."""
    async with AIOKafkaConsumer(
        topic, **KafkaConnection(kafka.bootstrap).aiokafka(), auto_offset_reset="earliest"
    ) as consumer:
        async with asyncio.timeout(30):
            value: bytes | None = (await consumer.getone()).value
            return value
