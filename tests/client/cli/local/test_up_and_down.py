"""Commands of the embedded stack where another stack runs, where none does, and where it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
import pytest
from rondo.client.cli.local import stack
from rondo.embedded.home import locked, mark_kept

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_stack_in_the_same_folder_is_refused(run: Run, tmp_path: Path, command: str) -> None:
    with locked(tmp_path / ".rondo"):
        failed = run(command)
    assert "another Rondo runs in" in failed.stderr
    assert "RONDO_HOME=.rondo-2" in failed.stderr
    assert failed.exit_code == 1


def test_a_demo_does_not_delete_kept_data(run: Run, tmp_path: Path) -> None:
    with locked(tmp_path / ".rondo"):
        mark_kept(tmp_path / ".rondo")
    failed = run("demo")
    assert str(tmp_path / ".rondo") in failed.stderr
    assert "RONDO_HOME=.rondo-demo make demo" in failed.stderr
    assert failed.exit_code == 1


def test_down_without_a_stack(run: Run) -> None:
    down = run("down")
    assert (down.exit_code, down.stdout.count("\n")) == (0, 1)
    assert orjson.loads(run("down", "--json").stdout) == {"stopped": None}


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rondo.embedded", None)
    with pytest.raises(stack.NotInstalledError) as caught, stack.translated():
        pass
    assert (caught.value.code, caught.value.package) == ("not_installed", "rondo-embedded")
