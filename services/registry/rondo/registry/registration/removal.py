"""Removes a model: its versions retire and its deployment is withdrawn. Its versions and audit log stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRemoved, ModelRetired
from rondo.contracts.vocabularies import VersionState
from rondo.registry.audit.hash_chain import AuditEntry
from rondo.registry.model.model import IN_SERVICE, Actor, Decision, Model
from rondo.registry.rollout.promotion import deployment_of

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event


def remove(model: Model, actor: Actor) -> Decision:
    """Remove a model. The removal has the next revision of the spec, so that it supersedes every earlier spec."""
    retired = {number: version for number, version in model.versions.items() if version.state in IN_SERVICE}
    after = replace(
        model.with_states(dict.fromkeys(retired, VersionState.RETIRED)), spec_revision=model.spec_revision + 1
    )
    events: list[Event] = [
        ModelRetired(model=model.name, model_version=number, digest=version.digest)
        for number, version in retired.items()
    ]
    if model.routes:
        # A version from before the removal is no target of a later rollback: the next spec may ask for something else.
        after = replace(after.with_routes(), served=())
        events.append(deployment_of(after))
    events.append(ModelRemoved(model=model.name, revision=after.spec_revision, decided_by=actor.name))
    evidence = {
        "revision": after.spec_revision,
        "champion": model.champion.number if model.champion else None,
        "reason": actor.reason,
    }
    return Decision(model, after, actor, tuple(events), (AuditEntry("removed", evidence),))
