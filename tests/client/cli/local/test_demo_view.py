"""What a person sees while the demo gets ready: on a terminal, and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rondo.client.cli.local.demo_view import Lines, Picture, watching

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


def test_after_ctrl_c_the_last_word_stands_without_a_spinner_or_seconds() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=100, force_terminal=True, color_system=None)
    with pytest.raises(KeyboardInterrupt):
        interrupted(console, "stopping", "stopped before its end; logs and data stay here")
    *_, step, last = [line.rstrip() for line in shown.getvalue().splitlines() if line.strip(" \x1b[?25hlK\r")]
    assert "✓ stopping (0.0 s)" in step
    assert last.endswith("stopped before its end; logs and data stay here")
    assert "(" not in last
    assert not any("\u2800" <= sign <= "\u28ff" for sign in last)


def interrupted(console: Console, *steps: str) -> None:
    with watching(console) as watcher:
        for step in steps:
            watcher.step(step)
        raise KeyboardInterrupt


def test_in_a_log_each_word_is_a_line() -> None:
    log = io.StringIO()
    watcher = Lines(Console(file=log, width=100))
    for line in FETCHED:
        watcher.step(line)
    assert [line.split(" s  ")[1] for line in log.getvalue().splitlines()] == list(FETCHED)
