"""Free ports on loopback.

They are below the range of outgoing connections (from 32768 on Linux, from 49152 on macOS), so that no client takes the
port of a server during its restart.
"""

import itertools
import json
import os
import random
import socket
from pathlib import Path

from rondo.embedded.errors import BadPortError, PortTakenError

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000
_FILE = "ports.json"

# Each candidate is used once per process. Two processes start at random positions, to avoid the same candidates.
_candidates = itertools.islice(
    itertools.cycle(range(_LOWEST, _HIGHEST)),
    random.randrange(_HIGHEST - _LOWEST),  # noqa: S311 - spreads load, protects nothing
    None,
)


def is_free(port: int) -> bool:
    """Return whether a server can listen on `port` of loopback now."""
    with socket.socket() as probe:
        # As for servers, connections of an earlier server in TIME_WAIT do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free and that this function has not returned before."""
    return next(port for port in _candidates if is_free(port))


def chosen_port(variable: str) -> int:
    """Return the port in the environment variable, or a free one if it is not set.

    Raises:
        BadPortError: the value is not a port.
        PortTakenError: another program listens on the port.

    """
    value = os.environ.get(variable, "")
    if not value:
        return free_port()
    if not (value.isdecimal() and 0 < int(value) < 1 << 16):
        raise BadPortError(value, variable)
    if not is_free(int(value)):
        raise PortTakenError(int(value), variable)
    return int(value)


class HomePorts:
    """The ports of the servers of a home. A later start uses the same ports if they are free.

    Clients with the addresses of an earlier start then need no new ones.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / _FILE
        self._before = _read(self._file)
        self._given: dict[str, int] = {}

    def port(self, name: str) -> int:
        """Return the port of an earlier start if it is free, else another port."""
        before = self._before.get(name, 0)
        usable = before not in self._given.values() and 0 < before < 1 << 16 and is_free(before)
        self._given[name] = before if usable else free_port()
        return self._given[name]

    def chosen(self, name: str, variable: str) -> int:
        """Return the port in the environment variable, or `port` if it is not set.

        Raises:
            BadPortError: the value is not a port.
            PortTakenError: another program listens on the port.

        """
        return chosen_port(variable) if os.environ.get(variable) else self.port(name)

    def save(self) -> None:
        """Save the ports for the next start."""
        self._file.write_text(json.dumps(self._before | self._given), encoding="ascii")


def _read(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text("ascii"))
    except (OSError, ValueError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {name: port for name, port in items if isinstance(port, int)}
