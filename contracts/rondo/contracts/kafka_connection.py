"""The connection to a Kafka cluster. All clients of both Kafka libraries take their connection options from here.

The module imports no Kafka library, so that services, the client and the tools can share it.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr  # noqa: TC002 - settings validate these dataclasses, and pydantic reads the annotation

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:,]+):(\d{1,5})")
# librdkafka's default is 10,000. The delay doubles with each connection that was closed while idle. A stream with gaps
# of some seconds between its records then waits that long before it may connect again.
_RECONNECT_BACKOFF_MAX_MS = 100


class InvalidAddressError(ValueError):
    """`entry` of the list of brokers does not have the form `host:port`."""

    def __init__(self, entry: str) -> None:
        self.entry = entry
        super().__init__(f"{entry!r} is not an address: write host:port, and a comma between several")


@dataclass(frozen=True)
class Sasl:
    """A user of the cluster. `mechanism` is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""

    username: str
    password: SecretStr
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"


@dataclass(frozen=True)
class Tls:
    """The encryption of the connection.

    `ca_file` has the authorities that verify the brokers. None: the authorities of the system. The other files are for
    mutual TLS.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True)
class KafkaConnection:
    """`servers` are the bootstrap addresses, each `host:port`, separated by commas.

    Raises:
        InvalidAddressError: an address does not have the form `host:port`.

    """

    servers: str
    sasl: Sasl | None = None
    tls: Tls | None = None

    def __post_init__(self) -> None:
        for entry in self.servers.split(","):
            found = _ADDRESS.fullmatch(entry.strip())
            if found is None or not 0 < int(found[2]) < 2**16:
                raise InvalidAddressError(entry)

    def __str__(self) -> str:
        return self.servers

    @property
    def protocol(self) -> str:
        """Kafka's name of the security protocol."""
        if self.sasl:
            return "SASL_SSL" if self.tls else "SASL_PLAINTEXT"
        return "SSL" if self.tls else "PLAINTEXT"

    def confluent(self) -> dict[str, str | int | float | bool]:
        """Return the options of a confluent-kafka (librdkafka) client."""
        options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.protocol,
            "reconnect.backoff.max.ms": _RECONNECT_BACKOFF_MAX_MS,
        }
        if self.sasl:
            options |= {
                "sasl.mechanism": self.sasl.mechanism,
                "sasl.username": self.sasl.username,
                "sasl.password": self.sasl.password.get_secret_value(),
            }
        if self.tls:
            files = {
                "ssl.ca.location": self.tls.ca_file,
                "ssl.certificate.location": self.tls.certificate_file,
                "ssl.key.location": self.tls.key_file,
            }
            options |= {name: file for name, file in files.items() if file}
        return options

    def aiokafka(self) -> dict[str, Any]:
        """Return the options of an aiokafka client.

        Raises:
            OSError: a file of `tls` can't be read.

        """
        options: dict[str, Any] = {
            "bootstrap_servers": [entry.strip() for entry in self.servers.split(",")],
            "security_protocol": self.protocol,
        }
        if self.sasl:
            options |= {
                "sasl_mechanism": self.sasl.mechanism,
                "sasl_plain_username": self.sasl.username,
                "sasl_plain_password": self.sasl.password.get_secret_value(),
            }
        if self.tls:
            options["ssl_context"] = self.ssl_context()
        return options

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the SSL context of `tls`. None without `tls`.

        Raises:
            OSError: a file can't be read.

        """
        if self.tls is None:
            return None
        context = ssl.create_default_context(cafile=self.tls.ca_file)
        if self.tls.certificate_file:
            context.load_cert_chain(self.tls.certificate_file, self.tls.key_file)
        return context
