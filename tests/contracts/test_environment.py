"""Unknown variables RONDO_* are reported, and the list of known variables is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rondo.contracts.environment import KNOWN, unknown_variables
from rondo.ingestion.settings import IngestionSettings
from rondo.monitor.settings import MonitorSettings
from rondo.registry.settings import Settings as RegistrySettings
from rondo.serving.settings import Settings as ServingSettings
from rondo.trainer.settings import Settings as TrainerSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
SETTINGS = (IngestionSettings, MonitorSettings, RegistrySettings, ServingSettings, TrainerSettings)


def test_the_variables_are_those_of_the_page() -> None:
    cells = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`(RONDO_\w+)`", cell)}
    assert documented == KNOWN


def test_each_setting_of_a_service_is_known() -> None:
    assert {f"RONDO_{name.upper()}" for each in SETTINGS for name in each.model_fields} <= KNOWN


@pytest.mark.parametrize(
    ("name", "near"),
    [("RONDO_KAFKA_URL", "RONDO_KAFKA"), ("RONDO_LOGLEVEL", "RONDO_LOG_LEVEL"), ("RONDO_LINGER_MS", "RONDO_LINGER")],
)
def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one(name: str, near: str) -> None:
    problem = f"{name} is not a setting: did you mean {near}?; correct its name, or unset it"
    assert list(unknown_variables([name, near])) == [problem]


def test_one_that_resembles_none_is_named_with_the_page_that_lists_all() -> None:
    (problem,) = unknown_variables(["RONDO_QQQQ"])
    assert "RONDO_QQQQ" in problem
    assert "docs/settings.md" in problem


def test_what_other_programs_set_is_ignored() -> None:
    others = ("PATH", "RONDO_PORT_GRAFANA", "RONDO_TOKEN_FILE", "RONDO_TEST_SERVERS", "RONDO_X_OF_THIS_SERVICE")
    links = ("RONDO_REGISTRY_SERVICE_HOST", "RONDO_REGISTRY_SERVICE_PORT_HTTP", "RONDO_REGISTRY_PORT")
    ports = ("RONDO_REGISTRY_PORT_8003_TCP", "RONDO_REGISTRY_PORT_8003_TCP_ADDR")
    assert list(unknown_variables((*others, *links, *ports), {"RONDO_X_OF_THIS_SERVICE"})) == []
