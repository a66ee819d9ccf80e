"""The messages of the API, from `descriptors.binpb`, which `make proto` compiles of the .proto files.

They are in a pool of their own: the clients of KServe and Triton define messages of the same names, and protobuf takes
a name once in a pool. Generated code would also tie the version of protobuf to that of its generator.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

__all__ = ["DESCRIPTORS", "DecodeError", "Message", "message_class", "service"]

# A message of any of these classes: its fields are known at run time.
Message: TypeAlias = Any
DESCRIPTORS = Path(__file__).with_name("descriptors.binpb")


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()


def message_class(name: str) -> type[Message]:
    """Return the class of a message by its full name, such as `inference.ModelInferRequest`."""
    found: type[Message] = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))
    return found


def service(name: str) -> ServiceDescriptor:
    """Return a service by its full name."""
    return _POOL.FindServiceByName(name)
