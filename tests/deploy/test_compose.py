"""The properties of docker-compose.yml, checked without Docker. `.ci/run` runs it for real where there is an engine."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from rondo.chassis.settings import ServiceSettings
from rondo.contracts.topics import SERVICES
from rondo.embedded.kafka.config import MESSAGE_MAX_BYTES

ROOT = Path(__file__).resolve().parents[2]
OWN = {
    "${RONDO_FUNCTIONS:-./functions}:/var/lib/rondo/functions:ro",
    "${RONDO_DETECTORS:-./detectors}:/var/lib/rondo/detectors:ro",
}
Containers = dict[str, dict[str, Any]]
ONE_SHOT = {"secrets", "prometheus-volume"}
MAY_START_AS_ROOT = {"postgres", *ONE_SHOT}
# The collector's image has one program and no shell, so it can have no health check. Services log failed exports.
WITHOUT_HEALTH_CHECK = {"otel-collector"}


def test_the_five_services_kafka_and_postgresql_are_there(containers: Containers) -> None:
    """Nothing else starts without a profile, except the container that creates the secrets."""
    started = {name for name, container in containers.items() if "profiles" not in container}
    assert started == {*SERVICES, "kafka", "postgres", "secrets"}


def test_the_documented_ports_of_several_monitors_are_those_of_no_other_container(containers: Containers) -> None:
    documented = re.search(r"RONDO_PORT_MONITOR=(\d+)-(\d+) ", (ROOT / "docs/monitoring.md").read_text())
    assert documented
    ports = [port for container in containers.values() for port in container.get("ports", ())]
    others = {int(found) for port in ports for found in re.findall(r":-(\d+)\}:", port)}
    assert {8004, 8006} <= others
    assert not others & set(range(int(documented[1]), int(documented[2]) + 1))


def test_every_container_is_held_to_limits_and_rights(containers: Containers) -> None:
    """Limits of memory, CPU, processes and log size. Only named capabilities, and no new privileges."""
    for name, container in containers.items():
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "cpus", "pids_limit"} <= container.keys(), name
        assert container["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert container["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert "privileged" not in container, name
        assert "cap_add" not in container or name in MAY_START_AS_ROOT, name


def test_services_run_on_a_read_only_file_system_as_their_own_user(containers: Containers) -> None:
    """The image sets the user. A service may only write to its volumes and /tmp."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert re.search(r"^USER rondo$", dockerfile, re.MULTILINE)
    for name in SERVICES:
        assert containers[name]["read_only"] is True, name
        assert "user" not in containers[name], name


def test_every_other_container_names_a_user_who_is_not_root(containers: Containers) -> None:
    """The user in the image does not count. deploy/compose/demo.sh checks that no process runs as root."""
    others = containers.keys() - SERVICES - MAY_START_AS_ROOT
    users = {name: str(containers[name].get("user", "root")).split(":")[0] for name in others}
    assert {name for name, user in users.items() if user in {"root", "0"}} == set()
    assert {"kafka", "prometheus", "grafana", "otel-collector", "jaeger"} == set(users)


def test_every_long_running_container_has_a_health_check(containers: Containers) -> None:
    """The health checks of the services are in their image."""
    assert "HEALTHCHECK" in (ROOT / "deploy/docker/Dockerfile").read_text()
    checked = {name for name, container in containers.items() if "healthcheck" in container} | set(SERVICES)
    assert containers.keys() - checked == ONE_SHOT | WITHOUT_HEALTH_CHECK


def test_ports_are_bound_to_loopback(containers: Containers) -> None:
    """Other machines on the network can't connect to them."""
    ports = [port for container in containers.values() for port in container.get("ports", [])]
    assert len(ports) == len(set(ports)) >= len(SERVICES)
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_no_secret_is_in_the_file() -> None:
    """Secrets are files of a volume. An address has a role and no password."""
    text = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"://[^/\s:@]+:[^/\s@]+@", text) == []
    named = [line.strip() for line in text.splitlines() if re.search(r"(PASSWORD|TOKEN|SECRET)\w*\s*[:=]", line)]
    assert [line for line in named if "/run/rondo/" not in line] == []


def test_each_secret_volume_has_one_reader(containers: Containers) -> None:
    """The container that creates the secrets is not counted."""
    readers: dict[str, list[str]] = {}
    for name, container in containers.items():
        for volume in container.get("volumes", []):
            if volume.startswith("secrets-") and name != "secrets":
                readers.setdefault(volume.split(":")[0], []).append(name)
                assert volume.endswith(":/run/rondo:ro")
    assert readers == {f"secrets-{name}": [name] for name in ("postgres", *SERVICES) if name != "serving"}


def test_only_ingestion_writes_data_and_who_writes_artifacts(containers: Containers) -> None:
    """One writer for each table. Artifacts are named by their digest.

    The trainer writes models that it made, and the registry models that it was given. Ingestion writes reports.
    """
    writers = {
        (volume.split(":")[0], name)
        for name in SERVICES
        for volume in containers[name]["volumes"]
        if not volume.endswith(":ro")
    }
    artifacts = {("artifacts", name) for name in ("ingestion", "trainer", "registry")}
    assert writers == {("data", "ingestion"), ("inbox", "ingestion"), *artifacts}


def test_every_volume_is_named_and_every_named_one_used(compose: dict[str, Any], containers: Containers) -> None:
    """A mount from the checkout is read-only. So are the folders of functions and detectors, which may be absent."""
    used = set()
    for container in containers.values():
        for volume in container.get("volumes", []):
            if volume in OWN:
                continue
            source, *rest = volume.split(":")
            used |= set() if source.startswith("./") else {source}
            assert not source.startswith("./") or (rest[-1] == "ro" and (ROOT / source).exists())
    assert used == set(compose["volumes"])


def test_services_start_after_their_dependencies(containers: Containers) -> None:
    """Serving starts without PostgreSQL, on which it does not depend."""
    for name in SERVICES:
        after = {each: condition["condition"] for each, condition in containers[name]["depends_on"].items()}
        expected = {"secrets": "service_completed_successfully", "kafka": "service_healthy"}
        assert after == expected | ({} if name == "serving" else {"postgres": "service_healthy"})


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_exactly_the_settings_it_has(name: str, containers: Containers) -> None:
    """A variable that no setting reads would be misspelt, and a setting without its variable would be missing."""
    module = importlib.import_module(f"rondo.{name}.settings")
    settings = next(
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, ServiceSettings) and each.__module__ == module.__name__
    )
    passed = {
        variable.removeprefix("RONDO_").removesuffix("_FILE").lower() for variable in containers[name]["environment"]
    }
    in_image = {"service", "http_host", "http_port"}
    needed = {field for field, info in settings.model_fields.items() if info.is_required()}
    assert passed <= set(settings.model_fields)
    assert needed - in_image <= passed


def test_kafka_is_as_strict_as_the_embedded_one(containers: Containers) -> None:
    """A message that is too large, or a missing topic, is thus found in the demo."""
    environment = containers["kafka"]["environment"]
    assert environment["KAFKA_MESSAGE_MAX_BYTES"] == str(MESSAGE_MAX_BYTES)
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_prometheus_asks_every_service() -> None:
    """Prometheus uses the port on which the image listens."""
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    assert sorted(re.findall(r"(\w+):8000", text)) == sorted(SERVICES)
