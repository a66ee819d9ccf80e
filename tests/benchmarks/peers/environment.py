"""The environment of the loops that are written by hand: what `pins.txt` pins, and nothing of ours.

It is made by uv, once, and kept in `.bench/` under a name that changes with the pins and the Python.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PINS = HERE / "pins.txt"


def python() -> Path | None:
    """Return the environment's interpreter, or None where it can't be made: the peers then have no figures."""
    name = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = ROOT / ".bench" / f"peers-{name}"
    interpreter, made = folder / "bin/python", folder / ".made"
    if not made.exists():
        sys.stdout.write(f"making the peers' environment in {folder.relative_to(ROOT)}\n")
        uv = str(ROOT / ".venv/uv/bin/uv")
        for arguments in (
            ("venv", "--quiet", "--clear", "--python", sys.executable, str(folder)),
            ("pip", "install", "--quiet", "--python", str(interpreter), "--requirement", str(PINS)),
        ):
            if subprocess.run([uv, *arguments], check=False).returncode != 0:  # noqa: S603
                sys.stderr.write("the peers' environment can't be made, so they have no figures in this run\n")
                return None
        made.touch()
    return interpreter


def pins() -> dict[str, str]:
    """Return the versions that the peers run with, under names that distinguish them from ours."""
    lines = (line.strip() for line in PINS.read_text().splitlines())
    return {f"peer: {name}": version for line in lines if "==" in line for name, version in [line.split("==")]}
