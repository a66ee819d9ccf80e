"""A version answers one request of its own before any of an application's: the whole way, from JSON to its log.

What is slow only once (imports that pyarrow puts off, allocations of onnxruntime) happens here, off the stream.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.serving.errors import VersionRefusedError
from rondo.serving.models.loaded_version import Serving
from rondo.serving.models.table import Table
from rondo.serving.requests.limits import example
from rondo.serving.stream.answer_batch import Answering

if TYPE_CHECKING:
    from rondo.serving.models.loaded_version import Version


def rehearse(version: Version) -> None:
    """Answer a request made of values that the features allow.

    Raises:
        VersionRefusedError: the version does not answer it.

    """
    features = {name: example(feature) for name, feature in version.layout.features.items()}
    request = json.dumps({"id": "rehearsal", "model": version.model, "features": features}).encode()
    serving = Serving(version.model, 0, (version,), (1.0,))
    table = Table({version.model: serving})
    answering = Answering(table, [request], table.reader.read([request]), lambda: datetime.now(UTC), {})
    if not list(answering.answered()):
        why = f"it does not answer a request of its own ({answering.refused[0]}); train again"
        raise VersionRefusedError(version.model, version.model_version, why)
