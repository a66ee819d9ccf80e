"""The messages that are due: groups, repetitions at growing intervals, ends, silences."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rondo.contracts.vocabularies import Severity
from rondo.monitor.notifications.message_plan import Policy, due_messages

from tests.monitor.fakes import NOW
from tests.monitor.notifications.messages import ALERT, OVER, POLICY, SILENCE, WAIT, WORSE, of

if TYPE_CHECKING:
    from rondo.monitor.notifications.alert_record import AlertRecord, Silence

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SENT = of(ALERT, messages=1, last_message_at=NOW)


def due(
    at: datetime, *alerts: AlertRecord, silences: tuple[Silence, ...] = (), policy: Policy = POLICY
) -> list[tuple[str, list[str]]]:
    found = due_messages(alerts, silences, policy, at)
    return [(each.reason, [alert.alert_id for alert in each.alerts]) for each in found]


def test_alerts_of_a_version_that_open_within_the_wait_are_one_message_the_most_severe_first() -> None:
    later = of(WORSE, opened_at=NOW + timedelta(seconds=20))
    assert due(NOW + timedelta(seconds=29), ALERT, later) == []
    assert due(NOW + WAIT, ALERT, later) == [("opened", ["a2", "a1"])]


def test_alerts_of_other_models_and_versions_are_other_messages() -> None:
    others = [of(ALERT, alert_id="b", version=2), of(ALERT, alert_id="c", model="rides"), of(ALERT, version=None)]
    assert due(NOW + WAIT, ALERT, *others) == [("opened", [each]) for each in ("a1", "b", "c", "a1")]


def test_a_further_alert_is_a_message_with_those_that_are_open() -> None:
    further = of(WORSE, opened_at=NOW + HOUR)
    assert due(NOW + HOUR, SENT, further) == []
    assert due(NOW + HOUR + WAIT, SENT, further) == [("opened", ["a2", "a1"])]


@pytest.mark.parametrize(("messages", "after"), [(1, DAY), (2, 7 * DAY), (3, 7 * DAY), (50, 7 * DAY)])
def test_an_open_alert_is_repeated_at_a_growing_distance(messages: int, after: timedelta) -> None:
    lasting = of(ALERT, messages=messages, last_message_at=NOW)
    assert due(NOW + after - HOUR, lasting) == []
    assert due(NOW + after, lasting) == [("repeated", ["a1"])]


def test_without_distances_nothing_is_repeated() -> None:
    assert due(NOW + 5_000 * DAY, SENT, policy=Policy(WAIT, ())) == []


def test_an_alert_below_the_least_severity_is_in_no_message_until_it_ends() -> None:
    policy = replace(POLICY, least=Severity.WARNING)
    harmless, new = of(SENT, severity="info"), of(ALERT, alert_id="a3", severity="info")
    assert due(NOW + 5_000 * DAY, harmless, new, policy=policy) == []
    assert due(NOW + WAIT, new, WORSE, policy=policy) == [("opened", ["a2"])]
    assert due(NOW + WAIT, new) == [("opened", ["a3"])], "the policy of a later start"
    assert due(NOW + WAIT, of(ALERT, severity="urgent"), policy=policy) == [("opened", ["a1"])]
    assert due(NOW + DAY, of(OVER, severity="info"), policy=policy) == [("resolved", ["a1"])]
    only = replace(POLICY, least=Severity.CRITICAL)
    assert due(NOW + WAIT, ALERT, WORSE, policy=only) == [("opened", ["a2"])]


def test_an_end_is_one_message_for_all_alerts_that_are_over() -> None:
    ends = [OVER, of(WORSE, messages=3, last_message_at=NOW, closed_at=NOW)]
    assert due(NOW + DAY, *ends) == [("resolved", ["a2", "a1"])]
    assert due(NOW + DAY, *(of(each, end_sent=True) for each in ends)) == []


def test_an_alert_that_was_over_before_its_message_has_none() -> None:
    assert due(NOW + DAY, of(OVER, messages=0, last_message_at=None)) == []


def test_a_silenced_alert_is_in_no_message() -> None:
    during, after = NOW + HOUR, NOW + 2 * HOUR
    alerts = (ALERT, of(SENT, alert_id="b", last_message_at=NOW - 5 * DAY), of(OVER, alert_id="c"))
    assert due(during, *alerts, silences=(SILENCE,)) == []
    assert due(after, *alerts, silences=(SILENCE,)) == [("resolved", ["c"]), ("opened", ["a1", "b"])]


def test_a_silence_of_a_kind_leaves_the_other_kinds() -> None:
    silence = of_silence(kind="drift")
    assert due(NOW + HOUR, ALERT, WORSE, silences=(silence,)) == [("opened", ["a2"])]
    assert due(NOW + HOUR, of(ALERT, model="rides"), silences=(silence,)) == [("opened", ["a1"])]


@pytest.mark.parametrize("ended_at", [None, NOW + HOUR])
def test_an_alert_that_is_still_open_after_a_silence_is_sent_again_once(ended_at: datetime | None) -> None:
    silence = of_silence(ended_at=ended_at)
    before = silence.end - timedelta(seconds=1)
    assert due(before, SENT, silences=(silence,)) == []
    assert due(silence.end, SENT, silences=(silence,)) == [("silence_ended", ["a1"])]
    assert due(silence.end + HOUR, of(SENT, messages=2, last_message_at=silence.end), silences=(silence,)) == []


def test_the_id_of_a_message_is_that_of_what_it_reports() -> None:
    def ids(*alerts: AlertRecord) -> list[str]:
        return [each.message_id for each in due_messages(alerts, (), POLICY, NOW + 30 * DAY)]

    assert ids(ALERT, WORSE) == ids(WORSE, ALERT)
    assert len({*ids(ALERT), *ids(SENT), *ids(ALERT, WORSE), *ids(OVER), *ids(of(OVER, messages=2))}) == 5


def of_silence(**changes: Any) -> Silence:
    return replace(SILENCE, **changes)
