"""The method of a client that registers models made elsewhere."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode

from rondo.client import event_times
from rondo.client.errors import RefusedError, UnavailableError, UnreachableError
from rondo.client.http.registry import RegistryClient
from rondo.client.registration import comparison, conversion
from rondo.client.registration.onnx_metadata import with_metadata
from rondo.client.registration.outcome import Registration, updated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

WAIT_SECONDS = 600.0
_POLL_SECONDS = 0.5
# The key in a converted file's metadata with the result of its comparison with the estimator, which no service can
# repeat.
COMPARED = "rondo.compared"
# An ONNX file or its bytes, or a fitted estimator of scikit-learn, LightGBM or XGBoost.
Source: TypeAlias = Any


class RegistrationClient(RegistryClient):
    """Registers models."""

    async def register(  # noqa: PLR0913 - each is one fact about the model, and has a default
        self,
        model: str,
        source: Source,
        *,
        reason: str = "",
        trained_until: datetime | None = None,
        classes: Sequence[str | int] | None = None,
        features: Sequence[str] | None = None,
        output: str | None = None,
        rows: Any = None,
        tolerance: float = comparison.TOLERANCE,
        seconds: float = WAIT_SECONDS,
    ) -> Registration:
        """Register a model that was made elsewhere, and return the result, or the state after `seconds`.

        `source` is an ONNX file (a path, or its bytes), or a fitted estimator of scikit-learn, LightGBM or XGBoost. An
        estimator is converted here, and compared with its graph within `tolerance`, on `rows` or random rows, and on
        edge rows.

        `trained_until` is the newest event time of the rows that the model was fitted to. Later rows evaluate the
        model. `classes` are those of the probabilities in their order. `features` are the columns of an input with
        several columns, or of the array that an estimator was fitted to. `output` is the name of the prediction if
        there are several outputs. Each is written into the file's metadata.

        Raises:
            RefusedError: the file can't be read, or the registry refuses it.
            NotFoundError: the model does not exist.
            ConversionUnavailableError: the extra `convert` is not installed.
            NotConvertibleError: the estimator does not fit the spec, or can't be converted.
            NoRowsToCompareError: `rows` is empty.
            RowsNeededError: random rows for the comparison can't be made.
            ConversionDiffersError: the predictions of the graph differ from those of the estimator.

        """
        stated = {
            "rondo.trained_until": None if trained_until is None else event_times.in_utc(trained_until).isoformat(),
            "rondo.classes": None if classes is None else json.dumps(list(classes)),
            "rondo.features": None if features is None else json.dumps(list(features)),
            "rondo.output": output,
        }
        content = await self._onnx(model, source, rows, tolerance, features)
        content = with_metadata(content, {key: value for key, value in stated.items() if value is not None})
        latest = await self._post(model, content, reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for update in self._updates(latest):
                    latest = update
        return latest

    async def _onnx(
        self, model: str, source: Source, rows: Any, tolerance: float, features: Sequence[str] | None
    ) -> bytes:
        if isinstance(source, bytes):
            return source
        if isinstance(source, str | Path):
            return await asyncio.to_thread(_read, Path(source))
        if hasattr(source, "SerializeToString"):
            return bytes(source.SerializeToString())
        conversion.library_of(source)
        spec = (await self.spec(model))["spec"]
        return await asyncio.to_thread(_converted, source, spec, rows, tolerance, features)

    async def _post(self, model: str, content: bytes, reason: str) -> Registration:
        path = f"/v1/models/{quote(model, safe='')}/versions?{urlencode({'reason': reason})}"
        headers = {"content-type": "application/octet-stream"}
        answer = await self._http.json("registry", "POST", path, content=content, headers=headers)
        return Registration(model=model, trigger_id=answer["trigger_id"], artifact=answer["artifact"])

    async def _updates(self, requested: Registration) -> AsyncIterator[Registration]:
        """Yield the registration as the registry lists it, until it is decided."""
        while True:
            # The registration continues while the registry is unavailable, so the client asks again until the time is
            # over.
            with suppress(UnreachableError, UnavailableError):
                runs = await self.runs(requested.model)
                # A run that has ended already has its version, because the registry records both in one transaction.
                versions = await self.versions(requested.model) if runs else []
                found = updated(requested, runs, versions)
                yield found
                if found.status != "requested":
                    return
            await asyncio.sleep(_POLL_SECONDS)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RefusedError(f"{file} can't be read ({error.strerror}): name an ONNX file", code="unreadable") from None


def _converted(
    estimator: Any, spec: dict[str, Any], rows: Any, tolerance: float, features: Sequence[str] | None
) -> bytes:
    converted = conversion.convert(estimator, spec, features)
    compared = comparison.compare(estimator, converted, spec, rows, tolerance)
    return with_metadata(converted.content, {COMPARED: json.dumps(asdict(compared))})
