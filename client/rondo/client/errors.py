"""What can go wrong between an application and Rondo. Every message says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class RondoError(Exception):
    """Base of everything that this package raises on purpose: show its text, not a traceback.

    `code` is its short name for programs; `problems` has a line for each fault where there may be several.
    """

    code = "failed"
    problems: tuple[str, ...] = ()


class NoConnectionError(RondoError):
    """Nothing says where Rondo is."""

    code = "no_connection"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}: start one here with `rondo up`, or set RONDO_KAFKA, RONDO_REGISTRY_URL, RONDO_INGESTION_URL, "
            "RONDO_SERVING_URL and RONDO_API_TOKEN to use one that runs elsewhere"
        )


class UnreachableError(RondoError):
    """A service, or Kafka, does not answer."""

    code = "unreachable"

    def __init__(self, service: str, url: str, reason: str) -> None:
        super().__init__(
            f"{service} can't be reached at {url} ({reason}): is it running? `rondo status` tells, "
            "`rondo up` starts Rondo here"
        )
        self.service, self.url, self.reason = service, url, reason


class UnavailableError(RondoError):
    """A service answers that it can't work now; nothing was changed."""

    code = "unavailable"

    def __init__(self, service: str, message: str) -> None:
        super().__init__(f"{service} can't do this now: {message}")
        self.service = service


class UnauthorizedError(RondoError):
    """The token is missing or wrong."""

    code = "unauthorized"

    def __init__(self, service: str, url: str) -> None:
        super().__init__(
            f"{service} at {url} does not take this token: set RONDO_API_TOKEN or RONDO_API_TOKEN_FILE to the one "
            "that it was started with"
        )
        self.service, self.url = service, url


class NotFoundError(RondoError):
    """There is no such model, version, dataset or batch."""

    code = "not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class RefusedError(RondoError):
    """The request was understood and turned down. `code` is its short name, `problems` one line for each fault."""

    def __init__(self, message: str, problems: Sequence[str] = (), code: str = "refused") -> None:
        unsaid = [problem for problem in problems if problem not in message]
        super().__init__("\n".join((message, *(f"  {problem}" for problem in unsaid))))
        self.problems, self.code = tuple(problems), code


class ServiceFailedError(RondoError):
    """A service gave an answer that it should never give."""

    code = "service_failed"

    def __init__(self, service: str, status: int, text: str) -> None:
        super().__init__(f"{service} failed with HTTP {status}: {text[:500] or 'no text'}; its log says more")
        self.service, self.status = service, status


class UnknownFormatError(RondoError):
    """A file's suffix names no format of batches."""

    code = "unknown_format"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{name} is no batch, by its name: save it as one of {', '.join(known)}; from Python a content type "
            "says the same"
        )


class EmptyBatchError(RondoError):
    """A batch has no byte, and so is no file of any format."""

    code = "empty_batch"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is empty, it has 0 bytes: was it written to its end? Send at least one row")


class PredictionRefusedError(RondoError):
    """A request can't be answered; `reason` says what to send instead, `code` is its short name."""

    def __init__(self, request_id: str, reason: str, code: str = "refused") -> None:
        super().__init__(f"the request {request_id} was refused: {reason}")
        self.request_id, self.reason, self.code = request_id, reason, code


class UnreadableAnswerError(RondoError):
    """An answer over Kafka is none that serving should ever give."""

    code = "unreadable_answer"

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(
            f"the answer to the request {request_id} can't be read ({reason}): is serving of another version than this "
            "client?"
        )
        self.request_id = request_id


class IdInUseError(RefusedError):
    """Two requests of one id at once: their answers could not be told apart."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"the request {request_id} is waited for already: give each request an id of its own, or leave it out",
            code="id_in_use",
        )
        self.request_id = request_id


class PredictionTimeoutError(RondoError):
    """No answer came in time. `kept`: Kafka has the request, it is answered later, and is not to be sent again."""

    code = "no_answer"

    def __init__(self, request_id: str, model: str, seconds: float, *, kept: bool) -> None:
        outlook = (
            "the request is kept and will be answered, on the topic predictions.made"
            if kept
            else "Kafka did not say that it has the request, which may be lost: ask again once Kafka answers"
        )
        super().__init__(
            f"no answer to the request {request_id} within {seconds:g} s: `rondo status` tells whether serving is "
            f"ready, `rondo models` whether {model} is deployed; {outlook}"
        )
        self.request_id, self.model, self.kept = request_id, model, kept


class MessageTooLargeError(RondoError):
    """A message is larger than its topic takes."""

    code = "too_large"

    def __init__(self, topic: str, limit: int) -> None:
        super().__init__(
            f"the message is larger than the {limit:,} bytes that {topic} takes: send fewer or shorter values"
        )


class UnknownTopicError(RondoError):
    """A name is neither a topic of events nor an event."""

    code = "unknown_topic"

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there are no events called {name!r}: {hint}")
