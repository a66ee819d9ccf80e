"""Makes `monitor_world` importable: the tests are no package. No test asserts a time, so no property has a deadline."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
settings.register_profile("monitor", deadline=None)
settings.load_profile("monitor")
