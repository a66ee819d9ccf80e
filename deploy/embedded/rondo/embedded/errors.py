"""What can keep the stack from starting. Each message is one line and says what to do next."""

from collections.abc import Sequence
from pathlib import Path


class EmbeddedError(Exception):
    """Base of everything that this package raises on purpose: show its text, not a traceback."""


class KafkaUnavailableError(EmbeddedError):
    """Kafka's jars are not in the cache and could not be fetched."""

    def __init__(self, reason: str) -> None:
        """Keep `reason`: the one line that the network, the disk or the search for Java gave."""
        super().__init__(
            f"Kafka can't be had ({reason}): set RONDO_KAFKA=host:port to use a broker that runs already, "
            "or run everything in Docker with `docker compose up`."
        )
        self.reason = reason


class KafkaDataError(EmbeddedError):
    """The data that is to be kept was written by a newer Kafka."""

    def __init__(self, folder: Path, written_by: str, ours: str) -> None:
        """Name the folder and both versions."""
        super().__init__(
            f"the data in {folder} was written by Kafka {written_by}, which {ours} can't read: "
            "give the stack a folder of its own, for instance RONDO_HOME=.rondo-2, "
            f"or remove {folder.parent} to begin anew"
        )
        self.folder, self.written_by, self.ours = folder, written_by, ours


class DigestMismatchError(EmbeddedError):
    """What was fetched is not what the lock file pins."""

    def __init__(self, name: str, expected: str, actual: str) -> None:
        """Name the jar and both sha256 digests."""
        super().__init__(f"{name} has sha256 {actual}, not {expected} as pinned: something on the way changed it.")
        self.name, self.expected, self.actual = name, expected, actual


class PostgresUnavailableError(EmbeddedError):
    """PostgreSQL's binaries are missing or can't make a cluster here."""

    def __init__(self, reason: str) -> None:
        """Keep `reason`: the last line of what PostgreSQL said."""
        super().__init__(
            f"PostgreSQL can't be had ({reason}): set RONDO_POSTGRES=postgresql://superuser:password@host/database "
            "to use a server that runs already, or run everything in Docker with `docker compose up`."
        )
        self.reason = reason


class UsedKafkaError(EmbeddedError):
    """A broker of somebody else's has the events of an earlier run, and this one starts from nothing."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        """Name the broker and the topics that have messages."""
        super().__init__(
            f"the Kafka at RONDO_KAFKA={bootstrap} has the events of an earlier run ({', '.join(topics)}), which this "
            "one would take for its own: delete those topics, name another broker, unset RONDO_KAFKA to get a new one, "
            "or go on with what is there by `rondo up`."
        )
        self.bootstrap, self.topics = bootstrap, tuple(topics)


class UsedPostgresError(EmbeddedError):
    """A PostgreSQL of somebody else's has the tables of an earlier run, and this one starts from nothing."""

    def __init__(self, schemas: Sequence[str]) -> None:
        """Name the schemas that have tables. The address has a password, and is not told."""
        super().__init__(
            f"the PostgreSQL that RONDO_POSTGRES names has the state of an earlier run (the database rondo, schemas "
            f"{', '.join(schemas)}), which this one would take for its own: drop that database, name another server, "
            "unset RONDO_POSTGRES to get a new one, or go on with what is there by `rondo up`."
        )
        self.schemas = tuple(schemas)


class NotReadyError(EmbeddedError):
    """A process died, or did not become ready in time."""

    def __init__(self, name: str, why: str, log: Path, last_line: str) -> None:
        """Name the process, why it is given up, and where its log is."""
        said = f"its last line: {last_line}" if last_line else "it is empty"
        super().__init__(f"{name} is not ready: {why}; its log is {log}, {said}")
        self.name, self.why, self.log, self.last_line = name, why, log, last_line


class PortTakenError(EmbeddedError):
    """A port that somebody asked for by name is in use."""

    def __init__(self, port: int, variable: str) -> None:
        """Name the port and the variable that asked for it."""
        super().__init__(
            f"port {port} ({variable}) is taken by another program: "
            f"stop that one, set {variable} to another port, or unset it to get a free one."
        )
        self.port, self.variable = port, variable


class BadPortError(EmbeddedError):
    """A port variable holds something that is no port."""

    def __init__(self, value: str, variable: str) -> None:
        """Name the value and the variable."""
        super().__init__(f"{variable}={value} is no port: use a number from 1 to 65535, or unset it to get a free one.")
        self.value, self.variable = value, variable


class HomeBusyError(EmbeddedError):
    """Another stack runs on the same folder."""

    def __init__(self, home: Path, pid: int, since: str) -> None:
        """Name the folder, the process that holds it, and since when."""
        super().__init__(
            f"another Rondo runs in {home} (pid {pid}, since {since}): stop it with Ctrl-C or `rondo down`, "
            "or give this one a folder of its own, for instance RONDO_HOME=.rondo-2."
        )
        self.home, self.pid, self.since = home, pid, since


class KeptDataError(EmbeddedError):
    """A start from nothing would erase the data of a stack that keeps it."""

    def __init__(self, home: Path) -> None:
        """Name the folder."""
        super().__init__(
            f"`rondo up` keeps its data in {home}, and a demo would erase it: give the demo a folder of its own "
            "(RONDO_HOME=.rondo-demo make demo), or throw that data away first (`make clean` removes .rondo)"
        )
        self.home = home


class DiskFullError(EmbeddedError):
    """Too little space is left to start."""

    def __init__(self, home: Path, free: int, needed: int) -> None:
        """Take sizes in bytes."""
        super().__init__(
            f"the disk of {home} is nearly full ({free >> 20} MB free, {needed >> 20} MB needed): "
            "free some space, or choose a folder on another disk with RONDO_HOME=…"
        )
        self.home, self.free, self.needed = home, free, needed


class HomeNotWritableError(EmbeddedError):
    """The stack's folder can't be made or written."""

    def __init__(self, home: Path, reason: str) -> None:
        """Name the folder and what the system said."""
        super().__init__(f"can't write to {home} ({reason}): choose a folder of your own with RONDO_HOME=…")
        self.home, self.reason = home, reason


class ForeignHomeError(EmbeddedError):
    """The folder holds files that no stack made."""

    def __init__(self, home: Path) -> None:
        """Name the folder."""
        super().__init__(f"{home} holds files of something else: choose a new or empty folder with RONDO_HOME=…")
        self.home = home
