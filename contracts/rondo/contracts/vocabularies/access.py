"""The open vocabulary of access."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The permissions of a token.

    `reader`: read everything. `publisher`: publish batches and outcomes. `predictor`: request predictions. `engineer`:
    apply specs and request trainings. `approver`: promote and roll back versions. `admin`: everything, including
    tokens.

    Unknown: the role allows nothing.
    """

    READER = "reader"
    PUBLISHER = "publisher"
    PREDICTOR = "predictor"
    ENGINEER = "engineer"
    APPROVER = "approver"
    ADMIN = "admin"
