"""The messages to Alertmanager, checked against the definitions of its OpenAPI document."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft4Validator, FormatChecker
from rondo.contracts.vocabularies import AlertKind, Severity
from rondo.monitor.notifications.message_content import alertmanager_body

from tests.monitor.fakes import NOW
from tests.monitor.notifications.messages import ALERT, OVER, WORSE, of, opened, resolved

if TYPE_CHECKING:
    from rondo.monitor.notifications.message_content import AlertMessage

DOCUMENT = yaml.safe_load((Path(__file__).parent / "alertmanager" / "openapi.yaml").read_text())
FORMATS = FormatChecker(formats=[])


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    """Return whether a text is a time of RFC 3339 with its offset."""
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


SCHEMA = Draft4Validator(DOCUMENT | {"$ref": "#/definitions/postableAlerts"}, format_checker=FORMATS)


def errors(body: Any) -> list[str]:
    return [each.message for each in SCHEMA.iter_errors(body)]


def known_members() -> set[str]:
    """Return the members of an alert. The document allows others, but gives them no meaning."""
    definitions = DOCUMENT["definitions"]
    parts = [definitions["alert"], *definitions["postableAlert"]["allOf"]]
    return {name for part in parts for name in part.get("properties", {})}


@pytest.mark.parametrize(
    "message",
    [
        opened(),
        opened(WORSE, ALERT),
        opened(*(of(ALERT, alert_id=kind, kind=kind) for kind in AlertKind)),
        opened(*(of(ALERT, alert_id=severity, severity=severity) for severity in Severity)),
        opened(of(ALERT, version=None), of(ALERT, title='läßt\n"nach"', detail="")),
        opened(of(ALERT, raised_at=NOW + timedelta(microseconds=1))),
        resolved(),
        resolved(OVER, of(OVER, alert_id="a2", resolution=None)),
    ],
    ids=["one", "two", "each kind", "each severity", "odd texts", "microseconds", "over", "two over"],
)  # fmt: skip
def test_a_message_is_what_the_document_of_alertmanager_asks_for(message: AlertMessage) -> None:
    body = alertmanager_body(message, NOW)
    assert errors(body) == []
    assert len(body) == len(message.alerts)
    assert {name for each in body for name in each} <= known_members()


def test_the_document_refuses_other_bodies() -> None:
    (alert,) = alertmanager_body(opened(), NOW)
    labels = alert["labels"]
    wrong = [
        alert,
        [{**alert, "startsAt": "2026-05-04"}],
        [{**alert, "endsAt": "2026-05-04T12:00:00"}],
        [{**alert, "labels": {**labels, "model_version": 3}}],
        [{**alert, "annotations": {"summary": None}}],
        [{name: each for name, each in alert.items() if name != "labels"}],
    ]
    assert [len(errors(each)) for each in wrong] == [1] * len(wrong)
