"""Open vocabularies of gates, deployments and rollouts."""

from __future__ import annotations

from enum import StrEnum


class GateName(StrEnum):
    """The gates that every candidate has to pass, with any spec.

    `infrastructure.parity`: the ONNX graph predicts as the trained model does. `artifact.new`: no version that serves
    or was rolled back has the same artifact. `artifact.sound`: the artifact can be served. `evidence.usable`: the
    evidence exists and can be read. `stale_champion`: the candidate was compared with the version that serves now.

    A gate of the spec is named after the metric, slice or group that it bounds: `<metric>.min`, `<metric>.max`,
    `<metric>.not_worse_than_champion`, `slices.<column>`, `fairness.<column>`.

    Unknown: shown as it is. Whether the gate was passed is a field of its own.
    """

    PARITY = "infrastructure.parity"
    NEW_ARTIFACT = "artifact.new"
    SOUND_ARTIFACT = "artifact.sound"
    USABLE_EVIDENCE = "evidence.usable"
    STALE_CHAMPION = "stale_champion"


class RouteRole(StrEnum):
    """The role of a version in a deployment.

    The primary is the champion. Training sets, joins and findings use only its predictions. A canary answers its share
    of the requests. A shadow scores requests, and its answers are not published.

    Unknown: serving refuses the deployment and keeps the versions that it serves. Readers of predictions skip them.
    """

    PRIMARY = "primary"
    CANARY = "canary"
    SHADOW = "shadow"


class ReplicaState(StrEnum):
    """The state of a version on a serving replica.

    Unknown: the report does not count, and the replica neither serves nor refuses the version.
    """

    LOADING = "loading"
    AVAILABLE = "available"
    DRAINING = "draining"
    UNLOADED = "unloaded"
    REFUSED = "refused"


class RolloutStrategy(StrEnum):
    """The way in which a new version replaces the champion.

    `replace`: the version answers all requests at once. `canary`: it answers a growing share of them, by steps.
    `blue_green`: it answers none until the evidence suffices, then all at once. `shadow`: it answers none until a
    person decides. `ab`: it answers a fixed share until one version is better.

    Unknown: `rondo apply` refuses the spec. A stored spec with it rolls out by `replace`.
    """

    REPLACE = "replace"
    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    SHADOW = "shadow"
    AB = "ab"


class VersionState(StrEnum):
    """The state of a version of a model.

    `rejected`: it failed a gate. `waiting`: it passed its gates and begins its rollout next. `rolling_out`: its rollout
    is active. `champion`: it serves. `standby`: it is the target of a rollback. `rolled_back`: it served and was
    withdrawn. `retired`: it left service permanently.

    Unknown: the client waits for another state, and after its time shows the word as it is.
    """

    REJECTED = "rejected"
    CHAMPION = "champion"
    STANDBY = "standby"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    WAITING = "waiting"
    ROLLING_OUT = "rolling_out"


class RolloutState(StrEnum):
    """The state of a rollout.

    `running`: the evidence decides about its steps. `paused`: a person paused its steps. `asking`: it waits for the
    decision of a person. `watching`: the candidate was promoted, and is rolled back automatically if it turns out
    worse. All others are final states. `superseded`: a person made another version the champion.

    Unknown: shown as it is. `rondo rollout --live` takes it as a final state.
    """

    RUNNING = "running"
    PAUSED = "paused"
    ASKING = "asking"
    WATCHING = "watching"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"


class RolloutVerdict(StrEnum):
    """The last verdict of a rollout's evidence. Empty before the first verdict.

    For the candidate: `better`, `not_worse` (by the margin), and `no_guard` (only guards judge, and none has fired).
    Against it: `worse`, and the guards `errors`, `slow` and `disagreement`. `inconclusive`: not enough evidence within
    the time of the step, which continues if the spec says `wait`.

    Unknown: shown as it is. The state of the rollout says what followed.
    """

    BETTER = "better"
    NOT_WORSE = "not_worse"
    NO_GUARD = "no_guard"
    WORSE = "worse"
    ERRORS = "errors"
    SLOW = "slow"
    DISAGREEMENT = "disagreement"
    INCONCLUSIVE = "inconclusive"


class EvidenceScope(StrEnum):
    """The requests that both versions of a rollout score: all, or those that the canary answers.

    Unknown: as `all`.
    """

    ALL = "all"
    CANARY = "canary"


class OutcomeCause(StrEnum):
    """The dependence of an outcome on the answer.

    Unknown: `rondo apply` refuses the spec. A stored spec with it is treated as `independent`.
    """

    INDEPENDENT = "independent"
    DEPENDS_ON_ANSWER = "depends_on_answer"


class UnknownFields(StrEnum):
    """The treatment of a request with features or fields that the model does not have.

    Unknown: `rondo apply` refuses the spec. In a deployment `ignore_unknown_fields` decides.
    """

    REFUSE = "refuse"
    WARN = "warn"
    IGNORE = "ignore"


class LogDelivery(StrEnum):
    """The time at which an answer over HTTP is sent: after Kafka has its row of the inference log, or before.

    Unknown: `rondo apply` refuses the spec. In a deployment it is treated as `acknowledged`.
    """

    ACKNOWLEDGED = "acknowledged"
    BUFFERED = "buffered"


class JudgedBy(StrEnum):
    """The evidence that decides about a rollout: outcomes, or only errors, slow answers and disagreement.

    Unknown: `rondo apply` refuses the spec. A stored spec with it is judged by outcomes.
    """

    OUTCOMES = "outcomes"
    GUARDS = "guards"


class Inconclusive(StrEnum):
    """The next action after a step whose evidence does not suffice.

    Unknown: `rondo apply` refuses the spec. A stored spec with it waits.
    """

    WAIT = "wait"
    ASK = "ask"
    BACK = "back"
