"""A pytest plugin that adds the fourth task to the registry, before other modules import the registry."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path

_REGISTRY = "rondo.contracts.tasks.registry"
_TASKS, _WITH = "(BINARY, MULTICLASS, REGRESSION)", "(BINARY, MULTICLASS, REGRESSION, COUNT)"
_FIRST = "from rondo.contracts.tasks.regression import REGRESSION\n"


def _register() -> None:
    assert _REGISTRY not in sys.modules
    found = find_spec(_REGISTRY)
    assert isinstance(found, ModuleSpec)
    assert found.origin is not None
    source = Path(found.origin).read_text("utf-8")
    assert (source.count(_TASKS), source.count(_FIRST)) == (1, 1), "the line of the registry has changed"
    source = source.replace(_TASKS, _WITH).replace(_FIRST, f"{_FIRST}from tests.fourth_task.count import COUNT\n")
    module = module_from_spec(found)
    sys.modules[_REGISTRY] = module
    exec(compile(source, found.origin, "exec"), module.__dict__)  # noqa: S102 - the file, with one line more
    setattr(sys.modules["rondo.contracts.tasks"], "registry", module)  # noqa: B010 - as the import would


_register()
