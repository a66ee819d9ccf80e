"""Settings from an environment that a test writes down, instead of the one that it runs in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar
from unittest.mock import patch

from rondo.chassis import settings as chassis

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=chassis.ServiceSettings)


def load(settings: type[S], environ: Mapping[str, str]) -> S:
    """Read settings as a service does that has only these variables."""
    with patch.dict(os.environ, environ, clear=True):
        return chassis.load(settings)
