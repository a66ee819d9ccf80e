"""Converts graphs to the same versions of operators, so that one graph can contain the nodes of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import defs, version_converter

from rondo.chassis.onnx_document import first_line, versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx


class OperatorVersionError(ValueError):
    """An operator has changed between two versions, and can't be converted. The message follows "the model: "."""

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
            _require_compatible(node, own[node.domain], versions[node.domain])
    if versions.get("", 0) <= own[""]:
        return model
    try:
        return version_converter.convert_version(model, versions[""])
    except (RuntimeError, ValueError) as error:
        message = f"its operators can't be converted from version {own['']} to {versions['']} ({first_line(error)})"
        raise OperatorVersionError(message) from None


def _require_compatible(node: onnx.NodeProto, own: int, wanted: int) -> None:
    """Check that an operator is the same in both versions, or has only gained optional attributes.

    Ensembles of trees have gained such attributes. skl2onnx writes them in version 1 by default.
    """
    before, after = (defs.get_schema(node.op_type, version, node.domain) for version in (own, wanted))
    lost = set(before.attributes) - set(after.attributes)
    required = [name for name in set(after.attributes) - set(before.attributes) if after.attributes[name].required]
    if lost or required or _ports(before) != _ports(after):
        message = (
            f"its operator {node.op_type} is that of {node.domain} {own}, and is another in {wanted}: export it with"
            f" the operators of {wanted} (of skl2onnx, `target_opset={{'': 15, '{node.domain}': {wanted}}}`)"
        )
        raise OperatorVersionError(message)


def _ports(schema: defs.OpSchema) -> list[tuple[str, str]]:
    """Return the inputs and outputs of an operator: the name and the name of the type of each."""
    return [(port.name, port.type_str) for port in (*schema.inputs, *schema.outputs)]
