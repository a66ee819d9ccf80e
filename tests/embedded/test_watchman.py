"""What dies of a stack comes back, and somebody says so."""

import asyncio
from pathlib import Path

from rondo.embedded import Stack
from rondo.embedded.watchman import keep_running


async def test_servers_that_are_killed_come_back_and_are_told(tmp_path: Path) -> None:
    """With their data, on their ports."""
    said: list[str] = []
    async with Stack(tmp_path / "home", services=()) as stack, asyncio.timeout(90):
        watch = asyncio.create_task(keep_running(stack, said.append))
        assert stack.kafka is not None
        assert stack.postgres is not None
        stack.kafka.kill()
        stack.postgres.kill()
        while {"Kafka answers again", "PostgreSQL answers again"} - set(said):  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.1)
        watch.cancel()
        assert await stack.kafka.answers()
        assert await stack.postgres.answers()
    assert said[0] == "Kafka died with exit code -9: starting it again, with its data"
    assert len(said) == 4
