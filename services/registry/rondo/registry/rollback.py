"""Back to an earlier version: because a person says so, or because replicas refuse the one that should serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.models import ModelRetired, ModelRolledBack
from rondo.registry.audit import Statement
from rondo.registry.errors import AlreadyChampionError, NeverServedError, NothingToRollBackToError
from rondo.registry.promotion import deployment_of
from rondo.registry.versions import Cause, Decision, Model, Version

if TYPE_CHECKING:
    from rondo.contracts.deployment import ReplicaChanged


def previous(model: Model) -> Version | None:
    """Return the version that served last before the champion, and was never itself rolled back."""
    now = model.champion.number if model.champion else None
    earlier = (model.versions[number] for number in reversed(model.served) if number != now)
    return next((version for version in earlier if version.state != "rolled_back"), None)


def roll_back(model: Model, number: int | None, cause: Cause) -> Decision:
    """Go back to version `number`, or to the previous one. One that was rolled back is taken only by its number.

    Raises:
        NothingToRollBackToError: nothing serves, or nothing served before.
        UnknownVersionError: there is no such version.
        AlreadyChampionError: it serves already.
        NeverServedError: it never served.

    """
    target = previous(model) if number is None else model.version(number)
    if model.champion is None or target is None:
        raise NothingToRollBackToError(model.name)
    if target.number == model.champion.number:
        raise AlreadyChampionError(model.name, target.number)
    if target.number not in model.served:
        raise NeverServedError(model.name, target.number)
    return _return_to(model, model.champion, target, cause)


def on_refusal(model: Model, refused: ReplicaChanged) -> Decision | None:
    """Decide what a replica's refusal leads to; None when it speaks of a deployment that is over.

    Without an earlier version the refused one is withdrawn: no route at all. Left in place, it would keep every
    replica that starts waiting for what it can't load, and with it the other models that the replica serves;
    withdrawn, a request for this model gets a clear failure, until the next version.
    """
    champion = model.champion
    if refused.revision != model.revision or champion is None or refused.model_version != champion.number:
        return None
    cause = Cause("registry", f"replica {refused.replica} refused version {champion.number}: {refused.detail}")
    target = previous(model)
    return _return_to(model, champion, target, cause) if target else _withdraw(model, champion, cause)


def _return_to(model: Model, champion: Version, target: Version, cause: Cause) -> Decision:
    after = model.with_states({champion.number: "rolled_back", target.number: "champion"}).with_routes(target.route())
    rolled_back = ModelRolledBack(
        model=model.name,
        from_version=champion.number,
        to_version=target.number,
        digest=target.digest,
        reason=cause.reason,
        decided_by=cause.decided_by,
    )
    evidence = {
        "from_version": champion.number,
        "to_version": target.number,
        "digest": target.digest,
        "reason": cause.reason,
        "revision": after.revision,
    }
    return Decision(model, after, cause, (rolled_back, deployment_of(after)), (Statement("rolled_back", evidence),))


def _withdraw(model: Model, champion: Version, cause: Cause) -> Decision:
    after = model.with_states({champion.number: "rolled_back"}).with_routes()
    retired = ModelRetired(model=model.name, model_version=champion.number, digest=champion.digest)
    evidence = {"version": champion.number, "reason": cause.reason, "revision": after.revision}
    return Decision(model, after, cause, (deployment_of(after), retired), (Statement("withdrawn", evidence),))
