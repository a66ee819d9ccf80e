"""Brings graphs to the same versions of operators, so that their nodes can stand in one graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import defs, version_converter

from rondo.chassis.onnx_document import first_line, versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx


class OperatorVersionError(ValueError):
    """An operator has changed between two versions, and can't be converted. The message is read after "the model: "."""

    code = "operator_version"


def newest(versions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the newest version of each domain."""
    found: dict[str, int] = {}
    for each in versions:
        for domain, version in each.items():
            found[domain] = max(version, found.get(domain, 0))
    return dict(sorted(found.items()))


def convert(model: onnx.ModelProto, versions: Mapping[str, int]) -> onnx.ModelProto:
    """Return a graph with operators of these versions, or of its own where that is newer.

    Raises:
        OperatorVersionError: an operator has changed in between, and can't be converted.

    """
    own = versions_of(model)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") and versions.get(node.domain, 0) > own[node.domain]:
            _require_the_same(node, own[node.domain], versions[node.domain])
    if versions.get("", 0) <= own[""]:
        return model
    try:
        return version_converter.convert_version(model, versions[""])
    except (RuntimeError, ValueError) as error:
        message = f"its operators can't be converted from version {own['']} to {versions['']} ({first_line(error)})"
        raise OperatorVersionError(message) from None


def _require_the_same(node: onnx.NodeProto, own: int, wanted: int) -> None:
    since = [int(defs.get_schema(node.op_type, version, node.domain).since_version) for version in (own, wanted)]
    if since[0] != since[1]:
        message = f"its operator {node.op_type} is that of {node.domain} {own}, and is another in {wanted}"
        raise OperatorVersionError(message)
