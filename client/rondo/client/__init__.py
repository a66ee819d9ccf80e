"""The Python client of Rondo and the `rondo` command.

`async with AsyncRondo(Connection.discover()) as rondo:`, or `with Rondo(Connection.discover()) as rondo:`.
`register` registers one model without either.
"""

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection
from rondo.client.errors import (
    DeliveryStatus,
    ForbiddenError,
    NotFoundError,
    PredictionRefusedError,
    PredictionTimeoutError,
    RefusedError,
    RondoError,
    UnauthorizedError,
    UnreachableError,
)
from rondo.client.kafka.failed_requests import FailedRequest
from rondo.client.messages import request
from rondo.client.prediction import Prediction
from rondo.client.registration.outcome import Registration
from rondo.client.synchronous import Rondo, register

__all__ = [
    "AsyncRondo",
    "Connection",
    "DeliveryStatus",
    "FailedRequest",
    "ForbiddenError",
    "NotFoundError",
    "Prediction",
    "PredictionRefusedError",
    "PredictionTimeoutError",
    "RefusedError",
    "Registration",
    "Rondo",
    "RondoError",
    "UnauthorizedError",
    "UnreachableError",
    "register",
    "request",
]
