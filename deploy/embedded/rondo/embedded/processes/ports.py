"""Free ports on loopback.

They are taken below the range that the system hands out to outgoing connections (32768 and up on Linux, 49152
on macOS), so that a server that is down for a restart does not lose its port to a client of something else.
"""

import itertools
import os
import random
import socket

from rondo.embedded.errors import BadPortError, PortTakenError

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000

# Each candidate is handed out once per process; starting somewhere keeps two processes apart.
_candidates = itertools.islice(
    itertools.cycle(range(_LOWEST, _HIGHEST)),
    random.randrange(_HIGHEST - _LOWEST),  # noqa: S311 - spreads, protects nothing
    None,
)


def is_free(port: int) -> bool:
    """Say whether a server can listen on `port` of loopback now."""
    with socket.socket() as probe:
        # As servers do: what lingers of an earlier server's connections (TIME_WAIT) takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nothing listens on and that this process has not been given before."""
    return next(port for port in _candidates if is_free(port))


def chosen_port(variable: str) -> int:
    """Return the port that the environment variable names, or a free one if it names none.

    Raises BadPortError or PortTakenError, which tell what to do about it.
    """
    value = os.environ.get(variable, "")
    if not value:
        return free_port()
    if not (value.isdecimal() and 0 < int(value) < 1 << 16):
        raise BadPortError(value, variable)
    if not is_free(int(value)):
        raise PortTakenError(int(value), variable)
    return int(value)
