"""Back to an earlier version: because a person says so, or because no replica can load the one that should serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.models import ModelRolledBack
from rondo.registry.audit.hash_chain import Statement
from rondo.registry.errors import AlreadyChampionError, NeverServedError, NothingToRollBackToError
from rondo.registry.model.model import BY_RULE, Cause, Decision, Model, Version
from rondo.registry.rollout.strategies import deployment_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.deployment import ReplicaChanged


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
        served = sorted(set(model.served) - {model.champion.number}) if model.champion else ()
        raise NothingToRollBackToError(model.name, served)
    if target.number == model.champion.number:
        raise AlreadyChampionError(model.name, target.number)
    if target.number not in model.served:
        raise NeverServedError(model.name, target.number)
    return go_back(model, target, cause)


def because_refused(refused: Sequence[ReplicaChanged]) -> Cause:
    """Return the cause that replicas refuse the champion, in the words of the first of them."""
    who = f"replica{'s' if len(refused) > 1 else ''} {', '.join(word.replica for word in refused)}"
    reason = f"{who} refused version {refused[0].model_version}: {refused[0].detail}"
    return Cause(BY_RULE.decided_by, reason)


def go_back(model: Model, target: Version, cause: Cause) -> Decision:
    """Make `target` the champion again; the one that serves is marked as rolled back.

    Raises:
        NothingToRollBackToError: nothing serves.

    """
    champion = model.champion
    if champion is None:
        raise NothingToRollBackToError(model.name)
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
