"""The environment of a service: variables that a stack passes on, and variables that it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from rondo.embedded.services import SERVICES


@pytest.mark.parametrize("variable", ["RONDO_FUNCTIONS", "RONDO_DETECTORS"])
def test_a_folder_of_packages_is_that_of_the_folder_where_the_stack_was_started(variable: str) -> None:
    addresses: Any = MagicMock(http={each.name: "http://127.0.0.1:1" for each in SERVICES}, postgres=MagicMock())
    trainer = next(each for each in SERVICES if each.name == "trainer")
    found = [trainer.environment(addresses, {variable: given}) for given in ("own/code", "/own")]
    assert [each[variable] for each in found] == [str(Path.cwd() / "own" / "code"), "/own"]
    assert variable not in trainer.environment(addresses, {})


def test_credentials_of_others_are_withheld() -> None:
    addresses: Any = MagicMock(http={each.name: "http://127.0.0.1:1" for each in SERVICES}, postgres=MagicMock())
    secrets = ("RONDO_TOKEN", "RONDO_TOKEN_FILE", "RONDO_TOKENS", "RONDO_HOME")
    inherited = dict.fromkeys(secrets, "x") | {"RONDO_POSTGRES": "postgresql://superuser@x/x", "PATH": "/bin"}
    for service in SERVICES:
        environment = service.environment(addresses, inherited)
        assert not set(secrets) & environment.keys()
        assert environment.get("RONDO_POSTGRES") != inherited["RONDO_POSTGRES"]
        assert environment["PATH"] == "/bin"
