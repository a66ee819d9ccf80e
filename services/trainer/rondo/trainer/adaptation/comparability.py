"""Decides whether losses of two trainings are comparable: label, task, features and trainer have to be the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec


def comparability_digest(spec: ModelSpec) -> str:
    """Return `sha256:` and the digest of label, task, features, preparation, trainer and prediction of a spec."""
    content = spec.as_dict()
    label = {key: content["data"][key] for key in ("label", "positive", "negative")}
    parts = [label, *(content[key] for key in ("task", "features", "prepare", "trainer", "prediction"))]
    # The order of the features is kept: it is the signature of the model.
    return f"sha256:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"
