"""The folder of a Bento: the model, its description, the service and the build file."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson

from rondo.client.errors import RondoError
from rondo.contracts.spec.feature_types import is_known, unknown_type_sentence

if TYPE_CHECKING:
    from pathlib import Path

_BENTOFILE = """\
# Written by `rondo export`. `bentoml serve` runs this folder; `bentoml build` and `bentoml containerize` pack it.
service: "service:Model"
name: "{model}"
labels:
  rondo.model_version: "{version}"
  rondo.digest: "{digest}"
include: ["service.py", "model.onnx", "model.json"]
python:
  packages: ["onnxruntime>=1.32", "numpy>=2"]
  lock_packages: false  # a build then needs no package registry
"""


class DamagedArtifactError(RondoError):
    """The bytes of an artifact do not have the digest of their version."""

    code = "damaged_artifact"

    def __init__(self, model: str, version: int, expected: str, found: str) -> None:
        self.model, self.version, self.expected, self.found = model, version, expected, found
        super().__init__(
            f"the artifact of version {version} of {model} has the digest {found} and should have {expected}: nothing "
            "was written; export it again, and if it stays so, restore the artifact"
        )


class FolderNotEmptyError(RondoError):
    """The folder of an export has files already."""

    code = "folder_not_empty"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} is not empty: name a new folder, or remove this one first")


class UnknownFeatureTypeError(RondoError):
    """A version has a feature whose type is unknown to this release, so the exported service could not check it."""

    code = "unknown_feature_type"

    def __init__(self, model: str, version: int, feature: str, word: str) -> None:
        self.model, self.version, self.feature, self.word = model, version, feature, word
        of = f"nothing was written: the feature {feature} of version {version} of {model}"
        super().__init__(f"{unknown_type_sentence(of, word, 'rondo')}, then export the version again")


def write_project(version: dict[str, Any], spec: dict[str, Any], artifact: bytes, folder: Path) -> None:
    """Write the project of a version, as the registry describes it, into an empty or new folder.

    `spec` is the spec in force, as for a version that Rondo serves.

    Raises:
        DamagedArtifactError: the bytes of `artifact` do not have the version's digest.
        FolderNotEmptyError: the folder has files already.
        UnknownFeatureTypeError: a feature has a type that is unknown to this release.

    """
    for name, feature in version["features"].items():
        if not is_known(feature["type"]):
            raise UnknownFeatureTypeError(version["model"], version["model_version"], name, feature["type"])
    found = f"sha256:{hashlib.sha256(artifact).hexdigest()}"
    if found != version["digest"]:
        raise DamagedArtifactError(version["model"], version["model_version"], version["digest"], found)
    if folder.exists() and any(folder.iterdir()):
        raise FolderNotEmptyError(folder)
    about = {key: version[key] for key in ("model", "model_version", "digest", "features")}
    about["ignore_unknown_fields"] = spec["serving"]["ignore_unknown_fields"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(artifact)
    (folder / "model.json").write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    (folder / "service.py").write_text((resources.files("rondo.client.bento") / "service.py").read_text())
    bentofile = _BENTOFILE.format(model=version["model"], version=version["model_version"], digest=version["digest"])
    (folder / "bentofile.yaml").write_text(bentofile)
