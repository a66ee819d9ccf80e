"""The kinds of finding."""

from __future__ import annotations

from typing import Literal

FindingKind = Literal["drift", "performance", "quality"]
FINDING_KINDS: tuple[FindingKind, ...] = ("drift", "performance", "quality")
