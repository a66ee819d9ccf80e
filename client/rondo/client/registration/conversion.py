"""Converts estimators of scikit-learn, LightGBM and XGBoost to ONNX in the process that has them, without pickles.

The libraries are those of the extra `convert`, imported when an estimator is converted.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rondo.client.registration.errors import ConversionUnavailableError, NotConvertibleError
from rondo.client.registration.onnx_metadata import with_metadata
from rondo.contracts.tasks.label_values import label_text
from rondo.contracts.tasks.registry import task_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBRARIES = ("sklearn", "lightgbm", "xgboost")
# The estimators of the scikit-learn interface of a library, by their prefix.
_PREFIXES = {"lightgbm": "LGBM", "xgboost": "XGB"}
# The names that LightGBM and XGBoost give to the columns of an array.
_PLACE = re.compile(r"(Column_|f)\d+")
_CLASSIFIER_OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
_TARGET_OPSET = {"": 15, "ai.onnx.ml": 3}


@dataclass(frozen=True)
class Converted:
    """The ONNX model of an estimator. `columns` are its features, in their order.

    If `named` is true, the graph has one input for each feature, else one input for all.
    """

    content: bytes
    columns: tuple[str, ...]
    named: bool


def library_of(estimator: object) -> str:
    """Return the library of an estimator.

    Raises:
        NotConvertibleError: the estimator is from another library.

    """
    library = type(estimator).__module__.partition(".")[0]
    if library not in LIBRARIES or not hasattr(estimator, "predict"):
        raise NotConvertibleError(
            estimator,
            "it is no estimator of scikit-learn, LightGBM or XGBoost; export it to ONNX with the tools of its library"
            " (such as torch.onnx), and register the file",
        )
    if type(estimator).__name__ == "Booster" and library in _PREFIXES:
        classifier, regressor = (f"{_PREFIXES[library]}{kind}" for kind in ("Classifier", "Regressor"))
        load = f", or load its file into one ({classifier}().load_model(FILE))" if library == "xgboost" else ""
        raise NotConvertibleError(
            estimator,
            f"it has no classes and names of features, unlike an estimator: fit {classifier} or {regressor}, the"
            f" scikit-learn interface of {library}, with the same parameters{load}",
        )
    return library


def convert(estimator: Any, spec: Mapping[str, Any], stated: Sequence[str] | None = None) -> Converted:
    """Return the ONNX model of a fitted estimator. `spec` is the spec in force, as the registry has it.

    `stated` are the features that the estimator was fitted to, in their order, if it does not know names of columns.

    Raises:
        ConversionUnavailableError: a library for the conversion is not installed.
        NotConvertibleError: the estimator does not fit the spec, or can't be converted.

    """
    library = library_of(estimator)
    classes, columns, named = _classes(estimator, spec), *_columns(estimator, spec, library, stated)
    kinds = {name: spec["features"][name]["type"] for name in columns}
    try:
        if library == "sklearn":
            model = _by_skl2onnx(estimator, kinds, named=named, classifier=bool(classes))
        else:
            model = _by_onnxmltools(library, estimator, len(columns), classifier=bool(classes))
    except ImportError as error:
        raise ConversionUnavailableError((error.name or "skl2onnx").partition(".")[0]) from error
    except (NotImplementedError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The converters raise these errors, and subclasses of them, for estimators that ONNX can't express.
        why = f"its converter fails ({type(error).__name__}: {str(error).partition(chr(10))[0][:300]})"
        raise NotConvertibleError(
            estimator, f"{why}; export it to ONNX by other means, and register the file"
        ) from error
    metadata = {"rondo.classes": json.dumps(classes)} if classes else {}
    if not named:
        metadata["rondo.features"] = json.dumps(columns)
    return Converted(with_metadata(model.SerializeToString(), metadata), columns, named)


def _classes(estimator: Any, spec: Mapping[str, Any]) -> list[str]:
    """Return the classes of a classifier as texts, in the order of its probabilities. Empty for a regressor."""
    found = getattr(estimator, "classes_", None)
    task = task_named(spec["task"])
    if task.target == "number":
        if found is not None:
            raise NotConvertibleError(estimator, f"it is a classifier, and the task of the spec is {task.name}")
        return []
    if found is None or not hasattr(estimator, "predict_proba"):
        raise NotConvertibleError(estimator, f"it has no probabilities, and the task of the spec is {spec['task']}")
    if isinstance(found, list):
        raise NotConvertibleError(
            estimator, f"it predicts {len(found)} labels at once, and a model has one: fit one estimator for each"
        )
    texts = [label_text(int(label) if isinstance(label, bool) else label) for label in found.tolist()]
    classes = [text for text in texts if text]
    if len(classes) != len(texts):
        raise NotConvertibleError(estimator, f"its classes {found.tolist()} are neither texts nor whole numbers")
    if not task.open_classes:
        known = task.labels(spec["data"].get("positive"), spec["data"].get("negative"))
        labels = set(task.classes([], known))
        if set(classes) not in (labels, {"0", "1"}):
            raise NotConvertibleError(
                estimator,
                f"its classes are {', '.join(classes)}, and the labels of the spec {', '.join(sorted(labels))}",
            )
    return classes


def _columns(
    estimator: Any, spec: Mapping[str, Any], library: str, stated: Sequence[str] | None
) -> tuple[tuple[str, ...], bool]:
    """Return the features that an estimator was fitted to, and true if its graph needs an input for each.

    The converters give a graph several inputs only if the first step selects columns by their names.
    """
    features: dict[str, Any] = spec["features"]
    names = tuple(map(str, getattr(estimator, "feature_names_in_", ())))
    known = bool(names) and not all(_PLACE.fullmatch(name) for name in names)
    columns = names if known else tuple(features if stated is None else stated)
    if unknown := [name for name in columns if name not in features]:
        raise NotConvertibleError(
            estimator, f"it was fitted to {', '.join(unknown)}, and the features of the spec are {', '.join(features)}"
        )
    count = getattr(estimator, "n_features_in_", len(names))
    if not known and (count != len(columns) or len(set(columns)) != len(columns)):
        whose = "the spec has the features" if stated is None else "`features` are"
        raise NotConvertibleError(
            estimator,
            f"it was fitted to {count} columns without names, and {whose} {', '.join(columns)}: name those that it was"
            " fitted to in their order (`features=[...]`), or fit it to a DataFrame of pandas or polars with their"
            " names",
        )
    if known and stated is not None and tuple(stated) != names:
        raise NotConvertibleError(
            estimator, f"it was fitted to {', '.join(names)}, and `features` are {', '.join(stated)}: leave them out"
        )
    texts = [name for name in columns if features[name]["type"] == "category"]
    if texts and not (known and library == "sklearn"):
        raise NotConvertibleError(
            estimator,
            f"{', '.join(texts)} is a category: fit a pipeline of scikit-learn that encodes it (OneHotEncoder in a"
            " ColumnTransformer) to a DataFrame of pandas or polars with the names of the features",
        )
    return columns, bool(texts) or (known and _takes_columns_by_name(estimator))


def _takes_columns_by_name(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", None) or getattr(estimator, "transformer_list", None)
    if steps:
        parts = steps[:1] if hasattr(estimator, "steps") else steps
        return any(_takes_columns_by_name(part) for _, part in parts)
    return type(estimator).__name__ == "ColumnTransformer"


def _by_skl2onnx(estimator: Any, kinds: Mapping[str, str], *, named: bool, classifier: bool) -> Any:
    from skl2onnx import convert_sklearn  # noqa: PLC0415 - of an extra
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType  # noqa: PLC0415 - as above

    inputs = [
        (name, (StringTensorType if kind == "category" else FloatTensorType)([None, 1])) for name, kind in kinds.items()
    ]
    _register_boosters()
    return convert_sklearn(
        estimator,
        initial_types=inputs if named else [("features", FloatTensorType([None, len(kinds)]))],
        options={id(estimator): {"zipmap": False}} if classifier else None,
        target_opset=_TARGET_OPSET,
    )


def _by_onnxmltools(library: str, estimator: Any, columns: int, *, classifier: bool) -> Any:
    import onnxmltools  # noqa: PLC0415 - of an extra
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415 - as above

    inputs = [("features", FloatTensorType([None, columns]))]
    if library == "xgboost":
        return onnxmltools.convert_xgboost(estimator, initial_types=inputs, target_opset=_TARGET_OPSET[""])
    more = {"zipmap": False} if classifier else {}
    return onnxmltools.convert_lightgbm(estimator, initial_types=inputs, target_opset=_TARGET_OPSET[""], **more)


def _register_boosters() -> None:
    """Let skl2onnx convert estimators of LightGBM and XGBoost inside a pipeline, if these libraries are imported."""
    present = [library for library in ("lightgbm", "xgboost") if library in sys.modules]
    if not present:
        return
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm  # noqa: PLC0415 - as above
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost  # noqa: PLC0415 - as above
    from skl2onnx import update_registered_converter  # noqa: PLC0415 - as above
    from skl2onnx.common import shape_calculator  # noqa: PLC0415 - as above

    converters = {
        "lightgbm": ("LGBM", "LightGbmLGBM", convert_lightgbm),
        "xgboost": ("XGB", "XGBoostXGB", convert_xgboost),
    }
    kinds = (
        ("Classifier", shape_calculator.calculate_linear_classifier_output_shapes, _CLASSIFIER_OPTIONS),
        ("Regressor", shape_calculator.calculate_linear_regressor_output_shapes, None),
    )
    for library in present:
        prefix, alias, converter = converters[library]
        for kind, shape, options in kinds:
            estimator = getattr(sys.modules[library], f"{prefix}{kind}")
            update_registered_converter(estimator, f"{alias}{kind}", shape, converter, options=options)
