"""The addresses of a running stack, in the file `stack.json` for its clients."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

FILE = "stack.json"


@dataclass(frozen=True)
class Addresses:
    """Addresses and secrets of one running stack. Only the owner may read the file.

    `tokens` has one token of each role. `token` is that of the admin. `grpc` is the gRPC address of serving, and empty
    if serving does not run.
    """

    pid: int
    started: str
    kafka: str
    http: dict[str, str]
    postgres: dict[str, str]
    token: str
    tokens: dict[str, str]
    token_seeds: str
    artifacts: str
    data: str
    inbox: str
    logs: str
    grpc: str = ""

    def write(self, home: Path) -> None:
        """Write the file atomically, with mode 0600."""
        part = home / f".{FILE}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
        part.replace(home / FILE)

    @classmethod
    def read(cls, home: Path) -> Self:
        """Read the file.

        Raises:
            FileNotFoundError: no stack runs in `home`.

        """
        return cls(**json.loads((home / FILE).read_text("utf-8")))

    @staticmethod
    def remove(home: Path) -> None:
        """Remove the file of a stack that has stopped."""
        (home / FILE).unlink(missing_ok=True)
