"""The client's errors. Each has a `code` for programs. Its message says what to do next."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RondoError(Exception):
    """The base class of the client's errors.

    Print the text, not a traceback. If there are several faults, `problems` has one line for each.
    """

    code: str = "failed"
    problems: tuple[str, ...] = ()


class NoConnectionError(RondoError):
    """The address of Rondo is not configured."""

    code = "no_connection"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}: start one here with `rondo up`, or set RONDO_KAFKA, RONDO_REGISTRY_URL, RONDO_INGESTION_URL, "
            "RONDO_SERVING_URL and RONDO_TOKEN to use one that runs elsewhere"
        )
        self.why = why


class UnreachableError(RondoError):
    """A service or Kafka does not answer."""

    code = "unreachable"

    def __init__(self, service: str, url: str, reason: str) -> None:
        super().__init__(
            f"{service} can't be reached at {url} ({reason}): is it running? `rondo status` shows what is, "
            "`rondo up` starts Rondo here"
        )
        self.service, self.url, self.reason = service, url, reason


class UnavailableError(RondoError):
    """A service answers that it can't serve this request now (HTTP 503). Nothing was changed."""

    code = "unavailable"

    def __init__(self, service: str, message: str) -> None:
        super().__init__(f"{service} can't do this now: {message}")
        self.service = service


class UnauthorizedError(RondoError):
    """The token is missing, unknown, expired or revoked (HTTP 401)."""

    code = "unauthorized"

    def __init__(self, service: str, url: str, reason: str = "") -> None:
        why = f" ({reason})" if reason else ""
        super().__init__(
            f"{service} at {url} does not accept this token{why}: set RONDO_TOKEN or RONDO_TOKEN_FILE to a valid one; "
            "`rondo token create` makes one"
        )
        self.service, self.url, self.reason = service, url, reason


class ForbiddenError(RondoError):
    """The token is valid, but has none of the `required_roles` (HTTP 403)."""

    code = "forbidden"

    def __init__(self, service: str, message: str, required_roles: tuple[str, ...] = ()) -> None:
        super().__init__(f"{service} refuses: {message}")
        self.service, self.required_roles = service, required_roles


class NotFoundError(RondoError):
    """The model, version, dataset or batch does not exist (HTTP 404)."""

    code = "not_found"


class RefusedError(RondoError):
    """The request is invalid, or not allowed in the current state."""

    def __init__(self, message: str, problems: Sequence[str] = (), code: str = "refused") -> None:
        missing = [problem for problem in problems if problem not in message]
        super().__init__("\n".join((message, *(f"  {problem}" for problem in missing))))
        self.problems, self.code = tuple(problems), code


class ServiceFailedError(RondoError):
    """A service answered HTTP 5xx, or a body that does not follow its API."""

    code = "service_failed"

    def __init__(self, service: str, status: int, text: str) -> None:
        super().__init__(f"{service} failed with HTTP {status}: {text[:500] or 'no text'}; see its log")
        self.service, self.status = service, status


_SHEET = "save the sheet as CSV (UTF-8)"
_OTHER_FORMATS = {
    ".xlsx": _SHEET, ".xls": _SHEET, ".ods": _SHEET, ".numbers": _SHEET,
    ".json": "write one object per line, into a file that ends in .jsonl: `jq -c '.[]' FILE` does that with an array",
    ".txt": "name a file with a header and columns .csv, whatever separates them",
    ".zip": "compress one file with gzip, such as data.csv.gz",
    ".feather": "name a Feather file of version 2 .arrow",
}  # fmt: skip


class UnknownFormatError(RondoError):
    """The suffix of a file does not name a format of batches."""

    code = "unknown_format"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        suffix = name[name.rfind(".") :].lower()
        hint = f"; {_OTHER_FORMATS[suffix]}" if suffix in _OTHER_FORMATS else ""
        super().__init__(
            f"{name} has an unsupported file extension: use one of {', '.join(known)}, or pass a content type in "
            f"Python{hint}"
        )


class EmptyBatchError(RondoError):
    code = "empty_batch"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is empty, it has 0 bytes: was it written to its end? Send at least one row")


class PredictionRefusedError(RondoError):
    """A request can't be answered. `reason` says what to send instead."""

    def __init__(self, request_id: str, reason: str, code: str = "refused") -> None:
        super().__init__(f"the request {request_id} was refused: {reason}")
        self.request_id, self.reason, self.code = request_id, reason, code


class UnreadableAnswerError(RondoError):
    """The answer to a request over Kafka is malformed."""

    code = "unreadable_answer"

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(
            f"the answer to the request {request_id} can't be read ({reason}): is serving of another version than this "
            "client?"
        )
        self.request_id = request_id


class IdInUseError(RefusedError):
    """Two requests with one id are pending, so that their answers can't be distinguished."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"another request {request_id} is pending: give each request an id of its own, or leave it out",
            code="id_in_use",
        )
        self.request_id = request_id


class DeliveryStatus(StrEnum):
    """The delivery state of a request.

    Only a request that was not sent can be sent again without the risk of a second answer.
    """

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"


_OUTLOOK = {
    DeliveryStatus.NOT_SENT: "the request was not sent, send it again once Kafka answers",
    DeliveryStatus.UNKNOWN: "Kafka did not acknowledge the request, look for its answer on the topic predictions.made "
    "before sending it again",
    DeliveryStatus.ACKNOWLEDGED: "Kafka has the request, do not send it again: it will be answered on the topic "
    "predictions.made",
}


class PredictionTimeoutError(RondoError):
    """No answer arrived within the limit. `delivery` says whether Kafka has the request."""

    code = "no_answer"

    def __init__(self, request_id: str, model: str, seconds: float, delivery: DeliveryStatus) -> None:
        super().__init__(
            f"no answer to the request {request_id} within {seconds:g} s: {_OUTLOOK[delivery]}; `rondo status` shows "
            f"whether serving and Kafka are ready, `rondo models` whether {model} is deployed"
        )
        self.request_id, self.model, self.seconds, self.delivery = request_id, model, seconds, delivery


class OutcomeTimeoutError(RondoError):
    """Kafka did not acknowledge an outcome within the limit."""

    code = "no_acknowledgement"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Kafka did not acknowledge the outcome within {seconds:g} s: send it again once Kafka answers (`rondo "
            "status`); a second copy of the same outcome changes nothing"
        )
        self.seconds = seconds


class MessageTooLargeError(RondoError):
    """A message is larger than its topic allows."""

    code = "too_large"

    def __init__(self, topic: str, limit: int) -> None:
        super().__init__(
            f"the message is larger than the {limit:,} bytes that {topic} takes: send fewer or shorter values"
        )
        self.topic, self.limit = topic, limit


class UnknownTopicError(RondoError):
    """A name is neither a topic with events nor an event."""

    code = "unknown_topic"

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there are no events called {name!r}: {hint}")
        self.name, self.hint = name, hint
