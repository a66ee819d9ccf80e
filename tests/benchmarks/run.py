"""Run the benchmarks, or one of them: `python -m tests.benchmarks [table]`, as `make bench ONLY=<table>` does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = "tests.benchmarks"


def tables() -> list[str]:
    """Return the names of the tables: every module of the folder `tables` is one."""
    return sorted(path.stem for path in (HERE / "tables").glob("*.py"))


def main(only: str | None) -> int:
    """Run one table, or all; return the number of those that failed."""
    known = tables()
    if only and only not in known:
        sys.stderr.write(f"there is no table {only!r}: ONLY can be {', '.join(known)}\n")
        return 2
    chosen = [only] if only else known
    failed = sum(_run(f"{PACKAGE}.tables.{table}") != 0 for table in chosen)
    if os.environ.get("BENCH_RECORD"):
        _run(f"{PACKAGE}.readme")
        _run(f"{PACKAGE}.experiments")
    return failed


def _run(module: str) -> int:
    return subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None))
