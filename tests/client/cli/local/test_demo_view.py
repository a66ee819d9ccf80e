"""The progress of the demo: on a terminal, and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rondo.client.cli.local.demo_view import LineObserver, LiveObserver, observing

FETCHED = (
    "fetching Kafka: 46 files, 45 MB, once",
    "fetching Kafka: 11 of 45 MB (25%)",
    "fetching Kafka: 45 of 45 MB (100%)",
)


def test_on_a_terminal_a_download_is_one_line_that_changes() -> None:
    observer = LiveObserver()
    for line in ("starting Kafka and PostgreSQL", *FETCHED):
        observer.step(line)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(observer.render())
    shown = captured.get()
    assert "✓ starting Kafka and PostgreSQL" in shown
    assert "fetching Kafka: 45 of 45 MB (100%)" in shown
    assert shown.count("fetching Kafka") == 1


def test_after_ctrl_c_the_last_step_has_no_spinner_and_no_seconds() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=100, force_terminal=True, color_system=None)
    with pytest.raises(KeyboardInterrupt):
        interrupted(console, "stopping", "the end")
    *_, step, last = [line.rstrip() for line in shown.getvalue().splitlines() if line.strip(" \x1b[?25hlK\r")]
    assert "✓ stopping (0.0 s)" in step
    assert last.endswith("the end")
    assert "(" not in last
    assert not any("\u2800" <= sign <= "\u28ff" for sign in last)


def interrupted(console: Console, *steps: str) -> None:
    with observing(console) as observer:
        for step in steps:
            observer.step(step)
        raise KeyboardInterrupt


def test_in_a_log_each_step_is_a_line() -> None:
    log = io.StringIO()
    observer = LineObserver(Console(file=log, width=100))
    for line in FETCHED:
        observer.step(line)
    assert [line.split(" s  ")[1] for line in log.getvalue().splitlines()] == list(FETCHED)
