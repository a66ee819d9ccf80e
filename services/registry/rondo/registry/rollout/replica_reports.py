"""A replica refuses what should serve: is the version to blame, or the replica? What each replica said last decides.

One that can't load a version says so within milliseconds, long before the others have loaded it. So nobody goes back
on the word of one: a version that is available anywhere stays, and before it is given up all have had their say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rondo.contracts.vocabularies import ReplicaState
from rondo.registry.rollout.rollback import previous

if TYPE_CHECKING:
    from collections.abc import Collection

    from rondo.contracts.events.deployment import ReplicaChanged
    from rondo.registry.model.model import Model, Version

Words = tuple["ReplicaChanged", ...]
# Replicas leave without a word. Who was silent for so many deployments is taken to be gone.
FORGOTTEN_AFTER = 10


@dataclass(frozen=True)
class Verdict:
    """What a refusal leads to, and why in a sentence; `target` is the version to go back to, for `go_back`."""

    outcome: Literal["keep", "wait", "go_back"]
    why: str
    target: Version | None = None


def hear(words: Words, news: ReplicaChanged) -> Words:
    """Return the last word of each replica on each version of a model, given the words before and the latest one."""
    if news.state not in list(ReplicaState):
        return words
    known = {(word.replica, word.model_version): word for word in words}
    key = (news.replica, news.model_version)
    if key in known and not _is_news(known[key], news):
        return words
    if news.state == ReplicaState.AVAILABLE:
        # It has swapped: what it said of earlier deployments is over.
        known = {k: word for k, word in known.items() if k[0] != news.replica or word.revision >= news.revision}
    known.pop(key, None)
    if news.state != ReplicaState.UNLOADED:
        known[key] = news
    recent = (word for word in known.values() if word.revision >= news.revision - FORGOTTEN_AFTER)
    return tuple(sorted(recent, key=lambda word: (word.replica, word.model_version)))


def is_current(model: Model, word: ReplicaChanged) -> bool:
    """Say whether a word is about the champion of the deployment that is in force."""
    champion = model.champion
    return champion is not None and (word.revision, word.model_version) == (model.revision, champion.number)


def silent(model: Model, words: Words) -> frozenset[str]:
    """Return the replicas that have yet to say whether they serve the deployment in force."""
    spoke = {
        w.replica for w in words if is_current(model, w) and w.state in (ReplicaState.AVAILABLE, ReplicaState.REFUSED)
    }
    return frozenset(word.replica for word in words) - spoke


def judge(model: Model, words: Words, awaited: Collection[str]) -> Verdict:
    """Decide whether to go back from a champion that some replica refuses; `awaited` may still speak for it.

    A champion without an earlier version stays, too: to take it out of service would help nobody, for a replica that
    refuses it answers its requests with the reason, and one that can load it later serves it.
    """
    champion, target = model.champion, previous(model)
    serves = [w.replica for w in words if is_current(model, w) and w.state == ReplicaState.AVAILABLE]
    if champion is None:
        return Verdict("keep", "nothing is to serve")
    if serves:
        return Verdict("keep", f"it is available at {', '.join(serves)}: mend the replica that refuses it")
    if champion.number in model.served[:-1]:
        return Verdict("keep", "it has served before: mend the replicas, or bring its artifact back")
    if target is None:
        return Verdict("keep", "there is no earlier version to go back to: mend the replicas, or train again")
    if awaited:
        return Verdict("wait", f"{', '.join(sorted(awaited))} may be able to load it")
    return Verdict("go_back", f"no replica can load it: version {target.number} takes over again", target)


def _is_news(known: ReplicaChanged, news: ReplicaChanged) -> bool:
    """Say whether a word replaces the one before; one of an earlier deployment, or a next try, does not."""
    if news.revision != known.revision:
        return news.revision > known.revision
    return known.state != ReplicaState.REFUSED or news.state not in (ReplicaState.LOADING, ReplicaState.REFUSED)
