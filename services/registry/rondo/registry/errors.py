"""Errors of refused requests. Each message says what to do next. `code` is the name in HTTP answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rondo.chassis.errors import StartRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence


class RegistryError(Exception):
    """The base class of refusals."""

    code: ClassVar[str] = "refused"

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of an HTTP problem document besides the message."""
        return dict(vars(self))


class UnknownModelError(RegistryError):
    """No spec was applied for this model."""

    code = "unknown_model"

    def __init__(self, model: str, known: tuple[str, ...] = ()) -> None:
        self.model, self.known = model, known
        there = f"; there are {', '.join(known[:10])}" if known else ""
        super().__init__(f"there is no model {model!r}{there}: apply its spec first (`rondo apply rondo.yaml`)")


class UnknownVersionError(RegistryError):
    """The model has no such version."""

    code = "unknown_version"

    def __init__(self, model: str, version: int, last: int) -> None:
        self.model, self.version, self.last = model, version, last
        there = f"its versions are 1 to {last}" if last else "it has none yet, the first training makes version 1"
        super().__init__(f"{model} has no version {version}: {there}")


class UnknownSpecError(RegistryError):
    """A candidate was trained on a spec that was never applied here."""

    code = "unknown_spec"

    def __init__(self, model: str, digest: str) -> None:
        self.model, self.digest = model, digest
        super().__init__(
            f"{model} was trained on a spec {digest} that was never applied here: apply it and train again"
        )


class RefusedSpecError(RegistryError):
    """The spec is well formed, but asks for something unsupported, or would break the served model."""

    code = "refused_spec"

    def __init__(self, model: str, problems: tuple[str, ...]) -> None:
        self.model, self.problems = model, problems
        super().__init__("\n".join((f"the spec of {model} can't be applied:", *(f"  {p}" for p in problems))))


class RefusedDatasetError(RegistryError):
    """The dataset spec is well formed, but stored rows, or the models that use the dataset, would not fit it."""

    code = "refused_dataset"

    def __init__(self, dataset: str, problems: tuple[str, ...]) -> None:
        self.dataset, self.problems = dataset, problems
        super().__init__(
            "\n".join((f"the spec of the dataset {dataset} can't be applied:", *(f"  {p}" for p in problems)))
        )


class UnknownDatasetError(RegistryError):
    """The dataset is not declared."""

    code = "unknown_dataset"

    def __init__(self, dataset: str, known: tuple[str, ...] = ()) -> None:
        self.dataset, self.known = dataset, known
        there = f"; there are {', '.join(known[:10])}" if known else ""
        super().__init__(
            f"no dataset {dataset!r} is declared{there}: apply its spec first (`rondo apply dataset.yaml`)"
        )


class DatasetInUseError(RegistryError):
    """The declaration of a dataset can't be removed while models name the dataset."""

    code = "dataset_in_use"

    def __init__(self, dataset: str, models: tuple[str, ...]) -> None:
        self.dataset, self.models = dataset, models
        super().__init__(
            f"the declaration of {dataset} can't be removed, for {', '.join(models[:10])} name it: remove these models"
            " first, or apply their specs with another `data.dataset`, or without features `from` it,"
            " and promote a version of these specs"
        )


class NotOnnxError(RegistryError):
    """The file of a registration is no ONNX model."""

    code = "not_onnx"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the file can't be registered, {why}: send the bytes of an ONNX model; `rondo.client` converts estimators"
            " of scikit-learn, LightGBM and XGBoost"
        )


class ModelFileTooLargeError(RegistryError):
    code = "model_too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the model is larger than {limit:,} bytes, the limit of this registry (RONDO_MAX_MODEL_BYTES): use fewer"
            " or shallower trees, or smaller layers"
        )


class ModelTooComplexError(RegistryError):
    """The file of a registration has too many parts to be parsed."""

    code = "model_too_complex"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the model is not read, {why}: join its nodes, such as trees, into fewer operators, or use a smaller model"
        )


class AlreadyServingError(RegistryError):
    """The file of a registration is the version that serves."""

    code = "already_serving"

    def __init__(self, model: str, version: int) -> None:
        self.model, self.version = model, version
        super().__init__(
            f"version {version} of {model}, which serves, is this very file: nothing to register; fit the model to"
            " other rows, or apply another spec first"
        )


