"""The methods of the API by their full names, each with the roles that may call it. Other calls are denied.

The health methods are open to everybody, as over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.contracts.access_tokens import Role
from rondo.serving.errors import RequestRefusedError
from rondo.serving.grpc import compiled_messages, tensors
from rondo.serving.grpc.compiled_messages import layouts
from rondo.serving.grpc.messages import message_class, service
from rondo.serving.open_inference import inference_call, repository
from rondo.serving.open_inference import response as responses
from rondo.serving.open_inference.inference_call import InferenceCall
from rondo.serving.open_inference.protocol import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rondo.serving.grpc.messages import Message
    from rondo.serving.inference.batcher import Answered
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels, ServingTable
    from rondo.serving.open_inference.response import InferenceResponse

    Call = Callable[[bytes], Awaitable[bytes]]
    TypedCall = Callable[[Message], Awaitable[Message]]

_SERVICE, _HEALTH = "inference.GRPCInferenceService", "grpc.health.v1.Health"
_ANSWERS = {each.name: message_class(each.output_type.full_name) for each in service(_SERVICE).methods}
_REQUESTS = {each.name: message_class(each.input_type.full_name) for each in service(_SERVICE).methods}
_CHECK = message_class("grpc.health.v1.HealthCheckRequest")
_CHECKED = message_class("grpc.health.v1.HealthCheckResponse")
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the API. `call` takes a request and returns its answer, both as bytes.

    A method without roles is open. `call` raises a DecodeError for bytes that are not a request of the method.
    """

    roles: tuple[Role, ...]
    call: Call


@dataclass(frozen=True, slots=True)
class GrpcApi:
    """The API. `report` is the state of the service's dependencies, as for `/readyz`."""

    _models: ServedModels
    _service: InferenceService
    _report: Callable[[], Awaitable[dict[str, str]]]

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by their paths, such as `/inference.GRPCInferenceService/ModelInfer`."""
        looking = (Role.READER, Role.PREDICTOR)
        calls: dict[str, tuple[tuple[Role, ...], TypedCall]] = {
            "ServerLive": (looking, self.live),
            "ServerReady": (looking, self.ready),
            "ServerMetadata": (looking, self.server),
            "ModelReady": (looking, self.model_ready),
            "ModelMetadata": (looking, self.metadata),
            "RepositoryIndex": (looking, self.index),
            "RepositoryModelLoad": (looking, self.load),
            "RepositoryModelUnload": ((Role.ENGINEER,), self.unload),
        }
        found = {
            f"/{_SERVICE}/{name}": Method(roles, _typed(_REQUESTS[name], call)) for name, (roles, call) in calls.items()
        }
        found[f"/{_SERVICE}/ModelInfer"] = Method((Role.PREDICTOR,), self.infer)
        return found | {f"/{_HEALTH}/Check": Method((), _typed(_CHECK, self.check))}

    async def live(self, _: Message) -> Message:
        return _ANSWERS["ServerLive"](live=True)

    async def ready(self, _: Message) -> Message:
        return _ANSWERS["ServerReady"](ready=await self._is_ready())

    async def check(self, request: Message) -> Message:
        """Answer a health check of the server (the empty name), or of the inference service."""
        if request.service not in ("", _SERVICE):
            return _CHECKED(status=_SERVICE_UNKNOWN)
        return _CHECKED(status=_SERVING if await self._is_ready() else _NOT_SERVING)

    async def _is_ready(self) -> bool:
        return all(answer == "ok" for answer in (await self._report()).values())

    async def server(self, _: Message) -> Message:
        return _ANSWERS["ServerMetadata"](name="rondo-serving", version="2", extensions=EXTENSIONS)

    async def model_ready(self, request: Message) -> Message:
        try:
            inference_call.find(self._models.table, request.name, request.version or None)
        except RequestRefusedError:
            return _ANSWERS["ModelReady"](ready=False)
        return _ANSWERS["ModelReady"](ready=True)

    async def metadata(self, request: Message) -> Message:
        served, chosen = inference_call.find(self._models.table, request.name, request.version or None)
        numbers = [chosen.model_version] if chosen else [each.model_version for each in served.answering]
        return tensors.metadata(responses.metadata(served, numbers))

    async def infer(self, body: bytes) -> bytes:
        """Score the rows of one request, as over HTTP. The response has raw contents if the request has them."""
        parsed = compiled_messages.parse(body)
        encode = compiled_messages.encode if parsed.raw_input_contents else _typed_response
        # The table is held until the answer is known, so that no version is unloaded before.
        with self._models.lease() as table:
            call = _inference_call(table, parsed, body)

            def respond(answered: Sequence[Answered]) -> bytes:
                return encode(call.respond(answered))

            return await self._service.answer(call.served, call.rows, call.pinned, len(body), respond, call.timeout)

    async def index(self, request: Message) -> Message:
        answer = _ANSWERS["RepositoryIndex"]()
        for each in repository.index(self._models.table, ready_only=request.ready):
            answer.models.add(name=each.name, version=each.version, state=each.state, reason=each.reason)
        return answer

    async def load(self, request: Message) -> Message:
        model = _model_of(request)
        repository.load(self._models.table, model)
        return _ANSWERS["RepositoryModelLoad"](model_name=model, isLoaded=True)

    async def unload(self, request: Message) -> Message:
        repository.unload(self._models.table, _model_of(request))
        return _ANSWERS["RepositoryModelUnload"]()


def _typed(request: type[Message], call: TypedCall) -> Call:
    """Return a call that decodes its request and encodes its answer."""

    async def answer(body: bytes) -> bytes:
        found: bytes = (await call(request.FromString(body))).SerializeToString()
        return found

    return answer


def _typed_response(answer: InferenceResponse) -> bytes:
    found: bytes = tensors.response(answer).SerializeToString()
    return found


def _inference_call(table: ServingTable, parsed: Message, body: bytes) -> InferenceCall:
    served, pinned = inference_call.find(table, parsed.model_name, parsed.model_version or None)
    known = layouts(served.schema)
    if (decoded := known.decode(parsed)) is not None:
        return InferenceCall.of_values(served, pinned, parsed.id or None, *decoded)
    request = _REQUESTS["ModelInfer"].FromString(body)
    call = InferenceCall.of(table, parsed.model_name, parsed.model_version or None, tensors.request(request))
    known.learn(parsed, request, len(call.rows))
    return call


def _model_of(request: Any) -> str:
    """Return the model of a request to the repository. KServe's clients send it in the field of Triton's repository."""
    name: str = request.model_name or request.repository_name
    return name
