"""Settings of the monitor, from environment variables."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, SecretStr, field_validator

from rondo.chassis.settings import PostgresSettings
from rondo.monitor.alerts import webhook

# The share of the time that checkpoints may take: a large state is saved less often.
_CHECKPOINT_SHARE = 0.1


@dataclass(frozen=True)
class MonitorTimings:
    """Intervals and timeouts, in seconds.

    After `outcomes_idle_timeout` without newer outcomes, windows close without waiting for them. After
    `profile_timeout` rows of a version without a known profile are dropped.
    """

    checkpoint_interval: float = 1.0
    outcomes_idle_timeout: float = 60.0
    max_out_of_orderness: float = 1.0
    profile_timeout: float = 300.0

    @property
    def max_out_of_orderness_micros(self) -> int:
        """`max_out_of_orderness` in microseconds, the unit of event time; at least one."""
        return max(1, round(self.max_out_of_orderness * 1_000_000))

    def until_checkpoint(self, took: float) -> float:
        """Return the least time to the next checkpoint, when the last one `took` this long."""
        return max(self.checkpoint_interval, took / _CHECKPOINT_SHARE)


class MonitorSettings(PostgresSettings):
    """`artifacts` is the artifact store, a folder or a URL; it is only read.

    `webhook_urls` are addresses separated by commas; the prefix `alertmanager+` selects that format. `webhook_secret`
    signs the calls in the other format.
    """

    service: str = "monitor"
    artifacts: str
    webhook_urls: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    checkpoint_interval: float = Field(default=1.0, gt=0)
    outcomes_idle_timeout: float = Field(default=60.0, ge=0)
    max_out_of_orderness: float = Field(default=1.0, gt=0)

    @field_validator("webhook_urls")
    @classmethod
    def _are_webhooks(cls, value: SecretStr) -> SecretStr:
        webhook.receivers(value.get_secret_value())
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: SecretStr) -> SecretStr:
        webhook.signer(value.get_secret_value())
        return value

    @property
    def timings(self) -> MonitorTimings:
        """The intervals and timeouts of the pipeline."""
        return MonitorTimings(self.checkpoint_interval, self.outcomes_idle_timeout, self.max_out_of_orderness)

    @property
    def receivers(self) -> tuple[webhook.Receiver, ...]:
        """The webhooks that receive alerts."""
        return webhook.receivers(self.webhook_urls.get_secret_value())
