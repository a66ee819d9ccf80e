"""The ONNX nodes that several steps need. All attributes have explicit types.

onnx infers INTS from floats that are whole, and no type at all from an empty list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import AttributeProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

ML = "ai.onnx.ml"


def constant(name: str, value: NDArray[np.generic]) -> onnx.NodeProto:
    """Return the node of a constant tensor `name`."""
    return helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(value))


def numbers_of_texts(
    text: str, output: str, texts: Sequence[str], numbers: NDArray[np.float32], other: np.float32
) -> onnx.NodeProto:
    """Return the node from the tensor `text` to `output`, float32 of the same shape: a number for each text."""
    node = helper.make_node("LabelEncoder", [text], [output], name=output, domain=ML, default_float=float(other))
    node.attribute.append(helper.make_attribute("keys_strings", texts, attr_type=AttributeProto.STRINGS))
    node.attribute.append(helper.make_attribute("values_floats", numbers.tolist(), attr_type=AttributeProto.FLOATS))
    return node


def integers_of_texts(
    text: str, output: str, texts: Sequence[str], integers: Sequence[int], other: int
) -> onnx.NodeProto:
    """Return the node from the tensor `text` to `output`, int64 of the same shape: a whole number for each text."""
    node = helper.make_node("LabelEncoder", [text], [output], name=output, domain=ML, default_int64=other)
    node.attribute.append(helper.make_attribute("keys_strings", texts, attr_type=AttributeProto.STRINGS))
    node.attribute.append(helper.make_attribute("values_int64s", integers, attr_type=AttributeProto.INTS))
    return node