class NotPassedError(RegistryError):
    """A promotion names a version that did not pass its gates."""

    code = "gates_not_passed"

    def __init__(self, model: str, version: int, failures: tuple[str, ...]) -> None:
        self.model, self.version, self.failures = model, version, failures
        super().__init__(
            f"version {version} of {model} did not pass its gates ({'; '.join(failures)}): "
            'promote another version, or promote it anyway with `--override` (over HTTP {"override": true})'
        )


class AlreadyChampionError(RegistryError):
    """The version serves already."""

    code = "already_champion"

    def __init__(self, model: str, version: int) -> None:
        self.model, self.version = model, version
        super().__init__(f"version {version} is the champion of {model} already: nothing to do")


class SameArtifactError(RegistryError):
    """A promotion names a version whose artifact serves already under another version number."""

    code = "same_artifact"

    def __init__(self, model: str, version: int, champion: int) -> None:
        self.model, self.version, self.champion = model, version, champion
        super().__init__(
            f"version {version} of {model} has the same artifact as the champion, version {champion}: promoting it "
            "changes nothing; train on new labelled rows, or promote another version"
        )


class NothingToRollBackToError(RegistryError):
    """No earlier version can take over."""

    code = "nothing_to_roll_back_to"

    def __init__(self, model: str, rolled_back: Sequence[int] = ()) -> None:
        self.model, self.rolled_back = model, tuple(rolled_back)
        gone = f" except those that were rolled back ({', '.join(map(str, rolled_back))})" if rolled_back else ""
        super().__init__(
            f"{model} has no earlier version to go back to{gone}: name one with `version`, or promote one that passed"
        )


class NeverServedError(RegistryError):
    """A rollback names a version that never served."""

    code = "never_served"

    def __init__(self, model: str, version: int) -> None:
        self.model, self.version = model, version
        super().__init__(f"version {version} of {model} never served, so it can't be rolled back to: promote it")


class InvalidCursorError(RegistryError):
    """The position of a page is not one that the API returned."""

    code = "invalid_cursor"

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        super().__init__(f"{cursor[:100]!r} is not a position: send `next` of the page before, or leave it out")


class StaleRevisionError(RegistryError):
    """The deployment changed since the caller read it."""

    code = "stale_revision"

    def __init__(self, model: str, expected: int, found: int) -> None:
        self.model, self.expected, self.found = model, expected, found
        super().__init__(
            f"the deployment of {model} is at revision {found}, not {expected}: another decision was made in between; "
            "read it again, and repeat if you still want it"
        )


class UnknownTokenError(RegistryError):
    """No access token has this id."""

    code = "unknown_token"

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(f"there is no token {token_id[:100]!r}: `rondo token list` shows the ids")


class RevokedTokenError(RegistryError):
    """The token was revoked, which is permanent."""

    code = "revoked_token"

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(f"the token {token_id} was revoked: create another one (`rondo token create`)")


class LastAdminTokenError(RegistryError):
    code = "last_admin_token"

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        super().__init__(f"the token {token_id} is the last one with the role admin: create another one first")


class ReservedSeedError(StartRefusedError):
    """The name of a seeded token is reserved for the registry."""

    code: ClassVar[str] = "reserved_name"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"RONDO_TOKENS has a token with the name {name!r}, which is how the registry signs its own decisions: "
            "change the name in the file that RONDO_TOKENS_FILE names"
        )


class InvalidTokenError(RegistryError):
    """A token can't be created with these values."""

    code = "invalid_token"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class NoRolloutError(RegistryError):
    """The model has no rollout, or no active one."""

    code = "no_rollout"

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(
            f"{model} has no active rollout: a version that passes its gates begins one if the spec has another "
            "`rollout.strategy` than `replace`"
        )


class RolloutStateError(RegistryError):
    """The state of a rollout does not allow what is requested."""

    code = "rollout_state"

    def __init__(self, model: str, action: str, state: str, allowed: Sequence[str]) -> None:
        self.model, self.action, self.state, self.allowed = model, action, state, tuple(allowed)
        super().__init__(f"the rollout of {model} is {state}, so it can't {action}: it can {' or '.join(allowed)}")
