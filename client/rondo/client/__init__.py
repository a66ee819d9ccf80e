"""The Python client of Rondo and the `rondo` command."""

from rondo.client.asynchronous import AsyncRondo
from rondo.client.connection import Connection
from rondo.client.errors import RondoError

__all__ = ["AsyncRondo", "Connection", "RondoError"]
