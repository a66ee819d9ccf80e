"""The cost of a version in the form of the status: quantiles, and figures per 1,000 predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value

if TYPE_CHECKING:
    from rondo.monitor.costs.version_cost import ModelCosts, VersionCost

_JOULES_OF_KWH = 3_600_000


@dataclass(frozen=True)
class Power:
    """The basis of an estimate of emissions: the `watts` of a busy processor, and `grams_per_kwh` of the grid.

    `watts` includes the processor's share of the data centre. `grams_per_kwh` are grams of CO2 equivalents. The
    defaults are 3.5 W for a busy vCPU of AWS times 1.135 for the data centre (Cloud Carbon Footprint, methodology,
    appendix I), and the world's average of 2023 (Ember, Global Electricity Review 2024).
    """

    watts: float = 4.0
    grams_per_kwh: float = 480.0


class CostStatus(Value):
    """The cost of a version since the monitor knows it, or in a window.

    The latency is that of an inference of a micro-batch, in seconds, without the network and the wait for Kafka.
    `errors` are rows without a prediction, and `error_share` is their share of all rows. `memory_bytes` is the memory
    of a whole replica. `cpu_seconds` and `emissions_grams` are per 1,000 predictions. `emissions_grams` is an estimate
    from the processor time, without memory and manufacture.
    """

    version: int
    predictions: int
    errors: int
    error_share: float = 0.0
    latency_p50: float | None
    latency_p95: float | None
    latency_p99: float | None
    memory_bytes: int | None
    cpu_seconds: float | None
    emissions_grams: float | None


def cost_statuses(costs: ModelCosts, power: Power) -> tuple[CostStatus, ...]:
    """Return the cost of each version, the newest first."""
    return tuple(cost_status(version, cost, power) for version, cost in sorted(costs.versions.items(), reverse=True))


def cost_status(version: int, cost: VersionCost, power: Power) -> CostStatus:
    """Return a cost in the form of the status."""
    seconds = cost.cpu_micros / 1e6 / cost.rows * 1_000 if cost.rows else None
    return CostStatus(
        version=version,
        predictions=cost.rows,
        errors=cost.failed,
        error_share=cost.failed / max(cost.rows + cost.failed, 1),
        latency_p50=cost.quantile(0.5),
        latency_p95=cost.quantile(0.95),
        latency_p99=cost.quantile(0.99),
        memory_bytes=cost.memory or None,
        cpu_seconds=seconds,
        emissions_grams=None if seconds is None else seconds * power.watts / _JOULES_OF_KWH * power.grams_per_kwh,
    )
