"""`rondo models`, `runs`, `history` and `lineage`: models, their trainings, versions and lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.monitoring import alerts, dropped_share, monitoring, verdict
from rondo.client.cli.output import Json, minute, print_json, print_list, print_table
from rondo.client.cli.versions.adaptation import explained, rows_of
from rondo.client.cli.versions.trials import best_trials
from rondo.contracts.figures import figure
from rondo.contracts.tasks.registry import METRICS, headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.client.asynchronous import AsyncRondo

_MONITORING = "monitoring"


def models(
    model: Annotated[str | None, typer.Argument(help="List the versions of this model.")] = None,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """List the models with their verdicts and open alerts, or the versions of one model."""
    if model is not None:
        _versions(model, json=json)
        return
    print_list(
        session.run(_models),
        ("model", "champion", "last version", "spec", "serves", "monitoring", "alerts"),
        lambda m: (
            m["model"],
            m["champion"],
            m["last_version"],
            m["spec_revision"],
            routes(m),
            *_monitoring_cells(m),
        ),
        empty="no models yet: `rondo apply rondo.yaml` creates one",
        json=json,
    )


async def _models(rondo: AsyncRondo) -> list[dict[str, Any]]:
    """Return the models. If the monitor answers, each has the monitor's summary as `monitoring`."""
    found, summaries = await rondo.models(), await monitoring(rondo)
    return [m if summaries is None else m | {_MONITORING: summaries.get(m["model"])} for m in found]


def _monitoring_cells(model: dict[str, Any]) -> tuple[str, str]:
    if _MONITORING not in model:
        return "unknown", "unknown"
    summary = model[_MONITORING]
    return verdict(summary), ", ".join([*alerts(summary), *dropped_share(summary)]) or "none"


def _versions(model: str, *, json: bool) -> None:
    print_list(
        session.run(lambda rondo: rondo.versions(model)),
        ("version", "state", "on its holdout", "because of", "trained on", "registered", "gates not passed"),
        _version_cells,
        empty=f"{model} has no versions yet: the first training creates version 1, `rondo runs {model}` shows it",
        json=json,
    )


