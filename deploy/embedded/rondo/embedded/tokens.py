"""Access tokens of a stack, one of each role: in `tokens.json` for the owner, and as hashes for the registry."""

import json
import os
from pathlib import Path

from rondo.contracts.access_tokens import Role, mint

SEEDS = "tokens"
_TOKENS = "tokens.json"


def provide(home: Path) -> dict[str, str]:
    """Return the token of each role. Tokens of an earlier start in this folder stay valid."""
    file = home / _TOKENS
    if not file.exists():
        minted = {str(role): mint(role, [role]) for role in Role}
        _write(home / SEEDS, "".join(f"{seed.line}\n" for _, seed in minted.values()))
        _write(file, json.dumps({role: token for role, (token, _) in minted.items()}, indent=2))
    tokens: dict[str, str] = json.loads(file.read_text("utf-8"))
    return tokens


def delete(home: Path) -> None:
    """Remove the tokens, so that the next start creates new ones."""
    for name in (SEEDS, _TOKENS):
        (home / name).unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    part.replace(file)
