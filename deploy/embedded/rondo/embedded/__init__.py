"""Real Apache Kafka, real PostgreSQL and the five services on one machine, without Docker.

`async with Stack() as stack:` runs everything. `Kafka(folder)` and `Postgres(folder)` also run alone, with `with` or
`async with`. Every expected error is an EmbeddedError whose text says what to do next.
"""

from rondo.embedded.addresses import Addresses
from rondo.embedded.errors import EmbeddedError
from rondo.embedded.home import Holder, default_home, holder_of, stop_holder
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.postgres.roles import role_sql
from rondo.embedded.postgres.server import Postgres
from rondo.embedded.progress import Progress
from rondo.embedded.services import SERVICES, Service
from rondo.embedded.stack import Stack

__all__ = [
    "SERVICES",
    "Addresses",
    "EmbeddedError",
    "Holder",
    "Kafka",
    "Postgres",
    "Progress",
    "Service",
    "Stack",
    "default_home",
    "holder_of",
    "role_sql",
    "stop_holder",
]
