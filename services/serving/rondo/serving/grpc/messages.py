"""The messages of the API, from `descriptors.binpb`, which `make proto` compiles from the .proto files.

They are in a separate pool, because the clients of KServe and Triton define messages with the same names, and a pool of
protobuf allows a name once. Generated code would also tie the version of protobuf to that of its generator.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

__all__ = ["DESCRIPTORS", "DecodeError", "Message", "message_class", "service", "undecoded_class"]

# A message of any of these classes, whose fields are only known at run time.
Message: TypeAlias = Any
DESCRIPTORS = Path(__file__).with_name("descriptors.binpb")


def _pool(files: descriptor_pb2.FileDescriptorSet) -> DescriptorPool:
    pool = DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _undecoded(files: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    found = descriptor_pb2.FileDescriptorSet.FromString(files.SerializeToString())
    for field in (field for file in found.file for message in file.message_type for field in message.field):
        if field.type == field.TYPE_MESSAGE:
            field.type = field.TYPE_BYTES
            field.ClearField("type_name")
    return found


_FILES = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
_POOL, _UNDECODED = _pool(_FILES), _pool(_undecoded(_FILES))


def message_class(name: str) -> type[Message]:
    """Return the class of a message by its full name, such as `inference.ModelInferRequest`."""
    found: type[Message] = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))
    return found


def undecoded_class(name: str) -> type[Message]:
    """Return a class for the same messages, in which the type of each nested message is bytes.

    Both have the same wire format (protobuf encoding, "Length-Delimited Records").
    """
    found: type[Message] = message_factory.GetMessageClass(_UNDECODED.FindMessageTypeByName(name))
    return found


def service(name: str) -> ServiceDescriptor:
    """Return a service by its full name."""
    return _POOL.FindServiceByName(name)
