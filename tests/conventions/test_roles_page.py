"""docs/roles.md lists the roles of every HTTP route and every command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from rondo.chassis.health import Health
from rondo.chassis.http.server import guarded
from rondo.chassis.security.principal import Principal
from rondo.client.cli.command import app
from rondo.contracts.access_tokens import Role
from rondo.serving.grpc.api import GrpcApi
from rondo.serving.models.serving_table import ServedModels

from tests.http_apis.test_documents import APIS, HEALTH, api_of
from tests.support.access import bearer, token_cache

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "roles.md").read_text()
CLI: Any = typer.main.get_command(app)


def rows(heading: str) -> list[tuple[str, ...]]:
    """Return the cells of the table below a heading, without its head."""
    (section,) = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


async def roles_of(service: str) -> dict[tuple[str, str], str]:
    """Return the roles of each route of a service, by its OpenAPI document."""
    transport = httpx.ASGITransport(guarded(Health(), await token_cache(), api_of(service)))
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=bearer()) as http:
        document = (await http.get("/openapi.json")).json()
    return {
        (service, f"`{method.upper()} {path}`"): " or ".join(operation["x-required-roles"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path not in HEALTH
    }


@pytest.mark.parametrize("service", APIS)
async def test_every_route_has_its_roles(service: str) -> None:
    listed = {(name, route): roles for name, route, roles in rows("## HTTP") if name == service}
    assert listed == await roles_of(service)


def test_every_method_over_grpc_has_its_roles() -> None:
    found = GrpcApi(ServedModels(), None, None).methods()  # type: ignore[arg-type]  # nothing is called
    roles = {path.rpartition("/")[2]: " or ".join(each.roles) for path, each in found.items()}
    assert {name.strip("`"): needed for name, needed in rows("## gRPC")} | {"Check": ""} == roles


def test_every_role_is_listed_with_what_it_implies() -> None:
    implied = {
        role.value: {other.value for other in Role if other != role and Principal("a", frozenset({role})).has(other)}
        for role in Role
    }
    listed = {role: set(filter(None, implies.split(", "))) for role, _, implies in rows("# Roles")}
    assert listed == implied


async def test_a_command_has_the_roles_of_the_route_that_it_calls() -> None:
    routes = {key: roles for service in APIS for key, roles in (await roles_of(service)).items()}
    wrong = {
        command: roles
        for command, calls, roles in rows("## Commands")
        if routes.get((calls.split()[0], calls.partition(" ")[2])) != roles
    }
    assert wrong == {}


def test_every_command_is_named() -> None:
    names = {name for name in CLI.commands if name != "token"}
    names |= {f"token {name}" for name in CLI.commands["token"].commands}
    assert {name for name in names if f"`rondo {name}`" not in PAGE} == set()


@pytest.mark.parametrize("name", ["promote", "rollback", "train", "register", "remove"])
def test_the_help_of_a_decision_names_its_role(name: str) -> None:
    (roles,) = [roles for command, _, roles in rows("## Commands") if command == f"`rondo {name}`"]
    assert f"Needs the role {roles}." in CLI.commands[name].help
