"""The package of a function, and the digest of its code."""

from __future__ import annotations

import os
import shutil
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING

import pytest
from rondo.trainer.functions.errors import (
    FunctionsNotSetError,
    PackageMissingError,
    SeveralPackagesError,
    UnusableWheelError,
)
from rondo.trainer.functions.packages import find

if TYPE_CHECKING:
    from pathlib import Path


def package(folder: Path, name: str = "own") -> Path:
    """Write a package of two modules and a file of data."""
    path = folder / name
    (path / "deep").mkdir(parents=True)
    (path / "__init__.py").write_text("")
    (path / "train.py").write_text("def train(): ...\n")
    (path / "deep" / "words.txt").write_text("a b c")
    (path / "deep" / "more.py").write_text("")
    return path


def wheel(folder: Path, name: str = "own-1.0-py3-none-any.whl", content: str = "x = 1") -> Path:
    with zipfile.ZipFile(folder / name, "w") as file:
        file.writestr("own/__init__.py", "")
        file.writestr("own/train.py", content)
        file.writestr("own-1.0.dist-info/METADATA", "Name: own")
    return folder / name


def test_a_folder_a_module_and_a_wheel_are_found(tmp_path: Path) -> None:
    package(tmp_path)
    (tmp_path / "single.py").write_text("")
    assert find(tmp_path, "own.train:train").modules() == ["own", "own.deep.more", "own.train"]
    assert find(tmp_path, "single:train").modules() == ["single"]
    shutil.rmtree(tmp_path / "own")
    path = wheel(tmp_path)
    found = find(tmp_path, "own.train:train")
    assert (found.path, found.import_from, found.modules()) == (path, path, ["own", "own.train"])


def test_the_digest_is_of_all_files_and_of_nothing_that_python_caches(tmp_path: Path) -> None:
    path = package(tmp_path)
    digests = [find(tmp_path, "own.train:train").digest()]
    (path / "__pycache__").mkdir()
    (path / "__pycache__" / "train.pyc").write_text("cached")
    (path / ".hidden").write_text("of an editor")
    assert find(tmp_path, "own.train:train").digest() == digests[0]
    for name in ("train.py", "deep/words.txt", "deep/more.py", "deep/sourceless.pyc"):
        (path / name).write_text("changed")
        digests.append(find(tmp_path, "own.train:train").digest())
    (path / "deep" / "more.py").rename(path / "deep" / "less.py")
    digests.append(find(tmp_path, "own.train:train").digest())
    assert len(set(digests)) == 6
    copied = tmp_path / "elsewhere"
    shutil.copytree(path, copied / "own")
    assert find(copied, "own.train:train").digest() == digests[-1]


def test_bytes_that_move_to_the_next_file_are_another_package(tmp_path: Path) -> None:
    digests = set()
    for index, (first, second) in enumerate((("ab", "c"), ("a", "bc"))):
        path = package(tmp_path / str(index))
        (path / "a.txt").write_text(first)
        (path / "b.txt").write_text(second)
        digests.add(find(tmp_path / str(index), "own:train").digest())
    assert len(digests) == 2


def test_the_digest_of_a_wheel_is_of_its_bytes(tmp_path: Path) -> None:
    wheel(tmp_path)
    one = find(tmp_path, "own.train:train").digest()
    wheel(tmp_path, content="x = 2")
    assert find(tmp_path, "own.train:train").digest() != one


def test_links_are_followed_once(tmp_path: Path) -> None:
    path = package(tmp_path)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "code.py").write_text("x = 1")
    (path / "shared").symlink_to(tmp_path / "shared")
    (path / "shared" / "back").symlink_to(path)
    one = find(tmp_path, "own.train:train").digest()
    (tmp_path / "shared" / "code.py").write_text("x = 2")
    assert find(tmp_path, "own.train:train").digest() != one


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Reading a pipe has no end."""
    path = package(tmp_path)
    before = find(tmp_path, "own.train:train").digest()
    (path / "gone.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(path / "pipe")
    assert find(tmp_path, "own.train:train").digest() == before


def test_without_a_folder_the_operator_is_asked_to_set_it() -> None:
    with pytest.raises(FunctionsNotSetError) as refusal:
        find(None, "own.train:train")
    assert refusal.value.code == "functions_not_set"
    assert "has no folder of functions" in str(refusal.value)
    assert "sets RONDO_FUNCTIONS to a folder that has the package" in str(refusal.value)


def test_a_package_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    package(tmp_path)
    wheel(tmp_path, "broken-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(PackageMissingError) as refusal:
        find(tmp_path, "other.train:train")
    assert (refusal.value.code, refusal.value.there) == ("function_package_missing", ("broken", "own"))
    assert "there is no package 'other' in RONDO_FUNCTIONS" in str(refusal.value)
    assert "copy its folder or wheel there, or correct `trainer.function`" in str(refusal.value)
    with pytest.raises(PackageMissingError) as refusal:
        find(tmp_path / "gone", "other.train:train")
    assert "which has no package" in str(refusal.value)


def test_a_package_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    package(tmp_path)
    wheel(tmp_path)
    with pytest.raises(SeveralPackagesError) as refusal:
        find(tmp_path, "own.train:train")
    assert refusal.value.code == "function_package_twice"
    assert {"own", "own-1.0-py3-none-any.whl", "RONDO_FUNCTIONS"} <= {*str(refusal.value).split()}


@pytest.mark.parametrize("suffix", [".pyc", ".so", EXTENSION_SUFFIXES[0]])
def test_compiled_code_beside_a_package_is_refused(tmp_path: Path, suffix: str) -> None:
    """Python would import it in the place of the package."""
    package(tmp_path)
    (tmp_path / f"own{suffix}").write_bytes(b"")
    with pytest.raises(SeveralPackagesError) as refusal:
        find(tmp_path, "own.train:train")
    assert set(refusal.value.found) == {"own", f"own{suffix}"}


@pytest.mark.parametrize("content", [b"no zip", None])
def test_a_wheel_that_cannot_be_imported_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = wheel(tmp_path, "own-1.0-cp311-cp311-linux_x86_64.whl")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableWheelError) as refusal:
        find(tmp_path, "own.train:train")
    assert refusal.value.code == "function_wheel"
    wanted = "can't be read: copy it again" if content else "unpack it there, and remove the wheel"
    assert wanted in str(refusal.value)
