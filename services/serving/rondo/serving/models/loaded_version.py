"""A loaded version, and the versions that share the traffic of one model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from rondo.contracts.key_position import position
from rondo.contracts.vocabularies import RouteRole, UnknownFields
from rondo.serving.models import routing
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from rondo.serving.models.answer_cache import AnswerCache
    from rondo.serving.outputs.schema import Outputs, OutputSchema
    from rondo.serving.prediction_log.batch import VersionLog
    from rondo.serving.requests.rows import Column, Rows


class Scorer(Protocol):
    """A loaded model. `background` has values of each feature for explanations. None if the artifact has none."""

    @property
    def background(self) -> Mapping[str, Column] | None: ...

    def score(self, columns: Mapping[str, Column], /) -> Outputs:
        """Return the outputs of N rows, for columns of shape [N]. Several threads may call it concurrently."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LoadedVersion:
    """A version in memory, with the schemas of its requests and its answers, and its log.

    If `takes_part` is true, requests also have features of other versions, and the version scores its own.
    `row_seconds` is the time per row in the warm-up, without the cache.
    """

    model: str
    model_version: int
    digest: str
    schema: RequestSchema
    outputs: OutputSchema
    scorer: Scorer
    log: VersionLog
    cache: AnswerCache
    takes_part: bool = False
    row_seconds: float = 0.0

    def own(self, rows: Rows) -> Rows:
        """Return rows with only the features of this version, in its order."""
        return self.schema.of_version(rows) if self.takes_part else rows

    def answering(self, unknown: UnknownFields) -> LoadedVersion:
        """Return the version with this treatment of unknown features and fields."""
        if self.schema.unknown == unknown:
            return self
        schema = RequestSchema(self.model, self.schema.features, unknown)
        return replace(self, schema=schema)

    def in_role(self, role: str, share: float | None = None) -> LoadedVersion:
        """Return the version with the log of a role. `share` is the part of the keys that a canary answers."""
        log = self.log.in_role(role, share)
        return self if log is self.log else replace(self, log=log)


@dataclass(frozen=True, slots=True)
class Compared:
    """The versions of a rollout. `other` scores all rows, or only those that it answers.

    `silent` is the other version with the log of rows that it scores without answering them.
    """

    primary: LoadedVersion
    other: LoadedVersion
    silent: LoadedVersion
    all_rows: bool


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The versions that serve a model with their shares, by the revision `revision` of its deployment.

    `compared` are the two versions that score the same requests, and None if each version only scores the requests that
    it answers. If `log_buffered` is true, an answer over HTTP does not wait for its log. `common` is the schema of
    requests that fit all versions, and None if they have the same features. `deduplicate` is the time after an answer
    over Kafka during which a repeated request gets the same answer.
    """

    model: str
    revision: int
    versions: tuple[LoadedVersion, ...]
    shares: tuple[float, ...]
    traceparent: str | None = None
    compared: Compared | None = None
    log_buffered: bool = False
    common: RequestSchema | None = None
    deduplicate: timedelta | None = None

    @property
    def answering(self) -> tuple[LoadedVersion, ...]:
        """The versions that answer requests."""
        return tuple(version for version in self.versions if version.log.role != RouteRole.SHADOW)

    @property
    def schema(self) -> RequestSchema:
        """The schema of requests that fit all versions."""
        return self.versions[0].schema if self.common is None else self.common

    @property
    def outputs(self) -> OutputSchema:
        """The outputs of an answer, which all versions share."""
        return self.versions[0].outputs

    def scoring_versions(self) -> list[tuple[LoadedVersion, float]]:
        """Return the versions that score rows, each with the expected part of all rows that it scores.

        The parts add up to more than 1 if two versions score the same rows. A version that scores none is left out.
        """
        total = sum(self.shares)
        parts = [(version, share / total) for version, share in zip(self.versions, self.shares, strict=True) if share]
        if self.compared is None:
            return parts
        other = self.compared.other
        of_other = 1.0 if self.compared.all_rows else sum(part for each, part in parts if each is other)
        return [(self.compared.primary, 1.0), *([(other, of_other)] if of_other else [])]

    def version_for(self, key: str) -> LoadedVersion:
        """Return the version that answers requests with this key."""
        if len(self.versions) == 1:
            return self.versions[0]
        return self.versions[routing.choose(position(self.model, key), self.shares)]
