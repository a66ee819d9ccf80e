"""The folder: one stack at a time, and no changes to files of other programs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rondo.embedded import home as homes
from rondo.embedded.errors import (
    DiskFullError,
    ForeignHomeError,
    HomeBusyError,
    HomeNotWritableError,
    UnusableHomeError,
)


def test_a_second_stack_is_refused_with_the_holder_and_the_next_step(tmp_path: Path) -> None:
    """The message has the process id, the start, and the alternatives."""
    with homes.locked(tmp_path), pytest.raises(HomeBusyError) as caught, homes.locked(tmp_path):
        pass
    assert (caught.value.home, caught.value.pid) == (tmp_path, os.getpid())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", caught.value.since)
    assert re.findall(r"Ctrl-C|`rondo down`|RONDO_HOME=\.rondo-2", str(caught.value)) == [
        "Ctrl-C", "`rondo down`", "RONDO_HOME=.rondo-2",
    ]  # fmt: skip


def test_a_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    """The lock file stays, and the lock is released."""
    with homes.locked(tmp_path):
        assert homes.holder_of(tmp_path) is not None
    assert homes.holder_of(tmp_path) is None
    assert homes.stop_holder(tmp_path) is None
    with homes.locked(tmp_path):
        pass


HOLD = """
import pathlib, sys
from rondo.embedded.home import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_the_holder_can_be_stopped_from_elsewhere(tmp_path: Path) -> None:
    """This is `rondo down`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 - our own
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        stopped = homes.stop_holder(tmp_path)
        assert stopped is not None
        assert stopped.pid == holder.pid


def test_a_nearly_full_disk_is_an_error(tmp_path: Path) -> None:
    """The check runs before anything is written."""
    with pytest.raises(
        DiskFullError, match=r"is nearly full \(\d+ MB free, 1099511627776 MB needed\): free some space"
    ):
        homes.check_space(tmp_path, needed=1 << 60)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """RONDO_HOME=~ must not delete a user's `data`."""
    (tmp_path / "data").mkdir()
    with pytest.raises(ForeignHomeError) as raised:
        homes.locked(tmp_path).__enter__()
    assert raised.value.home == tmp_path


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The message names the variable."""
    (tmp_path / "file").touch()
    with pytest.raises(HomeNotWritableError) as raised:
        homes.locked(tmp_path / "file" / "home").__enter__()
    assert (raised.value.home, raised.value.reason) == (tmp_path / "file" / "home", "Not a directory")


def test_a_folder_that_delta_tables_cannot_have_in_their_path_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    home = tmp_path / "100% [new]"
    with pytest.raises(UnusableHomeError) as caught:
        homes.locked(home).__enter__()
    assert (caught.value.home, caught.value.characters) == (home, "%[]")
    assert "its path contains % [ ]; choose another folder with RONDO_HOME=…" in str(caught.value)
    assert not home.exists()


def test_the_default_is_here_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default is `.rondo` in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RONDO_HOME", raising=False)
    assert homes.default_home() == tmp_path / ".rondo"
    monkeypatch.setenv("RONDO_HOME", "other")
    assert homes.default_home() == tmp_path / "other"
