"""Errors that prevent the start of the stack.

Each has a `code`, and a message of one line that says what to do next.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rondo.contracts.kafka_connection import KafkaConnection


class EmbeddedError(Exception):
    """The base class. Print its text, not a traceback."""

    code: ClassVar[str] = "embedded"


class KafkaUnavailableError(EmbeddedError):
    """Kafka can't run here: its jars can't be fetched, there is no Java, or the configured broker does not answer."""

    code = "kafka_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Kafka is not available ({reason}): set RONDO_KAFKA=host:port to use a broker that runs already, "
            "or run everything in Docker with `docker compose up`."
        )
        self.reason = reason


class KafkaDataError(EmbeddedError):
    """The kept data was written by a newer Kafka."""

    code = "kafka_data"

    def __init__(self, folder: Path, written_by: str, ours: str) -> None:
        super().__init__(
            f"the data in {folder} was written by Kafka {written_by}, which {ours} can't read: "
            "give the stack its own folder, for instance RONDO_HOME=.rondo-2, "
            f"or remove {folder.parent} to start without data"
        )
        self.folder, self.written_by, self.ours = folder, written_by, ours


class DigestMismatchError(EmbeddedError):
    """A downloaded jar does not have the pinned digest."""

    code = "digest_mismatch"

    def __init__(self, name: str, expected: str, actual: str) -> None:
        super().__init__(f"{name} has sha256 {actual}, not {expected} as pinned: it was changed on its way here")
        self.name, self.expected, self.actual = name, expected, actual


class PostgresUnavailableError(EmbeddedError):
    """PostgreSQL can't run here, or the configured server does not answer."""

    code = "postgres_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL is not available ({reason}): set RONDO_POSTGRES=postgresql://superuser:password@host/database "
            "to use a server that runs already, or run everything in Docker with `docker compose up`."
        )
        self.reason = reason


class UsedKafkaError(EmbeddedError):
    """The broker of RONDO_KAFKA has events of an earlier run, and this run starts without data."""

    code = "kafka_in_use"

    def __init__(self, kafka: KafkaConnection, topics: Sequence[str]) -> None:
        super().__init__(
            f"the Kafka at RONDO_KAFKA={kafka} has the events of an earlier run ({', '.join(topics)}), which this "
            "run would process as its own: delete those topics, name another broker, unset RONDO_KAFKA to get a new "
            "one, or continue with them with `rondo up`."
        )
        self.kafka, self.topics = kafka, tuple(topics)


class UsedPostgresError(EmbeddedError):
    """The server of RONDO_POSTGRES has tables of an earlier run, and this run starts without data."""

    code = "postgres_in_use"

    def __init__(self, schemas: Sequence[str]) -> None:
        # The DSN is not shown, because it contains a password.
        super().__init__(
            f"the PostgreSQL that RONDO_POSTGRES names has the state of an earlier run (the database rondo, schemas "
            f"{', '.join(schemas)}), which this run would process as its own: drop that database, name another server, "
            "unset RONDO_POSTGRES to get a new one, or continue with them with `rondo up`."
        )
        self.schemas = tuple(schemas)


class NotReadyError(EmbeddedError):
    """A process died, or did not become ready in time."""

    code = "not_ready"

    def __init__(self, name: str, why: str, log: Path, last_line: str) -> None:
        end = f"its last line: {last_line}" if last_line else "it is empty"
        super().__init__(
            f"{name} is not ready: {why}; its log is {log}, {end}\n"
            "  correct what the log names, or stop other programs if the machine is busy; then run the command again"
        )
        self.name, self.why, self.log, self.last_line = name, why, log, last_line


class PortTakenError(EmbeddedError):
    """A configured port is in use."""

    code = "port_taken"

    def __init__(self, port: int, variable: str) -> None:
        super().__init__(
            f"port {port} ({variable}) is taken by another program: "
            f"stop that one, set {variable} to another port, or unset it to get a free one."
        )
        self.port, self.variable = port, variable


class BadPortError(EmbeddedError):
    """The value of a port variable is not a port."""

    code = "bad_port"

    def __init__(self, value: str, variable: str) -> None:
        super().__init__(
            f"{variable}={value} is not a port: use a number from 1 to 65535, or unset it to get a free one."
        )
        self.value, self.variable = value, variable


class HomeBusyError(EmbeddedError):
    """Another stack runs in the same folder."""

    code = "home_busy"

    def __init__(self, home: Path, pid: int, since: str) -> None:
        super().__init__(
            f"another Rondo runs in {home} (pid {pid}, since {since}): stop it with Ctrl-C or `rondo down`, "
            "or give this one its own folder, for instance RONDO_HOME=.rondo-2."
        )
        self.home, self.pid, self.since = home, pid, since


class KeptDataError(EmbeddedError):
    """A start without data would delete the data that `rondo up` keeps."""

    code = "data_kept"

    def __init__(self, home: Path) -> None:
        super().__init__(
            f"`rondo up` keeps its data in {home}, and a demo would delete it: give the demo its own folder "
            "(RONDO_HOME=.rondo-demo make demo), or delete that data first (`make clean` removes .rondo)"
        )
        self.home = home


class DiskFullError(EmbeddedError):
    """The disk has too little free space."""

    code = "disk_full"

    def __init__(self, home: Path, free: int, needed: int) -> None:
        # Sizes in bytes.
        super().__init__(
            f"the disk of {home} is nearly full ({free >> 20} MB free, {needed >> 20} MB needed): "
            "free some space, or choose a folder on another disk with RONDO_HOME=…"
        )
        self.home, self.free, self.needed = home, free, needed


class HomeNotWritableError(EmbeddedError):
    """The stack's folder can't be created or written."""

    code = "home_not_writable"

    def __init__(self, home: Path, reason: str) -> None:
        super().__init__(f"can't write to {home} ({reason}): choose another folder with RONDO_HOME=…")
        self.home, self.reason = home, reason


class UnusableHomeError(EmbeddedError):
    """The path of the stack's folder contains a character that Delta tables do not support in their path."""

    code = "unusable_home"

    def __init__(self, home: Path, characters: str) -> None:
        super().__init__(
            f"data can't be kept in {home}: its path contains {' '.join(characters)}; choose another folder with "
            "RONDO_HOME=…"
        )
        self.home, self.characters = home, characters


class ForeignHomeError(EmbeddedError):
    """The folder has files of another program."""

    code = "foreign_home"

    def __init__(self, home: Path) -> None:
        super().__init__(f"{home} holds files of something else: choose a new or empty folder with RONDO_HOME=…")
        self.home = home
