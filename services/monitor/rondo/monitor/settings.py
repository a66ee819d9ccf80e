"""Settings of the monitor, from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from rondo.chassis.settings import PostgresSettings
from rondo.contracts.spec.duration import parse_duration
from rondo.contracts.vocabularies import Severity
from rondo.monitor.costs.cost_status import Power
from rondo.monitor.notifications import webhook, webhook_receivers
from rondo.monitor.notifications.message_plan import Policy

# The share of the time that checkpoints may take. A large state is saved less often.
_CHECKPOINT_SHARE = 0.1
_SHORTEST_REPEAT = timedelta(minutes=1)


class RepeatTooOftenError(ValueError):
    """An interval in RONDO_ALERT_REPEAT is less than a minute."""

    code: ClassVar[str] = "repeat_too_often"

    def __init__(self) -> None:
        super().__init__(
            "a distance between two messages is a minute at least: write such as 1d,7d, or nothing for one message"
        )


@dataclass(frozen=True)
class MonitorTimings:
    """Intervals and timeouts, in seconds.

    After `outcomes_idle_timeout` without newer outcomes, windows close without waiting for outcomes. After
    `profile_timeout`, rows of a version without a known profile are dropped.
    """

    checkpoint_interval: float = 1.0
    outcomes_idle_timeout: float = 60.0
    max_out_of_orderness: float = 1.0
    profile_timeout: float = 300.0

    @property
    def max_out_of_orderness_micros(self) -> int:
        """`max_out_of_orderness` in microseconds, the unit of event time. At least 1."""
        return max(1, round(self.max_out_of_orderness * 1_000_000))

    def until_checkpoint(self, took: float) -> float:
        """Return the least time to the next checkpoint, in seconds, if the last one `took` this long."""
        return max(self.checkpoint_interval, took / _CHECKPOINT_SHARE)


class MonitorSettings(PostgresSettings):
    """`artifacts` is the artifact store, a folder or a URL. The monitor only reads it.

    `webhook_urls` are addresses separated by commas. The prefixes `alertmanager+` and `apprise+` select these formats.
    `webhook_secret` signs the calls in the default format. `alert_group_wait` is in seconds. `alert_repeat` are
    durations separated by commas, and `alert_min_severity` is a severity, see `message_plan.Policy`. `detectors` is a
    folder of packages with users' detectors, or None. `cpu_watts` and `grid_grams_per_kwh` are those of
    `cost_status.Power`.
    """

    service: str = "monitor"
    artifacts: str
    webhook_urls: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    alert_group_wait: float = Field(default=30.0, ge=0, le=3_600)
    alert_repeat: str = "1d,7d"
    alert_min_severity: Severity = Severity.INFO
    detectors: str = ""
    detector_seconds: float = Field(default=5.0, gt=0, le=60)
    checkpoint_interval: float = Field(default=1.0, gt=0)
    outcomes_idle_timeout: float = Field(default=60.0, ge=0)
    max_out_of_orderness: float = Field(default=1.0, gt=0)
    cpu_watts: float = Field(default=4.0, ge=0, le=10_000)
    grid_grams_per_kwh: float = Field(default=480.0, ge=0, le=10_000)

    @field_validator("webhook_urls")
    @classmethod
    def _are_webhooks(cls, value: SecretStr) -> SecretStr:
        webhook_receivers.receivers(value.get_secret_value())
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: SecretStr) -> SecretStr:
        webhook.signer(value.get_secret_value())
        return value

    @field_validator("alert_repeat")
    @classmethod
    def _are_distances(cls, value: str) -> str:
        _distances(value)
        return value

    @property
    def messages(self) -> Policy:
        """The policy that decides when messages about alerts are due."""
        wait = timedelta(seconds=self.alert_group_wait)
        return Policy(wait, _distances(self.alert_repeat), self.alert_min_severity)

    @property
    def timings(self) -> MonitorTimings:
        """The intervals and timeouts of the pipeline."""
        return MonitorTimings(self.checkpoint_interval, self.outcomes_idle_timeout, self.max_out_of_orderness)

    @property
    def power(self) -> Power:
        """The power and emission figures for the estimate of emissions."""
        return Power(self.cpu_watts, self.grid_grams_per_kwh)

    @property
    def receivers(self) -> tuple[webhook_receivers.Receiver, ...]:
        """The webhooks that receive alerts."""
        return webhook_receivers.receivers(self.webhook_urls.get_secret_value())


def _distances(text: str) -> tuple[timedelta, ...]:
    """Return the durations in a text such as `1d,7d`. An empty text has none."""
    found = tuple(parse_duration(each.strip()) for each in text.split(",") if each.strip())
    if any(each < _SHORTEST_REPEAT for each in found):
        raise RepeatTooOftenError
    return found
