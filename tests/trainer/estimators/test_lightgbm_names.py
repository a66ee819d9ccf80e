"""The parameter names that `rondo apply` knows are those of the installed LightGBM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.contracts.spec.parameters.lightgbm import LIGHTGBM
from rondo.contracts.spec.parameters.lightgbm_names import ALIASES
from rondo.trainer.estimators.lightgbm import REPEATABLE

if TYPE_CHECKING:
    from rondo.contracts.spec.parameters.rules import Value


def test_the_list_is_lightgbms_own() -> None:
    """When this fails after an upgrade, regenerate the list from `_get_all_param_aliases`."""
    from lightgbm.basic import _ConfigAliases  # noqa: PLC0415 - the import above provides OpenMP

    theirs: dict[str, list[str]] = _ConfigAliases._get_all_param_aliases()
    assert {name: tuple(sorted({*others} - {name})) for name, others in theirs.items()} == ALIASES


def test_no_parameter_of_its_scikit_learn_interface_is_called_unknown() -> None:
    import lightgbm  # noqa: PLC0415 - as above

    params: dict[str, Any] = lightgbm.LGBMClassifier().get_params()
    problems = dict(LIGHTGBM.faults("binary", dict.fromkeys(params, 1)))
    (_, unknown), *_ = LIGHTGBM.faults("binary", {"nothing_of_this_name": 1})
    said = unknown.partition(":")[0]
    assert [name for name, problem in problems.items() if problem.startswith(said)] == []


def test_what_the_trainer_sets_is_not_to_be_set() -> None:
    settings: dict[str, Value] = REPEATABLE | {"seed": 7, "num_threads": 2}
    problems = dict(LIGHTGBM.faults("binary", settings))
    assert [name for name in settings if "by the trainer" not in problems[name]] == []


def test_every_parameter_that_can_be_set_is_one_that_lightgbm_takes() -> None:
    assert {*LIGHTGBM.settable, *LIGHTGBM.decided} <= {
        name for parameter, others in ALIASES.items() for name in (parameter, *others)
    }
