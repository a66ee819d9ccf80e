"""Open vocabularies: the known values of the words by which events classify.

The field of an event is a text. A reader accepts a word that it does not know, keeps it as it is, and does what the
vocabulary documents for an unknown word. So a writer may add a word without a new version of the event.
"""

from rondo.contracts.vocabularies.access import (
    Role,
)
from rondo.contracts.vocabularies.data import (
    FeatureType,
    SchemaChange,
    ScoringFailure,
    ScoringState,
    Source,
    UnknownColumns,
)
from rondo.contracts.vocabularies.deployment import (
    EvidenceScope,
    GateName,
    Inconclusive,
    JudgedBy,
    LogDelivery,
    OutcomeCause,
    ReplicaState,
    RolloutState,
    RolloutStrategy,
    RolloutVerdict,
    RouteRole,
    UnknownFields,
    VersionState,
)
from rondo.contracts.vocabularies.fields import (
    known,
    open_to,
)
from rondo.contracts.vocabularies.monitoring import (
    AlertKind,
    ColumnStatisticName,
    EstimateMethod,
    Harm,
    ProfileKind,
    QualityProblem,
    Severity,
    StatisticName,
    WindowRole,
)
from rondo.contracts.vocabularies.training import (
    AdaptationStrategy,
    EndedTrialState,
    NoteCode,
    ParameterOrigin,
    RetrainPolicy,
    RunState,
    SkipReason,
    TrainerKind,
    TriggerKind,
)

__all__ = [
    "AdaptationStrategy",
    "AlertKind",
    "ColumnStatisticName",
    "EndedTrialState",
    "EstimateMethod",
    "EvidenceScope",
    "FeatureType",
    "GateName",
    "Harm",
    "Inconclusive",
    "JudgedBy",
    "LogDelivery",
    "NoteCode",
    "OutcomeCause",
    "ParameterOrigin",
    "ProfileKind",
    "QualityProblem",
    "ReplicaState",
    "RetrainPolicy",
    "Role",
    "RolloutState",
    "RolloutStrategy",
    "RolloutVerdict",
    "RouteRole",
    "RunState",
    "SchemaChange",
    "ScoringFailure",
    "ScoringState",
    "Severity",
    "SkipReason",
    "Source",
    "StatisticName",
    "TrainerKind",
    "TriggerKind",
    "UnknownColumns",
    "UnknownFields",
    "VersionState",
    "WindowRole",
    "known",
    "open_to",
]
