"""The Python client of Rondo and the `rondo` command.

`async with AsyncRondo(Connection.discover(os.environ, Path.cwd())) as rondo:`, or `with Rondo(...)` without asyncio.
"""

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection
from rondo.client.errors import (
    NotFoundError,
    PredictionRefusedError,
    PredictionTimeoutError,
    RefusedError,
    RondoError,
    UnauthorizedError,
    UnreachableError,
)
from rondo.client.kafka.failed_requests import Failed
from rondo.client.messages import Prediction, request
from rondo.client.synchronous import Rondo

__all__ = [
    "AsyncRondo",
    "Connection",
    "Failed",
    "NotFoundError",
    "Prediction",
    "PredictionRefusedError",
    "PredictionTimeoutError",
    "RefusedError",
    "Rondo",
    "RondoError",
    "UnauthorizedError",
    "UnreachableError",
    "request",
]
