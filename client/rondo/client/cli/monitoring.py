"""The monitor's information about models, for `rondo models`, `status` and `predict`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rondo.client.cli.output import minute, print_note
from rondo.client.errors import ForbiddenError, NotFoundError, ServiceFailedError, UnavailableError, UnreachableError
from rondo.contracts.events.monitoring import GROUP_NAMES, Estimate, described_estimate
from rondo.contracts.figures import counted
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo

_NOT_MONITORED = "not monitored"
# Requests that are older than this are a replay of old data.
_FAR = timedelta(days=1)


async def monitoring(rondo: AsyncRondo) -> dict[str, dict[str, Any]] | None:
    """Return the monitor's summaries, as `AsyncRondo.monitoring`. None if the monitor does not answer."""
    if rondo.connection.monitor is None:
        return None
    try:
        return await rondo.monitoring()
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return None
    except ServiceFailedError as error:
        # The registry has the models, and a fault of the monitor does not hide them.
        print_note(f"warning: {error}")
        return None


async def replicas(rondo: AsyncRondo) -> dict[str, Any] | None:
    """Return the monitor's replicas, as `AsyncRondo.monitor_replicas`. None if the monitor does not answer."""
    if rondo.connection.monitor is None:
        return None
    try:
        return await rondo.monitor_replicas()
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return None


def shares(found: dict[str, Any] | None) -> list[str]:
    """Return the partitions of each replica, if there are several replicas, and the partitions without a replica."""
    if found is None:
        return []
    several = len(found["replicas"]) > 1
    listed = [
        f"replica {each['replica']}: {_partitions(each['partitions'])}, {counted(each['models'], 'model')}"
        for each in found["replicas"]
    ]
    unassigned = [f"no replica has {_partitions(found['unassigned'])} yet"] if found["unassigned"] else []
    return [*(listed if several else []), *unassigned]


def _partitions(numbers: list[int]) -> str:
    return f"partition{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}" if numbers else "no partitions"


def verdict(summary: dict[str, Any] | None) -> str:
    """Return the time since which a model can be judged, or what is missing. None means that it is not monitored."""
    if summary is None:
        return f"{_NOT_MONITORED}: the monitor does not have it yet"
    reason: str | None = summary["no_verdict"]
    never: str | None = summary.get("out_of_reach")
    judged = ", ".join(judged_since(summary))
    since = f"judged: {judged}" if judged else None
    # An older monitor does not send this field.
    slices: str | None = summary.get("unjudged_slices")
    if reason is None:
        unjudged = f"; no verdict yet: {slices}" if slices else ""
        return f"{since or 'judged'}{f', but {never}' if never else ''}{unjudged}"
    if reason.startswith(_NOT_MONITORED):
        return reason
    late: int = summary["late_outcomes"]
    if late and "outcomes" in reason:
        reason += f" ({counted(late, 'outcome')} arrived after their window closed: raise `data.label_delay`)"
    return "; ".join(filter(None, (f"no verdict yet: {reason}", slices, never, since)))


def judged_since(known: dict[str, Any]) -> list[str]:
    """Return the time since which each group of columns can be judged, from a summary or a status.

    An older monitor does not send it.
    """
    by_time: dict[str, list[str]] = {}
    for group, at in known.get("judged_since", {}).items():
        by_time.setdefault(f"{minute(at)} UTC", []).append(GROUP_NAMES.get(group, group))
    return [f"{_listed(groups)} since {at}" for at, groups in by_time.items()]


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_BY_EVIDENCE = ("drift", "performance", "slices", "quality", "detectors", "fairness")


def alerts(summary: dict[str, Any] | None) -> list[str]:
    """Return the kinds of the open alerts, with marks for silenced alerts and for weak evidence among many models."""
    if summary is None:
        return []
    silenced = summary.get("silenced_alerts", ())
    # An older monitor does not send this field.
    weak = () if summary.get("evident_over_models", True) else _BY_EVIDENCE
    return [
        f"{kind.replace('_', ' ')}{' (weak among all models)' * (kind in weak)}{' (silenced)' * (kind in silenced)}"
        for kind in summary["open_alerts"]
    ]


def estimates(summary: dict[str, Any] | None) -> list[str]:
    """Return the metrics that the monitor estimates for the newest rows, before their outcomes arrive."""
    given = (summary or {}).get("estimates", ())
    found = [Estimate.model_validate(each) for each in given if each["statistic"] in METRICS]
    return [f"estimated {described_estimate(each)}" for each in found]


def dropped_share(summary: dict[str, Any] | None) -> list[str]:
    """Return the share of the newest requests that is not monitored, if it is above 0.

    The share alone is not an alert.
    """
    share: float = summary["not_monitored_share"] if summary else 0.0
    return [f"{max(share, 0.01):.0%} of the newest requests not monitored"] if share else []


async def check_now_as_event_time(rondo: AsyncRondo, model: str) -> str | None:
    """Warn if the current time, which a request without an event time gets, is far from the model's other requests.

    Return a sentence with that time if the monitor knows no other request of the model.
    """
    now = datetime.now(UTC)
    newest = ((await monitoring(rondo) or {}).get(model) or {}).get("watermark")
    if newest is None:
        return f"no --event-time: the request counts as asked now, at {now:%Y-%m-%dT%H:%M:%SZ}"
    if now - datetime.fromisoformat(newest) >= _FAR:
        print_note(
            f"warning: no --event-time: the request counts as asked now, and the newest one of {model} is from "
            f"{newest}. The monitor then closes every window before now, and requests with older times are no longer "
            "monitored: give --event-time to requests about the past"
        )
    return None
