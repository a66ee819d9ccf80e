"""`python -m tests.benchmarks [table]`."""

import sys

from tests.benchmarks.run import main

sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
