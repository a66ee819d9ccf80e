"""docs/settings.md has every variable that the code reads, with its default, and no other variable."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from rondo.chassis.settings import PostgresSettings, ServiceSettings
from rondo.contracts.topics import SERVICES

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/settings.md").read_text()
ROW = re.compile(r"^\| `(RONDO_\w+)` \| (.*?) \|", re.MULTILINE)


def section(title: str) -> dict[str, str]:
    """Return the variables of a section of the page, with the texts of their defaults."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    return dict(ROW.findall(next(each for each in text if each.startswith(f"{title}\n"))))


def settings_of(service: str) -> type[ServiceSettings]:
    """Return a service's settings class."""
    module = importlib.import_module(f"rondo.{service}.settings")
    own = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    return next(each for each in own if issubclass(each, ServiceSettings))


def default(field: FieldInfo) -> str:
    """Return a default as the page writes it."""
    if field.is_required():
        return "(needed)"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{value}`" if value not in (None, "") else "(none)"


def own_fields(settings: type[ServiceSettings], *inherited: type[ServiceSettings]) -> dict[str, str]:
    """Return the variables of a class, without those of the classes that have their own sections."""
    known = {name for each in inherited for name in each.model_fields}
    return {
        f"RONDO_{name.upper()}": default(field) for name, field in settings.model_fields.items() if name not in known
    }


def test_what_every_service_reads() -> None:
    """The default of the service's name and port is its own."""
    documented = section("Every service")
    assert documented.pop("RONDO_SERVICE") == "the service's name"
    assert documented.pop("RONDO_HTTP_PORT").startswith("(needed")
    assert documented == {
        name: value
        for name, value in own_fields(ServiceSettings).items()
        if name not in {"RONDO_SERVICE", "RONDO_HTTP_PORT"}
    }


def test_what_services_with_a_database_read() -> None:
    """They read the address of their own role."""
    assert section("Services with a database") == own_fields(PostgresSettings, ServiceSettings)


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_reads_besides(service: str) -> None:
    """Defaults are compared, too, because a wrong default on the page misleads."""
    expected = own_fields(settings_of(service), PostgresSettings, ServiceSettings)
    if "RONDO_WORKER_THREADS" in expected:
        assert expected["RONDO_WORKER_THREADS"] == f"`{os.cpu_count()}`"
        expected["RONDO_WORKER_THREADS"] = "the machine's cores"
    assert section(service) == expected


def test_what_the_compose_file_reads() -> None:
    """Each `${RONDO_...}` in the file."""
    read = set(re.findall(r"\$\{(RONDO_\w+)", (ROOT / "docker-compose.yml").read_text()))
    text = next(each for each in PAGE.split("\n## ") if each.startswith("docker-compose.yml"))
    assert read == set(re.findall(r"RONDO_\w+", text)) - {"RONDO_COMPOSE_PROJECT", "RONDO_COMMAND"}


def test_no_variable_is_read_without_a_word_here() -> None:
    """Checked for the names of whole variables in quotes in all Python files."""
    read: set[str] = set()
    for folder in ("services", "client", "deploy", "examples"):
        for file in (ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r"[\"'](RONDO_[A-Z_]*[A-Z])[\"']", file.read_text()))
    assert read
    assert read - {name.removesuffix("_FILE") for name in re.findall(r"RONDO_\w+", PAGE)} <= {
        "RONDO_TOKENS_FILE",
        "RONDO_TOKEN_FILE",
    }
