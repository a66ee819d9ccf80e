"""What the monitor is told by its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from rondo.chassis.settings import PostgresSettings
from rondo.monitor.alerts import webhook
from rondo.monitor.pace import Pace


class MonitorSettings(PostgresSettings):
    """`webhook_urls`: addresses with commas in between, `alertmanager+` before one asks for that format.

    `save_every` seconds pass between two saves when nothing is to be announced; after `outcomes_idle` seconds without
    newer outcomes a window that is over waits for them no more; rows may come `disorder` seconds out of their order.
    """

    service: str = "monitor"
    webhook_urls: SecretStr = SecretStr("")
    save_every: float = Field(default=1.0, gt=0)
    outcomes_idle: float = Field(default=60.0, ge=0)
    disorder: float = Field(default=1.0, gt=0)

    @field_validator("webhook_urls")
    @classmethod
    def _are_webhooks(cls, value: SecretStr) -> SecretStr:
        webhook.receivers(value.get_secret_value())
        return value

    @property
    def pace(self) -> Pace:
        """How long the watching waits for what."""
        return Pace(self.save_every, self.outcomes_idle, self.disorder)

    @property
    def receivers(self) -> tuple[webhook.Receiver, ...]:
        """Who hears of alerts."""
        return webhook.receivers(self.webhook_urls.get_secret_value())
