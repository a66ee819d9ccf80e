"""The version of the code, with git and without."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from rondo.trainer.worker import code_version

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def test_a_tracked_file_has_the_version_of_its_checkout(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "a.py")
    _git(tmp_path, "commit", "-qm", "one")
    _git(tmp_path, "tag", "v1.2")
    assert code_version.describe(tmp_path / "a.py") == "v1.2"
    (tmp_path / "a.py").write_text("2")
    assert code_version.describe(tmp_path / "a.py") == "v1.2-dirty"
    (tmp_path / "installed.py").write_text("in the checkout of something else")
    assert code_version.describe(tmp_path / "installed.py") is None


def test_without_git_or_a_checkout_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version.describe(tmp_path / "a.py") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version.describe() is None
