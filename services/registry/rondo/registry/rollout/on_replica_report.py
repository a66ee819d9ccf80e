"""All that may bring an earlier version back without a person ends here: load, decide, save."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.contracts.vocabularies import ReplicaState
from rondo.registry.audit.hash_chain import Statement
from rondo.registry.model.model import BY_RULE
from rondo.registry.rollout import replica_reports, rollback

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import ReplicaChanged
    from rondo.registry.model.model import Model
    from rondo.registry.ports import Work
    from rondo.registry.rollout.replica_reports import Verdict, Words

log = logging.getLogger(__name__)
_LOUDNESS = {"keep": logging.ERROR, "wait": logging.WARNING, "go_back": logging.WARNING}


async def hear(work: Work, news: ReplicaChanged) -> None:
    """Remember what a replica says. A refusal of what should serve is judged, and stated in the audit log."""
    model = await work.find(news.model)
    if model is None:
        log.info("%s says %s of %s, which is not known here", news.replica, news.state, news.model)
        return
    before = await work.words(model.name)
    words = replica_reports.hear(before, news)
    if words == before:
        return
    await work.keep_words(model.name, words)
    if news.state == ReplicaState.REFUSED and replica_reports.is_current(model, news):
        verdict = replica_reports.judge(model, words, replica_reports.silent(model, words))
        await work.state(model.name, BY_RULE, _statement(news, verdict))
        await _settle(work, model, words, verdict)
    elif news.state == ReplicaState.REFUSED:
        log.info("a refusal of %s by %s is about an earlier deployment", news.model, news.replica)


async def wait_no_longer(work: Work, name: str, revision: int) -> None:
    """Settle a refusal without those who said nothing about the deployment at `revision`."""
    model = await work.find(name)
    if model is None or model.revision != revision:
        return
    words = await work.words(name)
    verdict = replica_reports.judge(model, words, ())
    if verdict.outcome == "go_back":
        gone = replica_reports.silent(model, words)
        # Nobody is to wait for them again; whoever is only slow is known again by its next word.
        await work.keep_words(name, tuple(word for word in words if word.replica not in gone))
        await _settle(work, model, words, verdict)


async def _settle(work: Work, model: Model, words: Words, verdict: Verdict) -> None:
    refused = tuple(w for w in words if replica_reports.is_current(model, w) and w.state == ReplicaState.REFUSED)
    cause = rollback.because_refused(refused)
    log.log(_LOUDNESS[verdict.outcome], "%s: %s; %s", model.name, cause.reason, verdict.why)
    if verdict.target is not None:
        await work.save(rollback.go_back(model, verdict.target, cause))


def _statement(news: ReplicaChanged, verdict: Verdict) -> Statement:
    evidence = {
        "version": news.model_version,
        "revision": news.revision,
        "replica": news.replica,
        "detail": news.detail,
        "outcome": verdict.outcome,
        "why": verdict.why,
    }
    return Statement("refused", evidence)
