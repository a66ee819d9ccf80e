"""Run the benchmarks, or one of them: `python -m tests.benchmarks [table]`, as `make bench ONLY=<table>` does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = "tests.benchmarks"


def tables() -> dict[str, str]:
    """Return the names and modules of all tables in the folder `tables`, including its subfolders."""
    paths = sorted((HERE / "tables").rglob("*.py"), key=lambda path: path.stem)
    return {path.stem: ".".join((PACKAGE, *path.relative_to(HERE).with_suffix("").parts)) for path in paths}


def main(only: str | None) -> int:
    """Run one table, or all tables. Return the number of failed tables."""
    known = tables()
    if only and only not in known:
        sys.stderr.write(f"there is no table {only!r}: ONLY can be {', '.join(known)}\n")
        return 2
    chosen = [only] if only else known
    failed = sum(_run(known[table]) != 0 for table in chosen)
    if os.environ.get("BENCH_RECORD"):
        _run(f"{PACKAGE}.readme")
        _run(f"{PACKAGE}.experiments")
        _run(f"{PACKAGE}.pictures")
    return failed


def _run(module: str) -> int:
    return subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None))
