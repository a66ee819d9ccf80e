"""Automatic rollback: handles replica reports and report timeouts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import ReplicaState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.model.model import SYSTEM
from rondo.registry.rollout import controller, rollback, rollback_decision

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.events.deployment import ReplicaChanged
    from rondo.registry.model.model import Model
    from rondo.registry.ports import ReplicaTable, Work
    from rondo.registry.rollout.rollback_decision import ReplicaReports, RollbackDecision

log = logging.getLogger(__name__)
_LOG_LEVEL = {"keep": logging.ERROR, "wait": logging.WARNING, "roll_back": logging.WARNING}


async def handle_report(work: Work, news: ReplicaChanged, now: datetime) -> None:
    """Store a report. A refusal of the champion is audited, and may roll it back.

    A refusal of a candidate ends its rollout: the replica still serves the previous deployment, without its shares.
    """
    model = await work.load_for_update(news.model)
    if model is None:
        log.info("replica %s reports %s for %s, which has no spec here", news.replica, news.state, news.model)
        return
    before = await work.replica_reports(model.name)
    reports = rollback_decision.merge_report(before, news)
    if reports == before:
        return
    await work.save_replica_reports(model.name, reports)
    if news.state == ReplicaState.REFUSED and rollback_decision.is_current(model, news):
        decision = rollback_decision.decide_rollback(model, reports, rollback_decision.missing_replicas(model, reports))
        await work.append_audit(model.name, SYSTEM, _audit_entry(news, decision))
        await _apply_decision(work, model, reports, decision)
    elif (
        news.state == ReplicaState.REFUSED
        and news.revision == model.revision
        and await controller.refuse(
            work,
            model,
            news.model_version,
            f"replica {news.replica} refused version {news.model_version}: {news.detail}",
            now,
        )
    ):
        log.warning(
            "replica %s refuses version %d of %s: its rollout ends", news.replica, news.model_version, news.model
        )
    elif news.state == ReplicaState.REFUSED:
        log.info("replica %s refuses an earlier deployment of %s: ignored", news.replica, news.model)


async def expire_report(work: ReplicaTable, name: str, revision: int) -> None:
    """Decide about a refused deployment. Replicas that sent no report on it are no longer awaited."""
    model = await work.load_for_update(name)
    if model is None or model.revision != revision:
        return
    reports = await work.replica_reports(name)
    decision = rollback_decision.decide_rollback(model, reports, ())
    if decision.outcome == "roll_back":
        missing = rollback_decision.missing_replicas(model, reports)
        # Later decisions do not wait for these replicas. A slow replica counts again after its next report.
        await work.save_replica_reports(name, tuple(r for r in reports if r.replica not in missing))
        await _apply_decision(work, model, reports, decision)


async def _apply_decision(
    work: ReplicaTable, model: Model, reports: ReplicaReports, decision: RollbackDecision
) -> None:
    refused = tuple(r for r in reports if rollback_decision.is_current(model, r) and r.state == ReplicaState.REFUSED)
    actor = rollback.actor_of_refusals(refused)
    log.log(_LOG_LEVEL[decision.outcome], "%s: %s; %s", model.name, actor.reason, decision.why)
    if decision.target is not None:
        await work.save(rollback.roll_back_to(model, decision.target, actor))


def _audit_entry(news: ReplicaChanged, decision: RollbackDecision) -> AuditEntry:
    evidence = {
        "version": news.model_version,
        "revision": news.revision,
        "replica": news.replica,
        "detail": news.detail,
        "outcome": decision.outcome,
        "why": decision.why,
    }
    return AuditEntry("refused", evidence)
