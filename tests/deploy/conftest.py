"""docker-compose.yml, parsed as YAML with the result of `docker compose config`, without Docker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """Return the file. Anchors and merges are resolved."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


@pytest.fixture(scope="session")
def containers(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services of the file, by name."""
    services: dict[str, dict[str, Any]] = compose["services"]
    return services
