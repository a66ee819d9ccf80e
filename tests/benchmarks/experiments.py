"""The tables of the pages on experiments, generated from the newest recorded rows, like those of README."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, Any

from tests.benchmarks.detection import of_injected, of_kinds, of_stationary
from tests.benchmarks.readme import README
from tests.benchmarks.results import newest
from tests.benchmarks.serving_tables import beside_peers, of_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOCS = README.parent / "docs"
Rows = dict[str, dict[str, Any]]
# Eight kinds of drift, which is real or known.
EIGHT = (
    "acs", "agrawal-abrupt", "autocorrelated-labels", "flights", "hyperplane", "sea-abrupt", "stagger", "weather",
)  # fmt: skip
HOURLY = "by comparison, looked at every 8 hours"
OURS, NEVER, MONTHLY = "by comparison", "never", "monthly, all rows"
_WHOLE, _TINY = 1_000, 1e-4


def listed(rows: Rows) -> list[str]:
    """Return a table with a line for each row, next to the peer if there is one."""
    lines = ["| what | Rondo | peer | goal | met |", "| --- | ---: | ---: | --- | --- |"]
    for name, row in rows.items():
        peer = "" if row["peer"] is None else shown(row["peer"])
        met = "" if row["goal"] == "shown" else "yes" if row["met"] else "**no**"
        unit = f" {row['unit']}" if row["unit"] else ""
        lines.append(f"| {name} | {shown(row['ours'])}{unit} | {peer} | {row['goal']} | {met} |")
    return lines


def of_policies(rows: Rows) -> list[str]:
    """Return the accuracies by stream and policy, with the number of new versions in brackets."""
    accuracy, count = ": accuracy, ", ": new versions, "
    found: dict[str, dict[str, str]] = {}
    for name, row in rows.items():
        if accuracy not in name:
            continue
        stream, policy = name.split(accuracy)
        versions = rows.get(f"{stream}{count}{policy}")
        found.setdefault(stream, {})[policy] = f"{row['ours']:.3f}" + (f" ({versions['ours']:.0f})" if versions else "")
    policies = list(dict.fromkeys(policy for each in found.values() for policy in each))
    lines = [f"| stream | {' | '.join(policies)} |", f"| --- |{' ---: |' * len(policies)}"]
    # The means of all streams come last.
    streams = sorted(found, key=lambda each: (each.startswith("mean of"), each))
    return lines + [
        f"| {stream} | {' | '.join(found[stream].get(policy, '') for policy in policies)} |" for stream in streams
    ]


def of_flights(rows: Rows) -> list[str]:
    """Return the AUC of flights by policy."""
    auc = "flights: AUC from May to October, "
    lines = ["| policy | mean AUC, May to October | new versions |", "| --- | ---: | ---: |"]
    for name, row in rows.items():
        if name.startswith(auc):
            policy = name.removeprefix(auc)
            lines.append(f"| {policy} | {row['ours']:.3f} | {rows[f'flights: new versions, {policy}']['ours']:.0f} |")
    return lines


def of_goals(rows: Rows) -> list[str]:
    """Return the goals of the default of retraining on the labelled streams, and its results."""

    def accuracies(policy: str) -> list[float]:
        return [rows[f"{stream}: accuracy, {policy}"]["ours"] for stream in EIGHT]

    ours, never = accuracies(OURS), accuracies(NEVER)
    worst = min(mine - before for mine, before in zip(ours, never, strict=True))
    fourteen = rows[f"mean of 14 streams: accuracy, {OURS}"]["ours"]
    auc = rows[f"flights: AUC from May to October, {OURS}"]["ours"]
    count, most = (rows[f"flights: new versions, {policy}"]["ours"] for policy in (OURS, MONTHLY))
    month = mean(accuracies(MONTHLY))
    found = [
        ("mean accuracy on eight streams with drift", mean(ours), f"{month:.3f}, as monthly", mean(ours) >= month),
        ("the worst of them beside never retraining", worst, "-0.010", worst >= -0.01),
        ("mean accuracy on fourteen streams", fourteen, "0.854", fourteen >= 0.854),
        ("flights: mean AUC from May to October", auc, "0.731", auc >= 0.731),
        (f"the same with {most:.0f} new versions; there are {count:.0f}", auc, "0.727", auc >= 0.727 and count <= most),
    ]
    if beside := rows.get(f"flights: the worst month beside never, {HOURLY}"):
        name = "flights, looked at every 8 hours: the worst month's AUC beside never retraining"
        found.append((name, beside["ours"], "-0.010", beside["ours"] >= -0.01))
    lines = ["| what | by comparison | at least | met |", "| --- | ---: | --- | --- |"]
    return lines + [
        f"| {what} | {value:.3f} | {least} | {'yes' if met else '**no**'} |" for what, value, least, met in found
    ]


def of_costs(rows: Rows) -> list[str]:
    """Return the costs of the policies by stream and price, and Rondo's share of the oracle's cost."""
    found: dict[str, dict[str, float]] = {}
    for name, row in rows.items():
        stream, policy = name.split(": ")
        if row["goal"] == "shown":
            found.setdefault(stream, {})[policy] = row["ours"]
    policies = list(dict.fromkeys(policy for each in found.values() for policy in each))
    lines = [
        f"| stream, price | {' | '.join(policies)} | Rondo to oracle |",
        f"| --- |{' ---: |' * (len(policies) + 1)}",
    ]
    for stream, costs in found.items():
        figures = " | ".join(f"{costs[policy]:,.0f}" if policy in costs else "" for policy in policies)
        lines.append(f"| {stream} | {figures} | {costs['Rondo'] / costs['an oracle']:.2f} |")
    return lines


Sections = dict[str, tuple[str, "Callable[[Rows], list[str]]"]]
# The recorded table and its function, by the name in the page.
MONITORING: Sections = {
    "policies": ("policies", of_policies),
    "flights": ("policies", of_flights),
    "goals": ("policies", of_goals),
    "costs": ("costs", of_costs),
    "estimates": ("estimates", listed),
    "stationary": ("stationary", of_stationary),
    "injected": ("injected", of_injected),
    "kinds": ("injected", of_kinds),
    "throughput": ("throughput", listed),
    "oracles": ("oracles", listed),
}
SERVING: Sections = {
    "stream": ("stream", of_stream),
    "rest": ("rest", beside_peers),
    "grpc": ("grpc", beside_peers),
} | {
    name: (name, listed) for name in ("bulk", "crayfish", "replicas", "slow", "redeploy", "swaps", "kills", "rollouts")
}
PAGES: dict[Path, Sections] = {
    DOCS / "monitoring-experiments.md": MONITORING,
    DOCS / "serving-experiments.md": SERVING,
}


def shown(value: float) -> str:
    """Return a figure with the decimals that it needs."""
    if value == int(value) or abs(value) >= _WHOLE:
        return f"{value:,.0f}"
    if abs(value) < _TINY:
        return f"{value:.0e}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}"


def blocks(sections: Sections) -> dict[str, str]:
    """Return each table as its page has it, with the markers around it."""
    return {
        name: "\n".join([marker(name, table), *make(newest(table)), f"<!-- /{name} -->"])
        for name, (table, make) in sections.items()
    }


def marker(name: str, table: str) -> str:
    return f"<!-- {name}: generated by make bench ONLY={table} RECORD=1 -->"


def write() -> None:
    """Replace the tables.

    Raises:
        ValueError: a page has no markers for a table.

    """
    for path, sections in PAGES.items():
        page = path.read_text()
        for name, block in blocks(sections).items():
            before, rest = page.split(marker(name, sections[name][0]))
            page = before + block + rest.split(f"<!-- /{name} -->")[1]
        path.write_text(page)


if __name__ == "__main__":
    write()
