"""Collects the ONNX nodes of a step, and generates the names of their tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ML = "ai.onnx.ml"


@dataclass
class Nodes:
    """A list of nodes. The name of a tensor is the prefix, a dot and a number, unless the caller gives a name.

    Two steps of a graph have different prefixes. No feature has a dot in its name.
    """

    prefix: str
    made: list[onnx.NodeProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its first output."""
        output = name or f"{self.prefix}.{len(self.made)}"
        # The second output of this operator, the number of parts, is not optional.
        outputs = [output, f"{output}.count"] if operator == "StringSplit" else [output]
        self.made.append(helper.make_node(operator, inputs, outputs, name=output, domain=domain, **attributes))
        return output

    def constant(self, value: NDArray[Any] | np.generic | float | str) -> str:
        """Add a constant tensor. A number becomes a float64 scalar."""
        array = np.array(value, dtype=object) if isinstance(value, str) else np.asarray(value)
        return self.add("Constant", value=numpy_helper.from_array(array))

    def look_up(
        self, text: str, texts: Sequence[str], values: NDArray[np.float32] | NDArray[np.int64], other: float,
        name: str | None = None,
    ) -> str:  # fmt: skip
        """Add a lookup table of texts. Return the tensor of the values of `text`, with its shape: float32 or int64."""
        kind, of_list = ("float", AttributeProto.FLOATS) if values.dtype.kind == "f" else ("int64", AttributeProto.INTS)
        output = self.add("LabelEncoder", text, name=name, domain=ML, **{f"default_{kind}": other})
        # The types are explicit, because onnx infers INTS from whole floats, and no type from an empty list.
        self.made[-1].attribute.extend(
            [
                helper.make_attribute("keys_strings", texts, attr_type=AttributeProto.STRINGS),
                helper.make_attribute(f"values_{kind}s", values.tolist(), attr_type=of_list),
            ]
        )
        return output
