"""The open vocabulary of access."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a token allows.

    `reader`: everything that can be looked at. `publisher`: batches and outcomes. `predictor`: predictions. `engineer`:
    specs and trainings. `approver`: promote and roll back. `admin`: everything, tokens included.

    Unknown: it allows nothing.
    """

    READER = "reader"
    PUBLISHER = "publisher"
    PREDICTOR = "predictor"
    ENGINEER = "engineer"
    APPROVER = "approver"
    ADMIN = "admin"
