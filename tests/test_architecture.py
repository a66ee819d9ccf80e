"""The house keeps its order: the same rooms in every service, and decisions that know no technology."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.topics import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("__main__.py", "app.py", "settings.py", "handlers.py", "ports.py")
TECHNOLOGY = {
    "aiokafka",
    "asyncpg",
    "bentoml",
    "confluent_kafka",
    "deltalake",
    "fastapi",
    "faststream",
    "httpx",
    "obstore",
    "onnxruntime",
    "starlette",
}
# Rooms that are named by a technology, or put things together, may know it. Everything else decides, and may not.
MAY_KNOW = {
    "__main__",
    "app",
    "delta",
    "folder",
    "http",
    "kafka",
    "lightgbm",
    "onnx",
    "postgres",
    "webhook",
}


def files(service: str) -> Iterator[Path]:
    return (ROOT / "services" / service / "rondo" / service).rglob("*.py")


def imported(file: Path) -> set[str]:
    """Return the packages that a file imports at run time: what stands under TYPE_CHECKING is no dependency."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    folder = ROOT / "services" / service / "rondo" / service
    assert [room for room in ROOMS if not (folder / room).exists()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_decision_knows_no_technology(service: str) -> None:
    offenders = {
        str(file.relative_to(ROOT)): sorted(known)
        for file in files(service)
        if file.stem.split("_")[0] not in MAY_KNOW and (known := imported(file) & TECHNOLOGY)
    }
    assert offenders == {}


@pytest.mark.parametrize("service", SERVICES)
def test_only_settings_read_the_environment(service: str) -> None:
    # Native libraries are told their threads through the environment when they are loaded: writing is no reading.
    reading = re.compile(r"os\.getenv|os\.environ(?!\s*\|=|\.setdefault\()")
    offenders = [
        str(file.relative_to(ROOT))
        for file in files(service)
        if file.name != "settings.py" and reading.search(file.read_text())
    ]
    assert offenders == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_start_is_a_few_lines(service: str) -> None:
    text = (ROOT / "services" / service / "rondo" / service / "__main__.py").read_text()
    assert len(text.splitlines()) <= 15


def test_nothing_is_pickled_and_no_drawer_is_called_utils() -> None:
    ours = [
        file
        for folder in ("contracts", "services", "client", "deploy", "examples")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert len(ours) > 100
    assert [file for file in ours if file.stem in {"utils", "helpers", "common", "misc"}] == []
    assert [file for file in ours if imported(file) & {"pickle", "cloudpickle", "joblib", "dill"}] == []
