"""The compiled messages are those of the .proto files, and have a pool of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from rondo.serving.grpc.messages import DESCRIPTORS, message_class

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow  # it installs protoc in an environment of its own
@pytest.mark.timeout(300)
def test_the_descriptors_are_compiled_from_the_files(tmp_path: Path) -> None:
    found, folder = tmp_path / "descriptors.binpb", DESCRIPTORS.parent
    command = [
        str(ROOT / ".venv/uv/bin/uv"), "run", "--quiet", "--no-project", "--python", sys.executable,
        "--with", "grpcio-tools==1.85.1", "python", "-m", "grpc_tools.protoc", "-I", str(folder),
        f"--descriptor_set_out={found}", "open_inference.proto", "health.proto",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(command, check=True, env=environment)  # noqa: S603 - our own command
    assert found.read_bytes() == DESCRIPTORS.read_bytes(), "run `make proto` and commit descriptors.binpb"


def test_the_messages_leave_the_names_of_the_protocol_to_others() -> None:
    assert message_class("inference.ModelInferRequest")(id="r").id == "r"
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("inference.ModelInferRequest")
