"""What a person sees while the demo gets ready: on a terminal, and in a log."""

from __future__ import annotations

import io

from rich.console import Console
from rondo.client.cli.watchers import Lines, Picture

FETCHED = (
    "fetching Kafka: 46 files, 45 MB, once",
    "fetching Kafka: 11 of 45 MB (25%)",
    "fetching Kafka: 45 of 45 MB (100%)",
)


def test_on_a_terminal_a_download_is_one_line_that_changes() -> None:
    picture = Picture()
    for line in ("starting Kafka and PostgreSQL", *FETCHED):
        picture.step(line)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(picture.render())
    shown = captured.get()
    assert "✓ starting Kafka and PostgreSQL" in shown
    assert "fetching Kafka: 45 of 45 MB (100%)" in shown
    assert shown.count("fetching Kafka") == 1


def test_in_a_log_each_word_is_a_line() -> None:
    log = io.StringIO()
    watcher = Lines(Console(file=log, width=100))
    for line in FETCHED:
        watcher.step(line)
    assert [line.split(" s  ")[1] for line in log.getvalue().splitlines()] == list(FETCHED)
