"""Open vocabularies of gates, deployments and rollouts."""

from __future__ import annotations

from enum import StrEnum


class GateName(StrEnum):
    """The gates that every candidate has to pass, whatever its spec says.

    `infrastructure.parity`: the ONNX graph predicts as the trained model. `artifact.new`: no version that serves or was
    rolled back has the artifact. `artifact.sound`: it can be served. `evidence.usable`: it is there, and can be read.
    `stale_champion`: the version that serves is the one that the candidate was compared with.

    A gate of the spec is named by what it bounds: `<metric>.min`, `<metric>.max`, `<metric>.not_worse_than_champion`,
    `slices.<column>`, `fairness.<column>`.

    Unknown: shown as it is. Whether the gate was passed is a field of its own.
    """

    PARITY = "infrastructure.parity"
    NEW_ARTIFACT = "artifact.new"
    SOUND_ARTIFACT = "artifact.sound"
    USABLE_EVIDENCE = "evidence.usable"
    STALE_CHAMPION = "stale_champion"


class RouteRole(StrEnum):
    """What a version does in a deployment.

    The primary is the champion: training sets, joins and findings use its predictions alone. A canary answers its
    share of the requests. A shadow scores requests, and its answers are not published.

    Unknown: serving refuses the deployment and keeps the versions that it serves. Readers of predictions skip them.
    """

    PRIMARY = "primary"
    CANARY = "canary"
    SHADOW = "shadow"


class ReplicaState(StrEnum):
    """How far a serving replica is with a version.

    Unknown: the replica has reported nothing that counts: it neither serves the version nor refuses it.
    """

    LOADING = "loading"
    AVAILABLE = "available"
    DRAINING = "draining"
    UNLOADED = "unloaded"
    REFUSED = "refused"


class RolloutStrategy(StrEnum):
    """How a version takes over.

    `replace`: all requests at once. `canary`: a growing share of them, by steps. `blue_green`: none until the evidence
    suffices, then all at once. `shadow`: none, until a person decides. `ab`: one share, until one is better.

    Unknown: `rondo apply` refuses the spec. A stored spec with it rolls out by `replace`.
    """

    REPLACE = "replace"
    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    SHADOW = "shadow"
    AB = "ab"


class RolloutState(StrEnum):
    """How far a rollout is.

    `running`: it goes on by the evidence. `paused`: a person stopped its steps. `asking`: a person is to decide.
    `watching`: the candidate was promoted, and goes back without a question if it turns out worse. The others are ends:
    `superseded` is that a decision by hand made another version the champion.

    Unknown: shown as it is.
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
    """What the evidence of a rollout said when it last led to a verdict. Empty before that.

    For the candidate: `better`, `not_worse` (by the margin), and `no_guard` (no guard has fired, where guards alone
    judge). Against it: `worse`, and the guards `errors`, `slow` and `disagreement`. `inconclusive`: not enough evidence
    in the time of the step, which goes on where the spec says `wait`.

    Unknown: shown as it is. What became of the rollout is its state.
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
    """Which requests both versions of a rollout score: all, or those that the canary answers.

    Unknown: as `all`.
    """

    ALL = "all"
    CANARY = "canary"


class OutcomeCause(StrEnum):
    """Whether an outcome is the same whatever was answered.

    Unknown: `rondo apply` refuses the spec. A stored spec with it has independent outcomes.
    """

    INDEPENDENT = "independent"
    DEPENDS_ON_ANSWER = "depends_on_answer"


class UnknownFields(StrEnum):
    """What happens to a request with features or fields that the model does not have.

    Unknown: `rondo apply` refuses the spec. In a deployment `ignore_unknown_fields` decides.
    """

    REFUSE = "refuse"
    WARN = "warn"
    IGNORE = "ignore"


class LogDelivery(StrEnum):
    """When an answer over HTTP is sent: once Kafka has its row of the inference log, or before.

    Unknown: `rondo apply` refuses the spec. In a deployment as `acknowledged`.
    """

    ACKNOWLEDGED = "acknowledged"
    BUFFERED = "buffered"


class JudgedBy(StrEnum):
    """What decides about a rollout: outcomes, or errors, slow answers and disagreement alone.

    Unknown: `rondo apply` refuses the spec. A stored spec with it is judged by outcomes.
    """

    OUTCOMES = "outcomes"
    GUARDS = "guards"


class Inconclusive(StrEnum):
    """What follows where the evidence of a step does not suffice by its end.

    Unknown: `rondo apply` refuses the spec. A stored spec with it waits.
    """

    WAIT = "wait"
    ASK = "ask"
    BACK = "back"
