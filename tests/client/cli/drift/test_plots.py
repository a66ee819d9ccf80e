"""Plots of one line, with blocks or with ASCII."""

from __future__ import annotations

import pytest
from rondo.client.cli.drift.plots import Plotter


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-16", "cp437"])
def test_blocks_are_used_where_the_terminal_has_them(encoding: str) -> None:
    assert (Plotter.of(encoding) == Plotter()) == (encoding != "cp437")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no encoding", None])
def test_elsewhere_plots_are_ascii(encoding: str | None) -> None:
    plotter = Plotter.of(encoding)
    assert (plotter.sparkline([0, 0.5, 1], 1) + plotter.bar(0.5, 4)).isascii()


def test_a_sparkline_has_the_heights_below_the_highest() -> None:
    assert Plotter().sparkline([0, 0.1, 0.4], 0.4) == "▁▃█"
    assert Plotter().sparkline([0.0, 0.4, 0.9], 0.4) == "▁██"
    assert Plotter().sparkline([0, 0], 0) == "▁▁"


@pytest.mark.parametrize(("share", "shown"), [(-1, "░░░░"), (0.5, "██░░"), (1, "████"), (9, "████")])
def test_a_bar_is_full_at_one(share: float, shown: str) -> None:
    assert Plotter().bar(share, 4) == shown
