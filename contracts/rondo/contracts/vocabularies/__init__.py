"""Open vocabularies: the known values of the words by which events classify.

The field of an event is a text. A reader accepts a word that it does not know, keeps it as it is, and does what the
vocabulary documents for an unknown word. So a writer may add a word without a new version of the event.
"""

from rondo.contracts.vocabularies.data import (
    Source,
    UnknownColumns,
)
from rondo.contracts.vocabularies.deployment import (
    EvidenceScope,
    Inconclusive,
    JudgedBy,
    ReplicaState,
    RolloutState,
    RolloutStrategy,
    RouteRole,
)
from rondo.contracts.vocabularies.fields import (
    known,
    open_to,
)
from rondo.contracts.vocabularies.monitoring import (
    AlertKind,
    DetectorName,
    EstimateMethod,
    Harm,
    ProfileKind,
    QualityProblem,
    Severity,
    StatisticName,
    WindowRole,
)
from rondo.contracts.vocabularies.training import (
    NoteCode,
    ParameterOrigin,
    RetrainPolicy,
    SkipReason,
    TrainerKind,
    TriggerKind,
)

__all__ = [
    "AlertKind",
    "DetectorName",
    "EstimateMethod",
    "EvidenceScope",
    "Harm",
    "Inconclusive",
    "JudgedBy",
    "NoteCode",
    "ParameterOrigin",
    "ProfileKind",
    "QualityProblem",
    "ReplicaState",
    "RetrainPolicy",
    "RolloutState",
    "RolloutStrategy",
    "RouteRole",
    "Severity",
    "SkipReason",
    "Source",
    "StatisticName",
    "TrainerKind",
    "TriggerKind",
    "UnknownColumns",
    "WindowRole",
    "known",
    "open_to",
]
