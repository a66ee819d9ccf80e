"""The report at the end of the demo: what was counted, what it took, and whether that is good enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

_MIN_REDEPLOYMENTS = 3
_MAX_LISTED = 5


@dataclass(frozen=True)
class Retrain:
    """One turn of the loop, in seconds from the monitor's event to the first prediction of the new version."""

    model_version: int
    kind: str
    detail: str
    seconds_with_training: float | None
    seconds_without_training: float | None


@dataclass(frozen=True)
class Report:
    """The figures. `lost` and `doubled` are request ids, from the topics; AUC is by month (1 to 12)."""

    requests: int
    answered: int
    refused: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    retrains: tuple[Retrain, ...]
    auc_with_loop: dict[int, float]
    auc_without_loop: dict[int, float]
    seconds_of_replay: float
    restarts: dict[str, int]
    versions_served: dict[int, int]
    required_redeployments: int = _MIN_REDEPLOYMENTS

    @property
    def problems(self) -> list[str]:
        """What keeps this run from being a success; empty when it is one."""
        found = []
        if self.lost:
            found.append(f"{len(self.lost)} requests have no answer, such as {', '.join(self.lost[:_MAX_LISTED])}")
        if self.doubled:
            found.append(
                f"{len(self.doubled)} requests were answered twice, such as {', '.join(self.doubled[:_MAX_LISTED])}"
            )
        if self.refused:
            found.append(f"{self.refused} requests were refused: see why in the headers of `predictions.failed`")
        served = [retrain for retrain in self.retrains if retrain.seconds_with_training is not None]
        if len(served) < self.required_redeployments:
            found.append(
                f"{len(served)} redeployments were triggered by drift or performance and served, "
                f"{self.required_redeployments} are expected; a slower SPEED gives training more event time"
            )
        return found

    @property
    def exit_code(self) -> int:
        """0 for a success, else 1."""
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, object]:
        """The report as JSON values, with its verdict."""
        return asdict(self) | {"problems": self.problems, "ok": not self.problems}


def as_markdown(report: Report) -> str:
    """Write the report for people; the same text goes to the screen and into the file."""
    verdict = "Not one prediction was lost." if not report.problems else "\n".join(f"- {p}" for p in report.problems)
    lines = [
        "# A year of flights through Rondo",
        "",
        verdict,
        "",
        "| requests sent | answered | refused | lost | answered twice | replay |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        _counts(report),
        "",
        "Counted from the topics by an independent read_committed reader.",
        "",
        *_retrains(report),
        "",
        *_auc(report),
        "",
        *_restarts(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _counts(report: Report) -> str:
    cells = (report.requests, report.answered, report.refused, len(report.lost), len(report.doubled))
    return "| " + " | ".join(f"{cell:,}" for cell in cells) + f" | {report.seconds_of_replay:.0f} s |"


def _retrains(report: Report) -> list[str]:
    rows = [
        f"| {r.model_version} | {r.kind} | {r.detail} | {_seconds(r.seconds_with_training)} "
        f"| {_seconds(r.seconds_without_training)} | {report.versions_served.get(r.model_version, 0):,} |"
        for r in report.retrains
    ]
    return [
        "Redeployed by itself; the seconds are from the monitor's event to the first prediction of the new version:",
        "",
        "| version | because of | detail | with training | without | predictions |",
        "| ---: | --- | --- | ---: | ---: | ---: |",
        *(rows or ["| - | nothing | | | | |"]),
    ]


def _seconds(value: float | None) -> str:
    return "not served" if value is None else f"{value:.2f} s"


def _auc(report: Report) -> list[str]:
    months = sorted(report.auc_with_loop.keys() | report.auc_without_loop.keys())
    names = [date(2013, month, 1).strftime("%b") for month in months]
    return [
        "| AUC by month | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * len(months),
        "| with the loop | " + " | ".join(_figure(report.auc_with_loop.get(month)) for month in months) + " |",
        "| never retrained | " + " | ".join(_figure(report.auc_without_loop.get(month)) for month in months) + " |",
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _restarts(report: Report) -> list[str]:
    restarted = {name: count for name, count in report.restarts.items() if count}
    if not restarted:
        return []
    return [
        "Killed and started again: " + ", ".join(f"{name} {count} times" for name, count in restarted.items()) + "."
    ]
