"""Free ports on loopback.

They are chosen below the range that the system uses for outgoing connections (32768 and up on Linux, 49152 on macOS),
so that no client takes the port of a server that restarts.
"""

import itertools
import os
import random
import socket

from rondo.embedded.errors import BadPortError, PortTakenError

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000

# Each candidate is used once per process; a random start keeps two processes apart.
_candidates = itertools.islice(
    itertools.cycle(range(_LOWEST, _HIGHEST)),
    random.randrange(_HIGHEST - _LOWEST),  # noqa: S311 - spreads load, protects nothing
    None,
)


def is_free(port: int) -> bool:
    """Return whether a server can listen on `port` of loopback now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier server in TIME_WAIT do not block the port.
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
        PortTakenError: another program listens on it.

    """
    value = os.environ.get(variable, "")
    if not value:
        return free_port()
    if not (value.isdecimal() and 0 < int(value) < 1 << 16):
        raise BadPortError(value, variable)
    if not is_free(int(value)):
        raise PortTakenError(int(value), variable)
    return int(value)
