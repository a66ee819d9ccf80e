"""Run the benchmarks, or one of them: `python tests/benchmarks/run.py [table]`, as `make bench ONLY=<table>` does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NO_TABLES = {"run", "results"}


def tables() -> list[str]:
    """Return the names of the tables: every other script in this folder is one."""
    return sorted(p.stem for p in HERE.glob("*.py") if p.stem not in _NO_TABLES and not p.stem.startswith("_"))


def main(only: str | None) -> int:
    """Run one table, or all; return the number of those that failed."""
    known = tables()
    if only and only not in known:
        sys.stderr.write(f"there is no table {only!r}: ONLY can be {', '.join(known)}\n")
        return 2
    chosen = [only] if only else known
    failed = sum(_run(f"{table}.py") != 0 for table in chosen)
    if os.environ.get("BENCH_RECORD"):
        _run("_readme.py")
    return failed


def _run(script: str) -> int:
    return subprocess.run([sys.executable, str(HERE / script)], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else None))
