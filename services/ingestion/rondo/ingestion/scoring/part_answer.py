"""An answer of serving as a value, and the check that it answers a part of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.events import logs, scores
from rondo.contracts.text import Digest, Id, Message, Text

if TYPE_CHECKING:
    from rondo.ingestion.scoring.jobs import OpenPart

_HEAD = scores.answer_schema((), pa.string())
_OUTPUTS = (pa.float32(), pa.string(), pa.int64(), pa.list_(pa.float32()))


class InvalidAnswerError(ValueError):
    """A message of `scores.made` has an invalid form, so it answers no part."""

    code: ClassVar[str] = "invalid_answer"


class AnswerMetadata(BaseModel):
    """The metadata of an answer. `error` is empty, or the code of the error that refused the whole request.

    `attempt` is the attempt of the job. It is empty in answers of an earlier release.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: Id
    part: Annotated[int, Field(ge=0, lt=2**31)]
    model_version: int
    digest: Digest
    first_row: int
    attempt: Text = ""
    error: Text = ""
    message: Message = ""


@dataclass(frozen=True)
class PartAnswer:
    """The metadata and the rows of an answer. It has no rows if it has an error."""

    about: AnswerMetadata
    rows: pa.RecordBatch

    @classmethod
    def of(cls, value: bytes) -> Self:
        """Parse a message.

        Raises:
            InvalidAnswerError: it can't be parsed, or its metadata is incomplete.

        """
        try:
            rows = scores.decode(value)
            return cls(AnswerMetadata.model_validate(logs.metadata(rows)), rows)
        except ValueError as error:
            raise InvalidAnswerError(" ".join(str(error).split())) from None

    def misfit(self, wanted: OpenPart) -> str:
        """Return the reason why it does not answer the part `wanted`. Empty if it does."""
        request, about = wanted.request, self.about
        if (about.model_version, about.digest) != (request.model_version, request.digest):
            return f"it is by version {about.model_version} with digest {about.digest}"
        if about.attempt and about.attempt != wanted.attempt:
            return "it is of an earlier attempt"
        if about.error:
            return ""
        if (about.first_row, len(self.rows)) != (wanted.part.first_row, wanted.part.rows):
            return f"it has {len(self.rows):,} rows from row {about.first_row:,} on"
        if problem := _misfitting_column(self.rows.schema):
            return problem
        numbers = pa.array(np.arange(about.first_row, about.first_row + len(self.rows)))
        return "" if self.rows.column(scores.ROW).equals(numbers) else "its rows have other numbers"


def _misfitting_column(schema: pa.Schema) -> str:
    for field in _HEAD:
        place = schema.get_field_index(field.name)
        if place < 0 or schema.field(place).type != field.type:
            return f"the column {field.name} is missing, or is no {field.type}"
    for field in schema:
        if field.name not in _HEAD.names and (field.type not in _OUTPUTS or schema.get_field_index(field.name) < 0):
            return f"the column {field.name} is {field.type}, or is there twice"
    return ""
