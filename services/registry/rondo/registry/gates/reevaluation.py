"""The champion changed while a candidate was trained: ask for one more training, to be compared with today's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.training import TrainingRequested, Trigger
from rondo.registry.gates.champion_comparison import MOVED

if TYPE_CHECKING:
    from rondo.registry.model.model import Candidate

_PREFIX = "champion-moved/"


def has_moved(candidate: Candidate) -> bool:
    """Say whether nothing stands against a candidate but that it was compared with a champion of before."""
    return [gate.gate for gate in candidate.gates if not gate.passed] == [MOVED]


def request(candidate: Candidate) -> TrainingRequested | None:
    """Return the request for another training, as of the same event time; None where it would not be the first.

    It is asked for as if by hand, for the trainer's cooldown and budget are about what the data gives reason for, and
    that reason was admitted already. Once only: a champion that changes all the time must not train all the time.
    """
    trained = candidate.trained
    if not has_moved(candidate) or trained.trigger.id.startswith(_PREFIX):
        return None
    why = next(gate.message for gate in candidate.gates if not gate.passed)
    trigger = Trigger(id=f"{_PREFIX}{trained.run_id}", kind="manual", at=trained.trigger.at, detail=why)
    return TrainingRequested(model=trained.model, trigger=trigger, requested_by="registry")
