"""The rules of Prometheus use series that the services export, and link to pages that exist."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("services/*/rondo/*/metrics.py"))
# The labels that Prometheus adds: the service by prometheus.yml, and the others always.
ADDED = {"service", "job", "instance"}


def rules() -> list[dict[str, Any]]:
    """Return the rules of all groups."""
    content = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def exported() -> dict[str, set[str]]:
    """Return the labels of every metric, by the names of its series."""
    modules = [importlib.import_module(f"rondo.{page.parent.name}.metrics") for page in PAGES]
    metrics = [each for module in modules for each in vars(module).values() if isinstance(each, MetricWrapperBase)]
    endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {f"{each._name}{ending}": set(each._labelnames) for each in metrics for ending in endings[str(each._type)]}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_series_and_labels_that_are_exported(rule: dict[str, Any]) -> None:
    known = exported()
    asked = set(re.findall(r"rondo_\w+", rule["expr"]))
    assert asked - known.keys() == set()
    labels = ADDED.union(*(known[name] for name in asked))
    named = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", rule["expr"])) | set(re.findall(r"\$labels\.(\w+)", str(rule)))
    assert named - labels == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_leads_to_a_page(rule: dict[str, Any]) -> None:
    assert (ROOT / rule["annotations"]["runbook"]).is_file()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, which comes with Prometheus, is not here")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "deploy/prometheus/prometheus.yml"),
        ("test", "rules", "tests/deploy/alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_accepts_the_rules_and_their_alerts_fire_as_expected(command: tuple[str, ...]) -> None:
    ended = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert ended.returncode == 0, ended.stdout + ended.stderr
