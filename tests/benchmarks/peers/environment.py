"""The environments of the peers. Each has the packages of its file in `pins/`, and none of Rondo.

uv creates each once and keeps it in `.bench/`, under a name that depends on the pins and on the Python version.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import gettempdir

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
UV = ROOT / ".venv/uv/bin/uv"
# Some of the peers send usage reports over the network, and wait for the response.
QUIET = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


@dataclass(frozen=True)
class Environment:
    """An environment by the name of its pins. `version` is that of its Python, by default ours.

    A `bare` environment only installs pinned packages, without their dependencies.
    """

    name: str
    version: str | None = None
    bare: bool = False

    @property
    def pins(self) -> Path:
        return HERE / "pins" / f"{self.name}.txt"

    @property
    def versions(self) -> dict[str, str]:
        """The versions that a peer runs with, under names that distinguish them from ours.

        They are above the first empty line of the pins. Their dependencies are below it.
        """
        lines = self.pins.read_text().partition("\n\n")[0].splitlines()
        return {f"peer: {name}": version for line in lines if "==" in line for name, version in [line.split("==")]}

    def python(self) -> Path | None:
        """Return the interpreter.

        None if the environment can't be created, so that its peers have no figures in this run.
        """
        return _made(self)


LOOPS = Environment("loops")
MLSERVER = Environment("mlserver")
KSERVE = Environment("kserve")
FASTSTREAM = Environment("faststream")
QUIX = Environment("quix")
DRIFT = Environment("drift")
FEAST = Environment("feast")
# The wheel holds MOA as a .jar. It asks for torch, which its detectors do not use.
MOA = Environment("moa", bare=True)
BETS = Environment("bets", version="3.12")
# Has no wheels, and its C++ does not compile against later Pythons.
SEQUENCES = Environment("sequences", version="3.10")


@cache
def _made(environment: Environment) -> Path | None:
    base = _base(environment.version)
    if base is None:
        sys.stderr.write(f"there is no Python {environment.version}: the peers in {environment.name} have no figures\n")
        return None
    name = hashlib.sha256(environment.pins.read_bytes() + base.encode() + sys.version.encode()).hexdigest()[:12]
    folder = ROOT / ".bench" / f"{environment.name}-{name}"
    interpreter, made = folder / "bin/python", folder / ".made"
    if not made.exists():
        sys.stderr.write(f"making the environment of peers in {folder.relative_to(ROOT)}\n")
        bare = ["--no-deps"] if environment.bare else []
        for arguments in (
            ("venv", "--quiet", "--clear", "--python", base, str(folder)),
            ("pip", "install", "--quiet", *bare, "--python", str(interpreter), "--requirement", str(environment.pins)),
        ):
            # Run in another folder, because uv would apply the overrides of our pyproject.toml to the peers, too.
            if subprocess.run([UV, *arguments], cwd=gettempdir(), check=False).returncode != 0:  # noqa: S603
                sys.stderr.write(f"the environment can't be made: the peers in {environment.name} have no figures\n")
                return None
        made.touch()
    return interpreter


def _base(version: str | None) -> str | None:
    """Return the Python to make an environment with. uv does not search the folder of pyenv by itself."""
    if version is None:
        return sys.executable
    for wanted in (version, *map(str, sorted(_PYENV.glob(f"{version}.*/bin/python")))):
        found = subprocess.run(  # noqa: S603
            [UV, "python", "find", "--no-project", wanted], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            return found.stdout.strip()
    return None
