"""Settings from the variables of a test, instead of the environment of its process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar
from unittest.mock import patch

from rondo.chassis import settings as chassis

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=chassis.ServiceSettings)


def load(settings: type[S], environ: Mapping[str, str]) -> S:
    """Read settings like a service that only has these variables."""
    with patch.dict(os.environ, environ, clear=True):
        return chassis.load(settings)