def runs(
    model: Annotated[str | None, typer.Argument(help="List only those of this model.")] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """List the latest training runs and skipped trainings, newest first: their trigger, end and reason."""
    whose = f"{model} has " if model is not None else ""
    print_list(
        session.run(lambda rondo: rondo.runs(model)),
        ("run", "model", "state", "trigger", "started", "finished", "detail"),
        _run_cells,
        empty=f"{whose}no training runs yet: `rondo watch training.started` shows the next one",
        json=json,
    )


def history(model: str, json: Json = False) -> None:  # noqa: FBT002
    """Show which version served when."""
    print_list(
        session.run(lambda rondo: rondo.history(model)),
        ("version", "role", "share", "since", "until", "decided by", "reason"),
        _period_cells,
        empty=f"{model} has not served yet: a version serves after its promotion (`rondo models {model}`)",
        json=json,
    )


def lineage(model: str, version: int, json: Json = False) -> None:  # noqa: FBT002
    """Show the origin of a version: trigger, data, spec, code, trials, gates, deployments."""
    found = session.run(lambda rondo: _lineage(rondo, model, version))
    if json:
        print_json(found)
    else:
        print_table(("", f"{model} version {version}, {found['state']}"), _rows(found))


async def _lineage(rondo: AsyncRondo, model: str, version: int) -> dict[str, Any]:
    """Return a lineage with the `trials` of its search, which only the evidence has."""
    found = await rondo.lineage(model, version)
    if not (found.get("parameters") or {}).get("search"):
        return found
    evidence = (await rondo.version(model, version)).get("evidence") or {}
    return found | {"trials": evidence.get("trials", [])}


def _version_cells(version: dict[str, Any]) -> tuple[object, ...]:
    number, state, metric = version["model_version"], version["state"], _metric(version)
    because, rows = version["trigger"]["kind"], rows_of(version.get("adaptation"))
    return number, state, metric, because, rows, minute(version["registered_at"]), _failed(version)


def _period_cells(period: dict[str, Any]) -> tuple[object, ...]:
    since, until = minute(period["since"]), minute(period["until"])
    share = f"{period['share']:.0%}"
    return period["model_version"], period["role"], share, since, until, period["decided_by"], period["reason"]


def _run_cells(run: dict[str, Any]) -> tuple[object, ...]:
    started, finished = minute(run["started_at"]), minute(run["finished_at"])
    return run["run_id"], run["model"], run["state"], run["trigger"]["kind"], started, finished, run["detail"]


def routes(model: dict[str, Any]) -> str:
    """Return the versions that serve a model, with their shares of the requests."""
    shares = [f"version {route['model_version']} {route['share']:.0%}" for route in model["routes"]]
    return ", ".join(shares) or "nothing"


def _metric(version: dict[str, Any]) -> str | None:
    """Return the primary metric of a version. Metrics that are not finite come as texts."""
    return headline(version["task"], {name: float(value) for name, value in version["metrics"].items()})


def _failed(version: dict[str, Any]) -> str:
    return "; ".join(gate["message"] for gate in version["gates"] if not gate["passed"])


def _function_and_members(training: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the code of a user's own function and the models of an ensemble. An older registry sends neither."""
    rows: list[tuple[str, object]] = []
    if function := training.get("function"):
        rows.append(("function", f"{function['function']} in {function['package']} ({function['digest']})"))
    for member in training.get("members", ()):
        version, weight = member["model_version"], f"{float(member['weight']):.1%}"
        whose = "its own model" if version is None else f"the model of version {version} ({member['digest']})"
        rows.append(("member", f"{weight} {whose}"))
    return rows


def _rows(lineage: dict[str, Any]) -> list[tuple[str, object]]:
    training, trigger = lineage["training"], lineage["trigger"]
    return [
        ("because of", f"{trigger['kind']}: {trigger['detail']}"),
        ("artifact", f"{lineage['artifact']} ({lineage['artifact_bytes']:,} bytes)"),
        *(("data", f"{d['table']} version {d['version']} ({d['digest']})") for d in training["data"]),
        ("known until", minute(training["as_of"])),
        *((("registered file", trigger["artifact"]),) if trigger.get("artifact") else ()),
        ("rows", f"{training['rows_trained']:,} trained, {training['rows_holdout']:,} held out"),
        *explained(training.get("adaptation")),
        ("spec", training["spec_digest"]),
        ("code, seed", f"{training['code_version']}, {training['seed']}"),
        *_parameters(lineage.get("parameters"), lineage.get("trials", ())),
        *_function_and_members(training),
        *_answer_rule(lineage.get("answer_rule")),
        ("on its holdout", _metric(lineage)),
        *(("importance", _importance(each)) for each in lineage.get("importance", ())),
        *(("note", note["message"]) for note in lineage["notes"]),
        *(("gate", f"{'passed' if g['passed'] else 'NOT passed'}: {g['message']}") for g in lineage["gates"]),
        *(
            ("served", f"{p['share']:.0%} from {minute(p['since'])} until {minute(p['until']) or 'now'}")
            for p in lineage["deployments"]
        ),
    ]


def _parameters(parameters: dict[str, Any] | None, trials: Sequence[dict[str, Any]]) -> list[tuple[str, object]]:
    """Return the rows of the trainer's parameters, and of the search that found them."""
    if parameters is None:
        return []
    params = ", ".join(f"{name} {_shown(value)}" for name, value in parameters["params"].items())
    rows: list[tuple[str, object]] = [("parameters", f"{parameters['kind']}: {params or 'all by default'}")]
    if search := parameters["search"]:
        metric = METRICS.get(search["metric"])
        value = metric.written(float(search["value"])) if metric else f"{search['metric']} {search['value']}"
        found = f"trial {search['best'] + 1} of {search['trials']} is the best, with parameters of the"
        others = f"{search['pruned']} pruned, {search['failed']} failed"
        rows.append(("search", f"{found} {search['origin']}: {value} on inner splits ({others})"))
        rows += best_trials(search, trials)
    return rows


def _answer_rule(rule: dict[str, Any] | None) -> list[tuple[str, object]]:
    """Return the score from which a label is the positive one, or the width of the interval."""
    if rule is None:
        return []
    rows, chosen = rule["rows"], f"{rule['rows'] or 0:,} rows of the holdout"
    if rule["threshold"] is not None:
        least = f", which costs least on {chosen}" if rows else ""
        return [("label", f"the positive one from a score of {_shown(float(rule['threshold']))} on{least}")]
    covered = f"for {float(rule['coverage']):.4g} of the outcomes"
    by_rows = f", by the errors on {chosen}" if rows else ""
    return [("interval", f"the value ± {_shown(float(rule['half_width']))}, {covered}{by_rows}")]


def _importance(found: dict[str, Any]) -> str:
    return f"{found['feature']}: {found['loss_increase']:.4f} ± {found['error']:.4f} more loss where it is permuted"


def _shown(value: object) -> str:
    return figure(value, ".4g") if isinstance(value, float) else str(value)
