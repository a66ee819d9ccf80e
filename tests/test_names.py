"""Names: one word has one meaning. A class name is unique inside a package (docs/style.md, rule 2)."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = sorted(
    package
    for parent in (ROOT, ROOT / "services", ROOT / "deploy", ROOT / "examples", ROOT / "docs")
    for package in parent.glob("*/rondo/*")
    if (package / "__init__.py").exists()
)


def public_classes(package: Path) -> dict[str, list[str]]:
    """Return the files that define each public class of a package at their top."""
    found = defaultdict[str, list[str]](list)
    for file in sorted(package.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(file.relative_to(package)))
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_class_name_is_unique_inside_a_package(package: Path) -> None:
    assert {name: files for name, files in public_classes(package).items() if len(files) > 1} == {}


def test_every_package_is_looked_at() -> None:
    assert len(PACKAGES) == 11
