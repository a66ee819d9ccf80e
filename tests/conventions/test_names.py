"""Names: one word has one meaning (docs/style.md, rule 2).

A class name is unique inside a package. A function whose name is a verb without an object is called with its module.
"""

from __future__ import annotations

import ast
import pkgutil
import re
from collections import defaultdict
from enum import StrEnum
from pathlib import Path

import pytest
from rondo.contracts import vocabularies

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    package
    for parent in (ROOT, ROOT / "services", ROOT / "deploy", ROOT / "examples", ROOT / "docs")
    for package in parent.glob("*/rondo/*")
    if (package / "__init__.py").exists()
)

# Verbs that fit everything. Without an object they have no meaning.
VERBS = frozenset(
    (
        "add", "apply", "begin", "build", "check", "close", "compare", "compute", "convert", "create", "decode",
        "delete", "do", "encode", "fetch", "find", "get", "handle", "join", "judge", "load", "make", "merge", "open",
        "parse", "process", "publish", "put", "read", "release", "remove", "run", "save", "send", "set", "start",
        "stop", "take", "update", "write",
    )
)  # fmt: skip


def public_classes(package: Path) -> dict[str, list[str]]:
    """Return the files that define each public class or set of words of a package at their top."""
    found = defaultdict[str, list[str]](list)
    for file in sorted(package.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            name = node.name if isinstance(node, ast.ClassDef) else words_of(node)[0]
            if name and not name.startswith("_"):
                found[name].append(str(file.relative_to(package)))
    return found


def words_of(node: ast.AST) -> tuple[str, frozenset[str]]:
    """Return the name and the words of `Name = Literal["word", …]`. Empty for another statement."""
    match node:
        case ast.Assign(targets=[ast.Name(name)], value=ast.Subscript(ast.Name("Literal"), words)):
            each = words.elts if isinstance(words, ast.Tuple) else [words]
            return name, frozenset(str(word.value) for word in each if isinstance(word, ast.Constant))
    return "", frozenset()


@pytest.mark.medium
@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_class_name_is_unique_inside_a_package(package: Path) -> None:
    assert {name: files for name, files in public_classes(package).items() if len(files) > 1} == {}


@pytest.mark.medium
@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_words_that_a_vocabulary_has_are_not_listed_again(package: Path) -> None:
    """A `Literal` with the name or the words of an open vocabulary is a second definition of it."""
    enums = {name: each for name, each in vars(vocabularies).items() if isinstance(each, type)}
    known = {frozenset(vocabularies.known(each)): name for name, each in enums.items() if issubclass(each, StrEnum)}
    found = [words_of(node) for file in package.rglob("*.py") for node in ast.parse(file.read_text()).body]
    assert {name: known.get(words, name) for name, words in found if name in enums or words in known} == {}


def test_every_package_is_looked_at() -> None:
    assert len(PACKAGES) == 11


def verbs_imported_by_themselves(file: Path) -> list[str]:
    """Return the functions that a file imports by a name that is a verb alone: at a call it has no object."""
    imported = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    return [
        f"{node.module}.{name.name}"
        for node in imported
        if (node.module or "").startswith("rondo.")
        for name in node.names
        if (name.name in VERBS or name.asname in VERBS) and not is_module(f"{node.module}.{name.name}")
    ]


def is_module(name: str) -> bool:
    _, package, *rest = name.split(".")
    return any(each.joinpath(*rest).with_suffix(".py").exists() for each in PACKAGES if each.name == package)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
@pytest.mark.medium
def test_a_verb_without_an_object_is_called_with_its_module(package: Path) -> None:
    files = {str(file.relative_to(package)): verbs_imported_by_themselves(file) for file in package.rglob("*.py")}
    assert {file: names for file, names in files.items() if names} == {}


def test_names_of_the_client_in_texts_exist() -> None:
    """A message or a page that names `rondo.client.something` names what can be imported."""
    texts = [*ROOT.glob("docs/**/*.md"), *(file for package in PACKAGES for file in package.rglob("*.py"))]
    found = {name for file in texts for name in re.findall(r"`(rondo\.client\.[A-Za-z_.]+)", file.read_text("utf-8"))}
    assert "rondo.client.register" in found
    assert [name for name in sorted(found) if not exists(name)] == []


def exists(name: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
